"""How many calls can be in flight: at the start, and with a server that limits them."""

import heapq
from collections.abc import Callable

import pytest

from backupify_async import LimitSource
from backupify_async._transport.rate import Ticket
from backupify_async._transport.rate.concurrency_limit import ConcurrencyLimit
from tests.support.rate_simulation import Reply, Run, Server, adaptive, bucket


def succeed(limit: ConcurrencyLimit, sent_time: float, now: float, in_flight: int) -> None:
    """Report an accepted call."""
    limit.on_success(now, Ticket(sent_time, in_flight=in_flight), in_flight)


def refuse(
    limit: ConcurrencyLimit, sent_time: float, now: float, in_flight: int = 13, *, paced: bool = False
) -> bool:
    """Report a refused call."""
    return limit.on_refusal(now, Ticket(sent_time, in_flight=in_flight), in_flight, paced=paced)


class TestTheStart:
    def test_thirteen_calls_can_be_in_flight(self) -> None:
        assert ConcurrencyLimit(64).cap == 13

    def test_at_most_max_concurrency_calls_can_be_in_flight(self) -> None:
        assert ConcurrencyLimit(3).cap == 3

    def test_a_success_raises_the_cap_by_less_than_one(self) -> None:
        limit = ConcurrencyLimit(64)
        for _ in range(20):
            succeed(limit, 1.0, 1.1, limit.cap)
        assert 13 < limit.cap < 13 + 20

    def test_full_concurrency_is_reached_in_four_round_trips(self) -> None:
        limit = ConcurrencyLimit(64)
        for _ in range(4):
            for _ in range(limit.cap):
                succeed(limit, 1.0, 1.1, limit.cap)
        assert limit.cap == 64

    def test_growth_ends_at_max_concurrency(self) -> None:
        limit = ConcurrencyLimit(64)
        for _ in range(1_000):
            succeed(limit, 1.0, 1.1, 64)
        assert limit.cap == 64

    def test_a_success_with_few_calls_in_flight_changes_nothing(self) -> None:
        limit = ConcurrencyLimit(64)
        for _ in range(1_000):
            succeed(limit, 1.0, 1.1, 6)
        assert limit.cap == 13

    def test_a_max_concurrency_of_one_works(self) -> None:
        limit = ConcurrencyLimit(1)
        succeed(limit, 1.0, 1.1, 1)
        assert limit.cap == 1

    def test_after_the_first_refusal_the_cap_restarts_lower(self) -> None:
        limit = ConcurrencyLimit(64)
        refuse(limit, 1.0, 2.0)
        assert limit.cap == 6

    def test_successes_of_calls_sent_before_a_refusal_change_nothing(self) -> None:
        limit = ConcurrencyLimit(64)
        refuse(limit, 1.0, 2.0)
        for _ in range(100):
            succeed(limit, 2.0, 2.1, 6)
        assert limit.cap == 6
        succeed(limit, 2.1, 2.2, 6)
        succeed(limit, 2.2, 2.3, 6)
        assert limit.cap == 7

    def test_faster_calls_raise_the_cap_by_less(self) -> None:
        fast, slow = ConcurrencyLimit(64), ConcurrencyLimit(64)
        for _ in range(20):
            succeed(fast, 1.0, 1.001, fast.cap)
            succeed(slow, 1.0, 1.06, slow.cap)
        assert (fast.cap, slow.cap) == (13, 25)

    def test_after_the_second_wave_the_cap_restarts_at_two(self) -> None:
        limit = ConcurrencyLimit(64)
        refuse(limit, 1.0, 2.0)
        refuse(limit, 2.1, 3.0)
        assert limit.cap == 2

    def test_once_a_rate_is_learned_the_cap_does_not_restart(self) -> None:
        limit = ConcurrencyLimit(64)
        refuse(limit, 1.0, 2.0, paced=True)
        assert limit.cap == 13


