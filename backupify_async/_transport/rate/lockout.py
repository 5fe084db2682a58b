"""Silence: nothing is accepted between two refusals. An outage, or a window that is closed.

One probe at a time, at intervals that grow with the time that it lasts, finds the end. Where silences recur,
they are the closings of a store with a period: from the end of one to the end of the next the store was
filled and emptied once, so what was accepted in between, over the time, is its rate. If we did not empty the
store in every period, several lie between two silences. Then the count tells our own pace, and not the
server's rate.
"""

import math

import attrs

from backupify_async._transport.rate.rate_estimator import ENOUGH, Depletion
from backupify_async._transport.rate.ticket import CallOutcome, Ticket

_FIRST_PROBE = 0.1  # seconds
_GROWTH = 0.15  # of the time that the silence lasts
_FIRST_PROBE_OF_A_CYCLE = 0.5
_GROWTH_OF_A_CYCLE = 0.3
_LONGEST_PROBE = 6.0  # seconds
_LONG = 1.0  # seconds, from which on a silence is more than a store that fills again
_AGREE = 0.2  # by which the rates of two cycles differ
_NOTHING = Depletion(0.0, 0)
_ONE = 1.5  # times the shortest cycle: one that takes longer is several


@attrs.frozen
class RefillCycle:
    """A store that is filled again at once, from time to time.

    Attributes:
        rate: Calls a second that it holds on average.
        seconds: From one of its openings to the next.
        agreed: How many cycles in a row agreed.
    """

    rate: float
    seconds: float
    agreed: int = 1


@attrs.frozen
class LockoutEnd:
    """What a silence told that is over.

    Attributes:
        count_from: Where a new count begins: an outage says nothing of the rate.
        period: The period of the store, where two silences agree; the count then begins where this one began.
    """

    count_from: Depletion | None = None
    period: RefillCycle | None = None


@attrs.define(eq=False)
class Lockout:
    """Whether nothing is accepted now, and when to ask again. Times are seconds of one monotonic clock."""

    _began: Depletion | None = None
    _last: Depletion = _NOTHING
    _opened: Depletion | None = None
    _cycles_since: Depletion | None = None
    _cycle_rate: float | None = None
    _shortest: float = math.inf
    _agreed: int = 0
    _probe: Ticket | None = attrs.field(init=False, default=None)
    refused: int = 0
    """How many probes were refused since it began."""
    probe_at: float = 0.0
    """When the next probe may leave."""

    @property
    def lasts(self) -> bool:
        """Whether it is silent now."""
        return self._began is not None

    def earliest(self, now: float, in_flight: int, patience: float) -> float:
        """When the next probe may leave; infinity while one is out that may still be answered."""
        probe = self._probe
        if probe is not None and probe.outcome is CallOutcome.PENDING and now - probe.sent_time < patience:
            return float("inf") if in_flight else now
        return self.probe_at

    def asked(self, probe: Ticket) -> None:
        """A probe left."""
        self._probe = probe

    def begin(self, now: float, mark: Depletion, rate: float | None) -> None:
        """The mark was met, and nothing was accepted since; `rate` is what is believed."""
        self._began = self._last = mark
        self.wait(now, rate)

    def go_on(self, mark: Depletion) -> None:
        """A probe was refused."""
        self.refused += 1
        self._last = mark

    def wait(self, now: float, rate: float | None) -> None:
        """Let the next probe wait: the longer, the longer it lasts, and half a call's time at the least."""
        lasted = now - (self._began.at if self._began is not None else now)
        recurs = self._cycle_rate is not None
        first = _FIRST_PROBE_OF_A_CYCLE if recurs else _FIRST_PROBE
        growth = _GROWTH_OF_A_CYCLE if recurs else _GROWTH
        half = 0.5 / rate if rate else 0.0
        self.probe_at = now + min(_LONGEST_PROBE, max(first, growth * lasted, half))

    def end(self, now: float) -> LockoutEnd:
        """Something was accepted."""
        began, self._began = self._began, None
        assert began is not None  # noqa: S101 - asked only where it lasts
        self.refused = 0
        if now - began.at <= _LONG:
            return LockoutEnd()
        before, self._opened = self._opened, Depletion(now, began.accepted)
        if before is None or began.accepted - before.accepted < ENOUGH:
            self._cycle_rate = None
            return LockoutEnd(self._last)
        period = self._cycle(before, began, now)
        return LockoutEnd(self._last) if period is None else LockoutEnd(began, period)

    def _cycle(self, before: Depletion, began: Depletion, now: float) -> RefillCycle | None:
        """What one cycle more tells, from the last opening to the present one."""
        seconds = now - before.at
        rate, last = (began.accepted - before.accepted) / seconds, self._cycle_rate
        several = seconds > _ONE * self._shortest
        if last is not None and several and rate < last:
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

    def forget(self) -> None:
        """It is over, for a reason that is known from elsewhere."""
        self._began = None
        self.refused = 0
