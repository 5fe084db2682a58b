"""How many calls may be in flight: the start, and a server that limits them."""

import heapq
from collections.abc import Callable

import pytest

from backupify_async import LimitSource
from backupify_async._transport.rate import Ticket
from backupify_async._transport.rate.concurrency_limit import ConcurrencyLimit
from tests.support.rate_simulation import Reply, Run, Server, adaptive, bucket


def succeed(cap: ConcurrencyLimit, left: float, now: float, in_flight: int) -> None:
    """A call was accepted."""
    cap.on_success(now, Ticket(left, in_flight=in_flight), in_flight)


def refuse(
    cap: ConcurrencyLimit, left: float, now: float, in_flight: int = 13, *, paced: bool = False
) -> bool:
    """A call was refused."""
    return cap.on_refusal(now, Ticket(left, in_flight=in_flight), in_flight, paced=paced)


class TestTheStart:
    def test_thirteen_calls_start(self) -> None:
        assert ConcurrencyLimit(64).cap == 13

    def test_no_more_than_max_concurrency_start(self) -> None:
        assert ConcurrencyLimit(3).cap == 3

    def test_a_success_raises_the_cap_by_less_than_one(self) -> None:
        cap = ConcurrencyLimit(64)
        for _ in range(20):
            succeed(cap, 1.0, 1.1, cap.cap)
        assert 13 < cap.cap < 13 + 20

    def test_full_concurrency_is_reached_in_four_round_trips(self) -> None:
        cap = ConcurrencyLimit(64)
        for _ in range(4):
            for _ in range(cap.cap):
                succeed(cap, 1.0, 1.1, cap.cap)
        assert cap.cap == 64

    def test_growth_ends_at_max_concurrency(self) -> None:
        cap = ConcurrencyLimit(64)
        for _ in range(1_000):
            succeed(cap, 1.0, 1.1, 64)
        assert cap.cap == 64

    def test_little_work_teaches_nothing(self) -> None:
        cap = ConcurrencyLimit(64)
        for _ in range(1_000):
            succeed(cap, 1.0, 1.1, 6)
        assert cap.cap == 13

    def test_a_max_concurrency_of_one_works(self) -> None:
        cap = ConcurrencyLimit(1)
        succeed(cap, 1.0, 1.1, 1)
        assert cap.cap == 1

    def test_after_the_first_refusal_the_cap_restarts_lower(self) -> None:
        cap = ConcurrencyLimit(64)
        refuse(cap, 1.0, 2.0)
        assert cap.cap == 6

    def test_calls_sent_before_that_teach_nothing(self) -> None:
        cap = ConcurrencyLimit(64)
        refuse(cap, 1.0, 2.0)
        for _ in range(100):
            succeed(cap, 2.0, 2.1, 6)
        assert cap.cap == 6
        succeed(cap, 2.1, 2.2, 6)
        succeed(cap, 2.2, 2.3, 6)
        assert cap.cap == 7

    def test_fast_calls_raise_the_cap_by_less(self) -> None:
        near, far = ConcurrencyLimit(64), ConcurrencyLimit(64)
        for _ in range(20):
            succeed(near, 1.0, 1.001, near.cap)
            succeed(far, 1.0, 1.06, far.cap)
        assert (near.cap, far.cap) == (13, 25)

    def test_after_the_second_wave_the_cap_restarts_at_two(self) -> None:
        cap = ConcurrencyLimit(64)
        refuse(cap, 1.0, 2.0)
        refuse(cap, 2.1, 3.0)
        assert cap.cap == 2

    def test_once_a_rate_is_learned_the_cap_does_not_restart(self) -> None:
        cap = ConcurrencyLimit(64)
        refuse(cap, 1.0, 2.0, paced=True)
        assert cap.cap == 13


def in_flight(most: Callable[[float], int], seconds: float = 0.05, stray: int = 0) -> Server:
    """A server that works on so many calls at once, and refuses others in 2 ms; and one call in so many."""
    ends: list[float] = []
    calls = 0

    def answer(at: float) -> Reply:
        nonlocal calls
        calls += 1
        while ends and ends[0] <= at:
            heapq.heappop(ends)
        if len(ends) >= most(at) or (stray and calls % stray == 0):
            return Reply(429, takes=0.002)
        heapq.heappush(ends, at + seconds - 0.001)
        return Reply(200, takes=seconds)

    return answer


def accepted(run: Run, begin: float, end: float) -> int:
    """How many calls were accepted in a span."""
    return sum(begin <= now < end and reply.status == 200 for now, _, reply in run.answers)


def refused(run: Run, begin: float, end: float) -> int:
    """How many calls were refused in a span."""
    return sum(begin <= now < end and reply.status == 429 for now, _, reply in run.answers)


def met(server: Server, until: float) -> Run:
    """A client that has work for so many seconds."""
    return Run(adaptive(), server).until_accepted(10**9, until)


class TestAServerThatLimitsWhatIsInFlight:
    def test_its_capacity_is_used_within_a_second(self) -> None:
        for most in (1, 3, 10, 40):
            run = met(in_flight(lambda _, most=most: most), 15.0)  # type: ignore[misc]
            assert accepted(run, 1.0, 15.0) > 0.97 * most * 20 * 14

    def test_refusals_are_few(self) -> None:
        run = met(in_flight(lambda _: 10), 75.0)
        assert refused(run, 0.0, 15.0) <= 15
        assert refused(run, 15.0, 75.0) <= 6

    @pytest.mark.slow
    def test_a_limit_that_rose_is_used_within_25_seconds(self) -> None:
        run = met(in_flight(lambda at: 5 if at < 30 else 60), 60.0)
        assert accepted(run, 55.0, 60.0) > 0.95 * 60 * 20 * 5

    def test_a_limit_that_fell_is_learned_again(self) -> None:
        run = met(in_flight(lambda at: 20 if at < 20 else 5), 50.0)
        assert accepted(run, 25.0, 50.0) > 0.95 * 5 * 20 * 25
        assert refused(run, 35.0, 50.0) <= 3

    @pytest.mark.slow
    def test_strays_cost_little(self) -> None:
        run = met(in_flight(lambda _: 10, stray=500), 60.0)
        assert accepted(run, 1.0, 60.0) > 0.8 * 10 * 20 * 59

    def test_the_estimate_is_its_capacity(self) -> None:
        limiter = adaptive()
        Run(limiter, in_flight(lambda _: 10)).until_accepted(10**9, 5.0)
        assert limiter.estimate(5.0).per_second == pytest.approx(200)
        assert limiter.estimate(5.0).source is LimitSource.IN_FLIGHT


@pytest.mark.slow
class TestAServerThatLimitsTheRate:
    """Its answers take so long that a steady number is in flight."""

    def test_a_steady_number_in_flight_is_not_taken_for_a_limit(self) -> None:
        limit = bucket(50, 5)

        def answer(at: float) -> Reply:
            status = limit(at).status
            return Reply(status, takes=0.3 if status == 200 else 0.002)

        run = met(answer, 75.0)
        assert accepted(run, 10.0, 75.0) > 0.9 * 50 * 65
        assert refused(run, 15.0, 75.0) <= 0.01 * 50 * 60

    def test_a_bucket_emptied_by_calls_sent_together_is_not_taken_for_a_limit(self) -> None:
        limit = bucket(20, 1)

        def answer(at: float) -> Reply:
            status = limit(at).status
            return Reply(status, takes=0.3 if status == 200 else 0.002)

        assert accepted(met(answer, 60.0), 10.0, 60.0) > 0.6 * 20 * 50
