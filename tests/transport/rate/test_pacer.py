"""A rate learned from refusals without a Retry-After, and the speed around it."""

import itertools
import math
from collections.abc import Callable
from random import Random

import pytest

from backupify_async._transport.rate import Observation, Ticket
from backupify_async._transport.rate.pacer import Pacer
from tests.support.rate_simulation import LOST, OK, REFUSED, Reply, Run, Server, bucket, window


class PacerAsLimiter(Pacer):
    """The pacer as a whole limiter, for a run."""

    def on_response(self, ticket: Ticket, observation: Observation) -> None:
        _, now, status, retry_after, _, _ = observation
        if status == 429:
            self.on_refusal(now, ticket, retry_after)
        else:
            self.on_success(now, ticket)


def run(server: Server, accepted: int, at_most: float = 1e5) -> tuple[PacerAsLimiter, Run]:
    pacer = PacerAsLimiter()
    return pacer, Run(pacer, server, max_concurrency=16).until_accepted(accepted, at_most)


def pacer_with_rate(rate: float = 100.0) -> PacerAsLimiter:
    pacer = PacerAsLimiter()
    pacer.assume(0.0, rate)
    return pacer


def respond_after_100_ms(pacer: Pacer, now: float, *, accepted: bool) -> None:
    """Report the response of a call that was sent 100 ms ago."""
    ticket = pacer.on_send(now - 0.1)
    (pacer.on_success if accepted else pacer.on_refusal)(now, ticket)


@pytest.mark.slow
class TestTheRate:
    @pytest.mark.parametrize(("per_second", "burst"), [(83, 17), (50, 10), (100, 20), (5, 5)])
    def test_of_a_bucket_is_found_to_a_few_percent(self, per_second: float, burst: int) -> None:
        pacer, done = run(bucket(per_second, burst), 2_000)
        assert pacer.rate == pytest.approx(per_second, rel=0.04)
        assert done.refused < 60 + 6 * done.now / 60

    @pytest.mark.parametrize("refused_after", [0.0, 0.001])
    @pytest.mark.parametrize("served_in", [0.05, 0.3])
    def test_is_found_even_if_refusals_overtake_successes(
        self, served_in: float, refused_after: float
    ) -> None:
        server = bucket(50, 10)

        def edge(at: float) -> Reply:
            outcome = server(at)
            return Reply(outcome.status, takes=0.06 + (served_in if outcome.status == 200 else refused_after))

        pacer = PacerAsLimiter()
        done = Run(pacer, edge).until_accepted(2_500)
        assert pacer.rate == pytest.approx(50, rel=0.05)
        assert done.now < 1.05 * 2_500 / 50

    def test_that_fell_is_followed(self) -> None:
        fast, slow = bucket(100, 20), bucket(25, 20)
        pacer, _ = run(lambda at: fast(at) if at < 20 else slow(at), 4_000)
        assert pacer.rate == pytest.approx(25, rel=0.05)

    def test_that_rose_is_followed(self) -> None:
        slow, fast = bucket(25, 20), bucket(200, 20)
        pacer, done = run(lambda at: slow(at) if at < 20 else fast(at), 8_000)
        assert pacer.rate == pytest.approx(200, rel=0.1)
        assert done.now < 20 + 7_500 / 200 + 20

    def test_is_not_guessed_at_the_first_refusal(self) -> None:
        pacer = PacerAsLimiter()
        respond_after_100_ms(pacer, 0.1, accepted=False)
        assert pacer.rate is None

    def test_a_server_that_refuses_nothing_is_not_paced(self) -> None:
        pacer, _ = run(lambda at: OK, 1_000)
        assert (pacer.rate, pacer.earliest(0.0, 0)) == (None, -math.inf)

    def test_a_hanging_call_does_not_delay_others(self) -> None:
        server, numbers = bucket(50, 10), itertools.count()
        hangs = Reply(200, takes=60.0)
        pacer, done = run(lambda at: hangs if next(numbers) == 40 else server(at), 2_000)
        assert pacer.rate == pytest.approx(50, rel=0.05)
        assert done.now < 1.1 * 2_000 / 50

    def test_is_found_even_if_calls_get_no_response(self) -> None:
        server, chance = bucket(50, 10), Random(1)
        _, done = run(lambda at: LOST if chance.random() < 0.05 else server(at), 1_000)
        assert done.now < 1.3 * 1_000 / 50