def in_flight(most: Callable[[float], int], seconds: float = 0.05, stray: int = 0) -> Server:
    """A server that limits how many calls it works on, and refuses others in 2 ms.

    Args:
        most: How many calls it works on, by time.
        seconds: How long it works on a call.
        stray: It refuses each call whose number this divides; 0 for none.
    """
    ends: list[float] = []
    calls = 0

    def server(at: float) -> Reply:
        nonlocal calls
        calls += 1
        while ends and ends[0] <= at:
            heapq.heappop(ends)
        if len(ends) >= most(at) or (stray and calls % stray == 0):
            return Reply(429, takes=0.002)
        heapq.heappush(ends, at + seconds - 0.001)
        return Reply(200, takes=seconds)

    return server


def accepted(run: Run, begin: float, end: float) -> int:
    """How many calls were accepted from `begin` to `end`."""
    return sum(begin <= now < end and reply.status == 200 for now, _, reply in run.responses)


def refused(run: Run, begin: float, end: float) -> int:
    """How many calls were refused from `begin` to `end`."""
    return sum(begin <= now < end and reply.status == 429 for now, _, reply in run.responses)


def run_for(server: Server, until: float) -> Run:
    """Run a client that has calls to send until then."""
    return Run(adaptive(), server).until_accepted(10**9, until)


class TestAServerThatLimitsCallsInFlight:
    def test_its_capacity_is_used_within_a_second(self) -> None:
        for most in (1, 3, 10, 40):
            run = run_for(in_flight(lambda _, most=most: most), 15.0)  # type: ignore[misc]
            assert accepted(run, 1.0, 15.0) > 0.97 * most * 20 * 14

    def test_refusals_are_few(self) -> None:
        run = run_for(in_flight(lambda _: 10), 75.0)
        assert refused(run, 0.0, 15.0) <= 15
        assert refused(run, 15.0, 75.0) <= 6

    @pytest.mark.slow
    def test_a_limit_that_rose_is_used_within_25_seconds(self) -> None:
        run = run_for(in_flight(lambda at: 5 if at < 30 else 60), 60.0)
        assert accepted(run, 55.0, 60.0) > 0.95 * 60 * 20 * 5

    def test_a_limit_that_fell_is_learned_anew(self) -> None:
        run = run_for(in_flight(lambda at: 20 if at < 20 else 5), 50.0)
        assert accepted(run, 25.0, 50.0) > 0.95 * 5 * 20 * 25
        assert refused(run, 35.0, 50.0) <= 3

    @pytest.mark.slow
    def test_stray_refusals_cost_little(self) -> None:
        run = run_for(in_flight(lambda _: 10, stray=500), 60.0)
        assert accepted(run, 1.0, 60.0) > 0.8 * 10 * 20 * 59

    def test_the_estimate_is_its_capacity(self) -> None:
        limiter = adaptive()
        Run(limiter, in_flight(lambda _: 10)).until_accepted(10**9, 5.0)
        assert limiter.estimate(5.0).per_second == pytest.approx(200)
        assert limiter.estimate(5.0).source is LimitSource.IN_FLIGHT


@pytest.mark.slow
class TestAServerThatLimitsTheRate:
    """Its responses take so long that a steady number of calls is in flight."""

    def test_a_steady_number_in_flight_is_not_taken_for_a_limit(self) -> None:
        limit = bucket(50, 5)

        def server(at: float) -> Reply:
            status = limit(at).status
            return Reply(status, takes=0.3 if status == 200 else 0.002)

        run = run_for(server, 75.0)
        assert accepted(run, 10.0, 75.0) > 0.9 * 50 * 65
        assert refused(run, 15.0, 75.0) <= 0.01 * 50 * 60

    def test_a_bucket_emptied_by_simultaneous_calls_is_not_taken_for_a_limit(self) -> None:
        limit = bucket(20, 1)

        def server(at: float) -> Reply:
            status = limit(at).status
            return Reply(status, takes=0.3 if status == 200 else 0.002)

        assert accepted(run_for(server, 60.0), 10.0, 60.0) > 0.6 * 20 * 50
