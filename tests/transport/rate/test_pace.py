"""A rate learned from refusals that say nothing else."""

import itertools
import math
from collections.abc import Mapping
from random import Random

import pytest

from backupify_async.transport.rate.pace import Pace
from tests.transport.rate.simulation import OK, REFUSED, Reply, Run, Server, bucket, window


class Alone(Pace):
    """The pace with nothing beside it, as a run asks of it."""

    def earliest(self, now: float, in_flight: int) -> float:  # type: ignore[override]
        return super().earliest(in_flight)

    def told(
        self, now: float, sent_at: float, status: int, retry_after: float | None, headers: Mapping[str, str]
    ) -> None:
        if status == 429:
            self.refused(now, sent_at, retry_after)
        else:
            self.succeeded(now, sent_at)


def run(server: Server, accepted: int, at_most: float = 1e5) -> tuple[Alone, Run]:
    pace = Alone()
    return pace, Run(pace, server, places=16).until_accepted(accepted, at_most)


def trusting(rate: float = 100.0) -> Alone:
    pace = Alone()
    pace.know(0.0, rate)
    return pace


def interval(pace: Pace, now: float) -> float:
    """Seconds between two calls that leave as early as they may."""
    pace.take(max(now, Pace.earliest(pace, 0)))
    begin = Pace.earliest(pace, 0)
    pace.take(begin)
    return Pace.earliest(pace, 0) - begin


class TestTheRate:
    @pytest.mark.parametrize(("per_second", "burst"), [(83, 17), (50, 10), (100, 20)])
    def test_of_a_bucket_is_found_to_a_percent(self, per_second: float, burst: int) -> None:
        pace, done = run(bucket(per_second, burst), 2_000)
        assert pace.rate == pytest.approx(per_second, rel=0.01)
        assert done.refused < 60

    @pytest.mark.parametrize(("per_second", "burst"), [(5, 5), (0.2, 1), (1 / 60, 1)])
    def test_of_a_slow_one_is_kept_below(self, per_second: float, burst: int) -> None:
        pace, _ = run(bucket(per_second, burst), 300)
        assert pace.rate is not None
        assert 0.7 * per_second < pace.rate <= 1.02 * per_second

    def test_of_a_silent_window_is_found_from_one_reopening_to_the_next(self) -> None:
        pace, _ = run(window(100, 10, silent=True), 600)
        assert pace.rate == pytest.approx(10, rel=0.15)

    def test_that_fell_is_followed(self) -> None:
        fast, slow = bucket(100, 20), bucket(25, 20)
        pace, _ = run(lambda at: fast(at) if at < 20 else slow(at), 4_000)
        assert pace.rate == pytest.approx(25, rel=0.03)

    def test_that_rose_is_followed(self) -> None:
        slow, fast = bucket(25, 20), bucket(200, 20)
        pace, _ = run(lambda at: slow(at) if at < 20 else fast(at), 6_000)
        assert pace.rate == pytest.approx(200, rel=0.05)

    def test_there_is_none_before_it_can_be_trusted(self) -> None:
        pace = Alone()
        pace.take(0.0)
        pace.refused(0.1, 0.0)
        assert pace.rate is None

    def test_a_server_that_refuses_nobody_is_not_paced(self) -> None:
        pace, _ = run(lambda at: OK, 1_000)
        assert (pace.rate, pace.earliest(0.0, 0)) == (None, -math.inf)