class TestTheSpeed:
    """A rate that is not confirmed is kept for a second, the plateau; then the speed grows."""

    def run(self, server: Server, at_most: float) -> Run:
        return Run(pacer_with_rate(10.0), server).until_accepted(10**6, at_most=at_most)

    def test_stays_at_the_rate_for_a_plateau_and_then_doubles_faster_and_faster(self) -> None:
        sent = self.run(lambda at: OK, at_most=5.5).sent
        counts = [sum(begin <= at < begin + 0.5 for at in sent) for begin in (0.5, 2.5, 3.5, 4.5)]
        assert counts == [5, pytest.approx(9, abs=1), pytest.approx(20, abs=2), pytest.approx(59, abs=3)]

    def test_stays_longer_each_time_that_the_limit_is_confirmed(self) -> None:
        _, done = run(bucket(100, 20), 8_000)
        refusals = [at for at, _, reply in done.responses if reply is REFUSED and at > 1]
        gaps = [b - a for a, b in itertools.pairwise(refusals)]
        assert gaps == [
            pytest.approx(plateau + 0.8, abs=0.3) for plateau in (2, 4, 8, *[12] * (len(gaps) - 3))
        ]

    def test_around_a_confirmed_rate_grows_despite_a_refusal_within_the_plateau(self) -> None:
        server, strays = bucket(100, 20), itertools.count()
        _, done = run(lambda at: REFUSED if at > 36 and next(strays) == 0 else server(at), 5_000)
        refusals = [at for at, _, reply in done.responses if reply is REFUSED and at > 20]
        assert refusals[:3] == [pytest.approx(at, abs=0.5) for at in (31, 36, 44)]

    def test_does_not_grow_while_no_call_waits(self) -> None:
        pacer = pacer_with_rate(10.0)
        for at in map(float, range(1, 100)):
            assert pacer.earliest(at, 0) <= at
            pacer.on_success(at + 0.06, pacer.on_send(at))
        gap = pacer.earliest(99.1, 0) - 99.1
        pacer.on_send(99.1)
        pacer.on_send(99.1)
        assert gap <= 0
        assert pacer.earliest(99.1, 2) - 99.1 == pytest.approx(0.1, abs=0.05)


class TestOrder:
    def test_a_refusal_counts_once_all_calls_sent_before_have_a_response(self) -> None:
        pacer = PacerAsLimiter()
        respond_after_100_ms(pacer, 0.1, accepted=False)
        earlier = [pacer.on_send(1.0) for _ in range(20)]
        pacer.on_refusal(1.2, pacer.on_send(1.1))
        assert pacer.rate is None
        for ticket in earlier:
            pacer.on_success(1.3, ticket)
        assert pacer.rate == pytest.approx(20 / 1.1, rel=0.01)

    @pytest.mark.parametrize("end", [Pacer.on_no_response, Pacer.on_cancel])
    def test_a_call_without_a_response_or_cancelled_is_not_waited_for(
        self, end: Callable[[Pacer, float, Ticket], None]
    ) -> None:
        pacer = PacerAsLimiter()
        respond_after_100_ms(pacer, 0.1, accepted=False)
        first, *earlier = [pacer.on_send(1.0) for _ in range(20)]
        for ticket in earlier:
            pacer.on_success(1.1, ticket)
        pacer.on_refusal(1.2, pacer.on_send(1.1))
        assert pacer.rate is None
        end(pacer, 1.2, first)
        assert pacer.rate is not None


class TestTheFirstRefusal:
    def test_is_followed_by_one_probe_a_tenth_of_a_second_later(self) -> None:
        pacer = PacerAsLimiter()
        respond_after_100_ms(pacer, 0.1, accepted=False)
        assert pacer.earliest(0.1, 0) == pytest.approx(0.2)
        pacer.on_send(0.2)
        assert pacer.earliest(0.25, 1) == math.inf

    def test_costs_no_more_than_that_if_it_is_a_stray(self) -> None:
        numbers = itertools.count()
        pacer, done = run(lambda at: REFUSED if next(numbers) == 0 else OK, 5_000)
        assert (pacer.rate, done.refused) == (None, 1)


