"""A lockout, in which every call is refused: when it is probed, and what its end shows."""

import math

import pytest

from backupify_async._transport.rate.headers import TimeInterval
from backupify_async._transport.rate.lockout import Lockout, LockoutEnd, Refill
from backupify_async._transport.rate.rate_estimator import Depletion
from backupify_async._transport.rate.ticket import CallOutcome, Ticket


def locked_out(*, since: float = 0.0, rate: float | None = 100.0) -> Lockout:
    lockout = Lockout()
    lockout.begin(since, Depletion(since, 0), rate)
    return lockout


class TestProbes:
    def test_the_first_is_sent_a_tenth_of_a_second_later(self) -> None:
        assert locked_out(since=5.0).probe_at == pytest.approx(5.1)

    @pytest.mark.parametrize(("lasted", "wait"), [(0.5, 0.1), (10, 1.5), (40, 6), (3_600, 6)])
    def test_the_others_are_sent_at_intervals_that_grow_with_the_time_elapsed(
        self, lasted: float, wait: float
    ) -> None:
        lockout = locked_out()
        lockout.schedule(lasted, 100.0)
        assert lockout.probe_at == pytest.approx(lasted + wait)

    def test_at_a_low_rate_the_first_is_sent_after_half_the_interval_of_two_calls(self) -> None:
        assert locked_out(rate=0.5).probe_at == pytest.approx(1.0)

    def test_are_sent_one_at_a_time(self) -> None:
        lockout = locked_out()
        lockout.on_send(Ticket(0.1))
        assert lockout.earliest(0.2, 1, patience=0.5) == math.inf

    def test_one_that_hangs_is_waited_for_only_as_long_as_calls_take(self) -> None:
        lockout = locked_out()
        lockout.on_send(Ticket(0.1))
        assert lockout.earliest(0.6, 1, patience=0.5) == lockout.probe_at

    def test_one_without_a_response_is_followed_by_the_next(self) -> None:
        lockout = locked_out()
        lockout.on_send(Ticket(0.1, CallOutcome.UNKNOWN))
        assert lockout.earliest(0.2, 0, patience=0.5) == lockout.probe_at


class TestTheEnd:
    def test_of_a_short_one_shows_nothing(self) -> None:
        assert locked_out().end(0.9, 0) == LockoutEnd()

    def test_of_a_long_one_restarts_counting_at_the_last_refusal(self) -> None:
        lockout = locked_out()
        lockout.on_refusal(Depletion(9.0, 0))
        assert lockout.end(10.0, 0) == LockoutEnd(Depletion(9.0, 0))

    def test_leaves_no_lockout_active(self) -> None:
        lockout = locked_out()
        lockout.on_refusal(Depletion(9.0, 0))
        lockout.end(10.0, 0)
        assert (lockout.active, lockout.refused) == (False, 0)


class TestARefill:
    """What is accepted between the ends of two lockouts."""

    def ends(self, *begins: tuple[float, int]) -> list[Refill | None]:
        """The refills found at the ends of lockouts of 5 s, of which the last probe is refused after 4 s.

        Args:
            begins: For each lockout its begin, and how many calls were accepted before.
        """
        lockout = Lockout()
        refills = []
        for at, accepted in begins:
            lockout.begin(at, Depletion(at, accepted), 10.0)
            lockout.on_refusal(Depletion(at + 4, accepted))
            refills.append(lockout.end(at + 5, accepted).refill)
        return refills

    def test_is_found_at_the_end_of_the_second(self) -> None:
        refill = Refill(TimeInterval(9, 10), TimeInterval(19, 20), held=100, seconds=5)
        assert self.ends((5, 100), (15, 200)) == [None, refill]

    def test_is_not_found_if_too_few_calls_were_accepted(self) -> None:
        assert self.ends((5, 100), (15, 107)) == [None, None]

    def test_makes_later_probes_less_frequent(self) -> None:
        lockout = locked_out()
        lockout.end(10.0, 0)
        lockout.begin(35.0, Depletion(35.0, 400), 10.0)
        assert lockout.probe_at == pytest.approx(35.5)
        lockout.schedule(39.0, 10.0)
        assert lockout.probe_at == pytest.approx(39 + 0.3 * 4)