class TestAWave:
    def test_is_one_signal(self) -> None:
        pace = trusting()
        for number in range(50):
            pace.succeeded(1.0 + number / 100, 0.9 + number / 100)
        pace.refused(2.0, 1.9)
        rate, next_at = pace.rate, pace.earliest(2.0, 0)
        for sent_at in (1.95, 1.97, 2.0):
            pace.refused(2.05, sent_at)
        assert (pace.rate, pace.earliest(2.05, 0)) == (rate, next_at)

    def test_four_short_ones_halve_a_trusted_rate(self) -> None:
        pace, now = trusting(), 10.0
        for _ in range(4):
            assert pace.rate is not None
            pace.succeeded(now + 0.1, now)
            pace.refused(now + 0.3, now + 0.2)
            now += 1
        assert pace.rate is None
        assert interval(pace, now) == pytest.approx(1 / 50, rel=0.03)

    def test_three_short_ones_do_not(self) -> None:
        pace, now = trusting(), 10.0
        for _ in range(3):
            pace.succeeded(now + 0.1, now)
            pace.refused(now + 0.3, now + 0.2)
            now += 1
        assert pace.rate == 100

    def test_a_short_one_at_twice_what_was_counted_brings_us_down_to_that(self) -> None:
        pace = trusting(50.0)
        for number in range(100):
            pace.succeeded(number / 50 + 0.05, number / 50)
        pace.refused(2.0, 1.99)
        pace.know(2.0, 500.0)  # as where most of a count came out of a full store
        for number in range(40):
            pace.succeeded(2.5 + number / 50, 2.49 + number / 50)
        pace._empty = (3.3, pace.accepted)
        pace.succeeded(3.32, 3.31)
        pace.refused(3.35, 3.33)
        assert pace.rate == pytest.approx(41 / 1.34, rel=0.05)

    def test_a_graze_rests_for_a_moment_only(self) -> None:
        pace = trusting()
        for number in range(50):
            pace.succeeded(1.0 + number / 100, 0.9 + number / 100)
        pace.refused(2.0, 1.9)
        assert 2.0 < pace.earliest(2.0, 0) < 2.2


class TestAnOutage:
    def probes(self) -> list[float]:
        """When it lets calls go to a server that refuses them all."""
        pace = trusting()
        return Run(pace, lambda at: REFUSED, places=16).until_accepted(1, at_most=20).sent

    def test_is_probed_at_growing_intervals(self) -> None:
        times = self.probes()[-6:]
        gaps = [b - a for a, b in itertools.pairwise(times)]
        assert gaps == pytest.approx(sorted(gaps))
        assert 1 < gaps[-1] < 5

    def test_by_one_call_at_a_time(self) -> None:
        pace = trusting()
        for now in (1.0, 2.0):
            pace.refused(now, now - 0.1)
        assert pace.earliest(9.0, 1) == math.inf
        assert pace.earliest(9.0, 0) < 9.0

    def test_ends_with_the_first_success(self) -> None:
        pace = trusting()
        for now in (1.0, 2.0):
            pace.refused(now, now - 0.1)
        pace.succeeded(3.0, 2.9)
        assert (pace.earliest(3.0, 5), pace.silent_until) == (3.0, -math.inf)

    def test_tells_until_when_nothing_is_sent(self) -> None:
        pace = trusting()
        for now in (1.0, 2.0):
            pace.refused(now, now - 0.1)
        assert pace.silent_until == pace.earliest(2.0, 0) > 2.0


class TestTheFirstRefusal:
    def refused(self) -> Alone:
        """One that sent twenty calls, of which ten were accepted and the first refusal came at 0.1."""
        pace = Alone()
        for _ in range(20):
            pace.take(0.0)
        for number in range(10):
            pace.succeeded(0.05 + number / 1000, 0.0)
        pace.refused(0.1, 0.0)
        return pace

    def test_is_followed_by_one_probe(self) -> None:
        pace = self.refused()
        assert pace.earliest(1.0, 1) == math.inf
        assert pace.earliest(1.0, 0) <= 1.0

    def test_what_was_served_before_it_is_no_answer_to_the_probe(self) -> None:
        pace = self.refused()
        pace.succeeded(0.099, 0.0)  # it left with the others, and its answer took long
        assert pace.earliest(1.0, 1) == math.inf

    def test_so_an_outage_is_not_taken_for_a_rate(self) -> None:
        pace = self.refused()
        for _ in range(9):
            pace.succeeded(0.1, 0.0)
        pace.refused(0.3, 0.2)
        assert (pace.rate, pace.is_lost) == (None, True)


class TestGrowth:
    def test_is_counted_in_calls(self) -> None:
        pace = trusting()
        before = interval(pace, 10.0)
        for number in range(1_500):
            pace.succeeded(11 + number / 100, 10.9 + number / 100)
        assert interval(pace, 30.0) < before / 1.5

    def test_time_without_work_teaches_nothing(self) -> None:
        pace = trusting()
        assert interval(pace, 10.0) == pytest.approx(interval(pace, 10_000.0))

    def calls_between_grazes(self, server: Server, accepted: int) -> list[int]:
        _, done = run(server, accepted)
        counts, since = [], 0
        for _, _, reply in done.answers:
            if reply.status == 429 and since > 50:
                counts.append(since)
                since = 0
            since += reply.status == 200
        return counts

    def test_waits_longer_the_more_often_counts_agreed(self) -> None:
        counts = self.calls_between_grazes(bucket(50, 10), 12_000)
        assert counts[-1] > 2 * counts[2]

    def test_waits_for_as_many_calls_as_a_store_with_a_period_holds(self) -> None:
        _, done = run(window(1_200, 10, silent=True), 7_200)
        assert done.refused < 150

    def test_that_finds_a_rate_far_above_is_carried_on(self) -> None:
        pace = Alone()
        pace.know(0.0, 20.0)
        Run(pace, bucket(40, 10), places=16).until_accepted(1_500)
        assert pace.rate == pytest.approx(40, rel=0.03)

    def test_begins_a_little_below_the_rate(self) -> None:
        assert interval(trusting(), 10.0) == pytest.approx(1 / 99)


