"""A lockout: every call is refused, because of an outage or because a window is closed.

One probe at a time, at intervals that grow with the time elapsed, finds the end. Lockouts that recur are
the closings of a server that refills periodically. From the end of one to the end of the next its bucket
was filled and emptied once, so the calls accepted in between, over the time, are its rate. But a bucket
that was not emptied in every period is filled several times between two lockouts: then the count says how
fast we sent, and not what the server allows.
"""

import math

import attrs

from backupify_async._transport.rate.rate_estimator import ENOUGH, Depletion
from backupify_async._transport.rate.ticket import CallOutcome, Ticket

_FIRST_PROBE = 0.1  # seconds
_GROWTH = 0.15  # of the time elapsed
_FIRST_PROBE_OF_CYCLE = 0.5
_GROWTH_OF_CYCLE = 0.3
_LONGEST_PROBE = 6.0  # seconds
_LONG = 1.0  # seconds, from which on it is more than a bucket that refills evenly
_AGREE = 0.2  # relative difference of the rates of two cycles
_NONE = Depletion(0.0, 0)
_ONE = 1.5  # times the shortest cycle: a longer one is several


@attrs.frozen
class RefillCycle:
    """A bucket that is refilled as a whole, periodically.

    Attributes:
        rate: Calls a second that it allows on average.
        seconds: The period.
        agreed: How many cycles in a row agreed.
    """

    rate: float
    seconds: float
    agreed: int = 1


@attrs.frozen
class LockoutEnd:
    """What was learned from a lockout that is over.

    Attributes:
        count_from: Where a new count begins: an outage says nothing of the rate.
        cycle: The cycle, if two lockouts agree; then the count begins where this lockout began.
    """

    count_from: Depletion | None = None
    cycle: RefillCycle | None = None


@attrs.define(eq=False)
class Lockout:
    """Whether every call is refused, and when to probe. Times are seconds of one monotonic clock."""

    refused: int = 0
    """How many probes were refused since it began."""
    probe_at: float = 0.0
    """When the next probe can be sent."""
    _began: Depletion | None = None
    _last: Depletion = _NONE
    _ended: Depletion | None = None  # the end of the lockout before
    _cycles_since: Depletion | None = None
    _cycle_rate: float | None = None
    _shortest: float = math.inf
    _agreed: int = 0
    _probe: Ticket | None = attrs.field(init=False, default=None)

    @property
    def active(self) -> bool:
        """Whether every call is refused now."""
        return self._began is not None

    def earliest(self, now: float, in_flight: int, patience: float) -> float:
        """When the next probe can be sent; infinity while one is in flight that can still be answered."""
        probe = self._probe
        if probe is not None and probe.outcome is CallOutcome.PENDING and now - probe.sent_time < patience:
            return math.inf if in_flight else now
        return self.probe_at

    def on_send(self, probe: Ticket) -> None:
        """A probe is sent."""
        self._probe = probe

    def begin(self, now: float, empty: Depletion, rate: float | None) -> None:
        """Nothing was accepted since this depletion; `rate` is the estimated rate."""
        self._began = self._last = empty
        self.schedule(now, rate)

    def on_refusal(self, empty: Depletion) -> None:
        """A probe was refused."""
        self.refused += 1
        self._last = empty

    def schedule(self, now: float, rate: float | None) -> None:
        """Schedule the next probe: after a part of the time elapsed, and half a call's time at least."""
        elapsed = now - self._began.at if self._began is not None else 0.0
        recurs = self._cycle_rate is not None
        first, growth = (_FIRST_PROBE_OF_CYCLE, _GROWTH_OF_CYCLE) if recurs else (_FIRST_PROBE, _GROWTH)
        half = 0.5 / rate if rate else 0.0
        self.probe_at = now + min(_LONGEST_PROBE, max(first, growth * elapsed, half))

    def end(self, now: float) -> LockoutEnd:
        """A call was accepted."""
        began = self._began
        self.cancel()
        if began is None or now - began.at <= _LONG:
            return LockoutEnd()
        before, self._ended = self._ended, Depletion(now, began.accepted)
        if before is None or began.accepted - before.accepted < ENOUGH:
            self._cycle_rate = None
            return LockoutEnd(self._last)
        cycle = self._cycle(before, began, now)
        return LockoutEnd(self._last) if cycle is None else LockoutEnd(began, cycle)

    def cancel(self) -> None:
        """It is over, for a reason that says nothing of the server."""
        self._began = None
        self.refused = 0

    def _cycle(self, before: Depletion, began: Depletion, now: float) -> RefillCycle | None:
        """Learn from one more cycle, from the end of the lockout before to the end of this one."""
        seconds = now - before.at
        rate, last = (began.accepted - before.accepted) / seconds, self._cycle_rate
        if last is not None and rate < last and seconds > _ONE * self._shortest:
            self._cycles_since = None
            self._agreed += 1
            return RefillCycle(last, self._shortest, self._agreed)
        if last is None or abs(rate / last - 1) >= _AGREE:
            self._cycle_rate, self._cycles_since, self._shortest = rate, before, seconds
            self._agreed = 0
            return None
        self._agreed += 1
        self._shortest = min(self._shortest, seconds)
        since = self._cycles_since = self._cycles_since or before
        self._cycle_rate = (began.accepted - since.accepted) / (now - since.at)
        return RefillCycle(self._cycle_rate, self._shortest, self._agreed)