class TestLockout:
    def refused_pacer(self) -> tuple[PacerAsLimiter, list[float]]:
        """A pacer that knew a rate, and when it sends calls to a server that refuses them all."""
        pacer = pacer_with_rate()
        return pacer, Run(pacer, lambda at: REFUSED, max_concurrency=16).until_accepted(1, at_most=120).sent

    def test_is_probed_at_intervals_that_grow_to_six_seconds(self) -> None:
        _, times = self.refused_pacer()
        gaps = [b - a for a, b in itertools.pairwise(times)][-25:]
        assert gaps == pytest.approx(sorted(gaps))
        assert gaps[-1] == pytest.approx(6.06)

    def test_keeps_the_estimate(self) -> None:
        pacer, _ = self.refused_pacer()
        assert pacer.rate == 100

    def test_ends_with_the_first_success(self) -> None:
        pacer, _ = self.refused_pacer()
        respond_after_100_ms(pacer, 130.0, accepted=True)
        assert pacer.paused_until == -math.inf
        assert pacer.earliest(130.0, 5) <= 130.02

    def test_is_probed_again_if_a_probe_gets_no_response(self) -> None:
        pacer = PacerAsLimiter()
        respond_after_100_ms(pacer, 0.1, accepted=False)
        pacer.on_no_response(0.3, pacer.on_send(0.2))
        assert pacer.earliest(0.3, 0) <= 0.3

    @pytest.mark.parametrize("lasts", [10.0, 60.0, 300.0])
    def test_is_followed_by_the_old_speed_within_seconds(self, lasts: float) -> None:
        server = bucket(50, 10)
        pacer = PacerAsLimiter()
        done = Run(pacer, lambda at: REFUSED if 20 <= at < 20 + lasts else server(at)).until_accepted(2_500)
        assert done.now < lasts + 2_500 / 50 + 10


class TestRetryAfter:
    def test_can_be_rounded_up_by_nearly_a_second(self) -> None:
        pacer = PacerAsLimiter()
        pacer.on_refusal(0.1, pacer.on_send(0.0), 3.0)
        assert pacer.earliest(0.1, 0) == pytest.approx(2.1)

    def test_with_a_fraction_is_exact_and_waited_out(self) -> None:
        pacer = pacer_with_rate()
        pacer.on_refusal(2.0, pacer.on_send(1.9), 1.5)
        assert pacer.earliest(2.0, 0) == pytest.approx(3.5)


class TestARateFromAnotherSource:
    def test_a_rate_is_used(self) -> None:
        assert pacer_with_rate(7.0).rate == 7.0

    def test_a_cancelled_call_gives_its_slot_back(self) -> None:
        pacer = pacer_with_rate()
        before = pacer.earliest(10.0, 0)
        pacer.on_cancel(10.0, pacer.on_send(10.0))
        assert pacer.earliest(10.0, 0) == before


class TestRefusalsByChance:
    """Refusals unrelated to our rate: bursts of another client, or a proxy that sheds load."""

    @pytest.mark.parametrize("share", [0.3, 0.5])
    def test_do_not_lower_the_rate_to_a_crawl(self, share: float) -> None:
        chance = Random(1)
        server: Server = lambda at: Reply(429) if chance.random() < share else OK  # noqa: E731 - a server in a line
        _, done = run(server, 400, at_most=3_600)
        assert done.accepted == 400


def test_a_silent_window_is_used_fully() -> None:
    _, done = run(window(100, 10, silent=True), 600)
    assert done.now < 1.15 * 60


def test_late_timers_do_not_lower_the_rate() -> None:
    server, pacer, random = bucket(83, 17), PacerAsLimiter(), Random(1)
    done = Run(pacer, server, max_concurrency=16)
    while done.accepted < 6_000:
        if random.random() < 0.02:
            done.now += random.uniform(0, 0.1)  # a late timer
        done.step()
    assert done.now < 1.1 * 6_000 / 83


def test_an_estimate_far_too_low_is_overcome_within_seconds() -> None:
    pacer = PacerAsLimiter()
    pacer.assume(0.0, 0.01)
    assert Run(pacer, lambda at: OK).until_accepted(1_000).now < 15