class TestRetryAfter:
    def test_may_be_rounded_up_by_nearly_a_second(self) -> None:
        pace = Alone()
        pace.take(0.0)
        pace.refused(0.1, 0.0, 3.0)
        assert pace.earliest(0.1, 0) == pytest.approx(2.1)

    def test_of_a_whole_second_is_a_fraction_of_it_once_there_is_one(self) -> None:
        pace = trusting()
        for number in range(50):
            pace.succeeded(1.0 + number / 100, 0.9 + number / 100)
        pace.refused(2.0, 1.9, 1.0)
        assert pace.earliest(2.0, 0) < 2.2

    def test_that_is_a_fraction_is_exact_and_waited_out(self) -> None:
        pace = trusting()
        for number in range(50):
            pace.succeeded(1.0 + number / 100, 0.9 + number / 100)
        pace.refused(2.0, 1.9, 1.5)
        assert pace.earliest(2.0, 0) >= 3.4


class TestWhatIsToldFromElsewhere:
    def test_a_known_rate_is_taken(self) -> None:
        assert trusting(7.0).rate == 7.0

    def test_forgotten_it_paces_nobody(self) -> None:
        pace = trusting()
        pace.forget()
        assert (pace.rate, pace.earliest(0.0, 64)) == (None, -math.inf)

    def test_after_a_window_reopened_its_closing_is_no_part_of_the_count(self) -> None:
        pace = trusting()
        pace.refused(1.0, 0.9)
        pace.resume(101.0)
        for number in range(40):
            pace.succeeded(101.1 + number / 100, 101 + number / 100)
        pace.refused(101.5, 101.45)
        assert pace.rate == pytest.approx(85, rel=0.2)

    def test_a_call_that_did_not_leave_gives_its_slot_back(self) -> None:
        pace = trusting()
        pace.take(10.0)
        pace.give_back()
        assert pace.earliest(10.0, 0) <= 10.0

    def test_one_taken_before_the_refusal_does_not_shorten_the_rest_behind_it(self) -> None:
        pace = Alone()
        for _ in range(10):
            pace.take(0.0)
        pace.refused(0.1, 0.0, 2.0)
        for _ in range(9):
            pace.give_back()
        assert pace.earliest(0.1, 0) == pytest.approx(1.1)


class TestRefusalsByChance:
    """Those that have nothing to do with the rate: another client's bursts, or a proxy that sheds load."""

    @pytest.mark.parametrize("share", [0.3, 0.5])
    def test_do_not_end_in_a_call_an_hour(self, share: float) -> None:
        chance = Random(1)
        server: Server = lambda at: Reply(429) if chance.random() < share else OK  # noqa: E731 - a server in a line
        _, done = run(server, 400, at_most=3_600)
        assert done.accepted == 400


class TestLateTimers:
    """A busy machine wakes us late: what we did not send then is no sign that less is allowed."""

    def test_are_made_up_for(self) -> None:
        pace = trusting(100.0)
        first = max(1.0, Pace.earliest(pace, 0))
        pace.take(first + 0.05)
        assert Pace.earliest(pace, 0) < first + 0.05

    def test_but_not_an_idle_time(self) -> None:
        pace = trusting(100.0)
        pace.take(50.0)
        assert Pace.earliest(pace, 0) > 50.0 - 0.1

    def test_do_not_wear_down_the_rate(self) -> None:
        server, pace, random = bucket(83, 17), Alone(), Random(1)
        run = Run(pace, server, places=16)
        while run.accepted < 6_000:
            if random.random() < 0.02:
                run.now += random.uniform(0, 0.1)  # nobody looks meanwhile
            run.step()
        assert pace.rate == pytest.approx(83, rel=0.04)
