"""The limiter of a fixed rate as pure decisions, at exact times."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async import RateLimit, RetryPolicy
from backupify_async._transport.rate import Ticket
from backupify_async._transport.rate.fixed_rate import FixedRateLimiter
from tests.support.rate_simulation import respond


def limiter(per_second: float | None = 1.0, burst: int = 1, **policy: float) -> FixedRateLimiter:
    limit = RateLimit(per_second=per_second, burst=burst, adaptive=False)
    return FixedRateLimiter(limit, RetryPolicy(**policy))  # type: ignore[arg-type]


def send_times(subject: FixedRateLimiter, now: float, count: int) -> list[float]:
    """When `count` calls are sent that all arrive at `now`."""
    times = []
    for _ in range(count):
        now = max(now, subject.earliest(0.0, 0))
        subject.on_send(now)
        times.append(now)
    return times


class TestTheRate:
    def test_calls_are_evenly_spaced_after_the_burst(self) -> None:
        assert send_times(limiter(2, 3), 10.0, 6) == [10, 10, 10, 10.5, 11, 11.5]

    def test_a_burst_of_one_permits_no_burst(self) -> None:
        assert send_times(limiter(4, 1), 0.0, 4) == [0, 0.25, 0.5, 0.75]

    def test_idle_time_restores_at_most_the_burst(self) -> None:
        subject = limiter(2, 3)
        send_times(subject, 0.0, 3)
        assert send_times(subject, 100.0, 5) == [100, 100, 100, 100.5, 101]

    def test_a_short_idle_time_restores_a_part_of_the_burst(self) -> None:
        subject = limiter(2, 3)
        send_times(subject, 0.0, 3)
        assert send_times(subject, 1.0, 3) == [1, 1, 1.5]

    def test_a_rate_of_none_sets_no_ceiling(self) -> None:
        assert send_times(limiter(None, 1), 5.0, 1000) == [5.0] * 1000

    def test_the_slot_of_a_cancelled_call_is_free_again(self) -> None:
        subject = limiter(1, 2)
        send_times(subject, 0.0, 2)
        subject.on_cancel(0.0, Ticket(0.0))
        assert send_times(subject, 0.0, 2) == [0, 1]


class TestThePause:
    def test_a_retry_after_pauses_from_its_arrival(self) -> None:
        subject = limiter(2)
        respond(subject, 3.0, Ticket(2.0), 429, 5.0, {})
        assert send_times(subject, 3.0, 1) == [8.0]

    def test_it_is_never_shortened(self) -> None:
        subject = limiter()
        respond(subject, 0.0, Ticket(0.0), 429, 50.0, {})
        respond(subject, 1.0, Ticket(0.5), 429, 5.0, {})
        respond(subject, 2.0, Ticket(0.5), 429, None, {})
        assert subject.paused_until == 50.0

    def test_a_longer_one_replaces_it(self) -> None:
        subject = limiter()
        respond(subject, 0.0, Ticket(0.0), 429, 5.0, {})
        respond(subject, 1.0, Ticket(0.5), 429, 50.0, {})
        assert subject.paused_until == 51.0

    @pytest.mark.parametrize("retry_after", [2.0, None])
    def test_no_burst_follows_it(self, retry_after: float | None) -> None:
        subject = limiter(1, 10)
        respond(subject, 0.0, Ticket(0.0), 429, retry_after, {})
        start = subject.paused_until
        assert send_times(subject, 0.0, 3) == [start, start + 1, start + 2]

    def test_idle_time_after_it_restores_the_burst(self) -> None:
        subject = limiter(1, 3)
        respond(subject, 0.0, Ticket(0.0), 429, 5.0, {})
        assert send_times(subject, 100.0, 4) == [100, 100, 100, 101]

    def test_without_a_rate_only_the_pause_applies(self) -> None:
        subject = limiter(None)
        respond(subject, 0.0, Ticket(0.0), 429, 5.0, {})
        assert send_times(subject, 1.0, 3) == [5.0, 5.0, 5.0]

    def test_other_statuses_do_not_pause(self) -> None:
        subject = limiter()
        for status in (200, 401, 404, 500, 503):
            respond(subject, 0.0, Ticket(0.0), status, 30.0, {})
        assert subject.paused_until == -math.inf

    def test_calls_cancelled_during_it_cause_no_burst_after_it(self) -> None:
        subject = limiter(1, 3)
        send_times(subject, 0.0, 2)
        respond(subject, 0.0, Ticket(0.0), 429, 5.0, {})
        subject.on_cancel(0.0, Ticket(0.0))
        subject.on_cancel(0.0, Ticket(0.0))
        assert send_times(subject, 0.0, 3) == [5, 6, 7]


class TestWaves:
    """Refusals without a Retry-After, and with a tiny one. Those of calls in flight together are one wave."""

    def test_each_wave_in_a_row_doubles_the_pause_up_to_the_cap(self) -> None:
        subject = limiter(cap=8.0)
        now, pauses = 0.0, []
        for _ in range(6):
            respond(subject, now + 0.5, Ticket(now), 429, None, {})
            pauses.append(subject.paused_until - (now + 0.5))
            now = subject.paused_until
        assert pauses == [1, 2, 4, 8, 8, 8]

    def test_the_cap_applies_to_the_first_one_too(self) -> None:
        subject = limiter(cap=0.25)
        respond(subject, 0.0, Ticket(-1.0), 429, None, {})
        assert subject.paused_until == 0.25

    def test_a_thousand_waves_do_not_overflow(self) -> None:
        subject = limiter()
        for now in range(0, 10_000, 10):
            respond(subject, now + 0.5, Ticket(now), 429, None, {})
        assert subject.paused_until == 9990.5 + 8

    def test_refusals_of_calls_in_flight_belong_to_the_same_wave(self) -> None:
        subject = limiter()
        for now in (1.0, 1.1, 1.2, 1.3):
            respond(subject, now, Ticket(0.5), 429, None, {})
        assert subject.paused_until == 2.0

    def test_a_success_resets_the_growth(self) -> None:
        subject = limiter()
        respond(subject, 0.5, Ticket(0.0), 429, None, {})
        respond(subject, 2.5, Ticket(2.0), 200, None, {})
        respond(subject, 3.5, Ticket(3.0), 429, None, {})
        assert subject.paused_until == 4.5

    def test_a_success_of_a_call_in_flight_does_not_reset_it(self) -> None:
        subject = limiter()
        respond(subject, 0.5, Ticket(0.0), 429, None, {})
        respond(subject, 0.6, Ticket(0.0), 200, None, {})
        respond(subject, 2.0, Ticket(1.5), 429, None, {})
        assert subject.paused_until == 4.0

    def test_a_retry_after_of_zero_counts_as_none(self) -> None:
        subject = limiter()
        respond(subject, 0.5, Ticket(0.0), 429, 0.0, {})
        assert subject.paused_until == 1.5

    def test_a_tiny_retry_after_does_not_allow_a_busy_loop(self) -> None:
        subject = limiter(cap=8.0)
        now, pauses = 0.0, []
        for _ in range(9):
            respond(subject, now + 0.5, Ticket(now), 429, 0.001, {})
            pauses.append(round(subject.paused_until - (now + 0.5), 6))
            now = subject.paused_until
        assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 8.0, 8.0]

    def test_a_longer_retry_after_is_waited_out_exactly(self) -> None:
        subject = limiter()
        now = 0.0
        for _ in range(4):
            respond(subject, now + 0.5, Ticket(now), 429, 1.0, {})
            assert subject.paused_until == now + 1.5
            now = subject.paused_until

    def test_a_thousand_refusals_of_one_wave_lengthen_the_pause_once(self) -> None:
        subject = limiter()
        for _ in range(1000):
            respond(subject, 0.5, Ticket(0.0), 429, 0.001, {})
        assert subject.paused_until == 0.6

    def test_a_success_resets_the_growth_after_a_tiny_retry_after_too(self) -> None:
        subject = limiter()
        respond(subject, 0.5, Ticket(0.0), 429, 0.001, {})
        respond(subject, 1.5, Ticket(1.0), 429, 0.001, {})
        respond(subject, 2.5, Ticket(2.0), 200, None, {})
        respond(subject, 3.5, Ticket(3.0), 429, 0.001, {})
        assert subject.paused_until == 3.6


class TestBlocking:
    def test_a_retry_after_over_the_maximum_blocks_the_limiter(self) -> None:
        subject = limiter()
        respond(subject, 5.0, Ticket(4.0), 429, 121.0, {})
        assert (subject.blocked_until, subject.paused_until) == (126.0, 126.0)

    def test_one_at_the_maximum_does_not_block_it(self) -> None:
        subject = limiter()
        respond(subject, 5.0, Ticket(4.0), 429, 120.0, {})
        assert subject.blocked_until == -math.inf

    def test_a_block_is_never_shortened(self) -> None:
        subject = limiter()
        respond(subject, 0.0, Ticket(0.0), 429, 500.0, {})
        respond(subject, 1.0, Ticket(0.0), 429, 130.0, {})
        assert subject.blocked_until == 500.0


waits = st.floats(0.0, 3.0)
steps = st.one_of(
    st.tuples(st.just("send"), waits),
    st.tuples(st.just("send"), st.just(0.0)),
    st.tuples(st.just("refused"), waits),
)


@given(st.floats(0.1, 50.0), st.integers(1, 8), st.lists(steps, max_size=60))
def test_every_time_span_holds_at_most_burst_and_rate_and_no_call_is_sent_in_a_pause(
    rate: float, burst: int, events: list[tuple[str, float]]
) -> None:
    subject = limiter(rate, burst)
    now, times, pauses = 0.0, [], []
    for kind, amount in events:
        now += amount if kind == "send" else 0.0
        if kind == "refused":
            respond(subject, now, Ticket(now), 429, amount, {})
            pauses.append((now, subject.paused_until))
        elif subject.earliest(0.0, 0) <= now:
            subject.on_send(now)
            times.append(now)
        else:
            times += send_times(subject, now, 1)
            now = times[-1]
    for first, begin in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + rate * (times[last] - begin) + 1e-6
    assert not [when for when in times for begin, end in pauses if begin < when < end]


@given(st.floats(0.1, 50.0), st.integers(1, 8), st.floats(0.5, 100.0), st.integers(0, 8))
def test_after_any_pause_calls_are_sent_one_by_one(
    rate: float, burst: int, pause: float, before: int
) -> None:
    subject = limiter(rate, burst)
    send_times(subject, 0.0, before)
    now = max(0.0, subject.earliest(0.0, 0))
    respond(subject, now, Ticket(now), 429, pause, {})
    times = send_times(subject, now, 5)
    assert [b - a for a, b in itertools.pairwise(times)] == pytest.approx([1 / rate] * 4)
