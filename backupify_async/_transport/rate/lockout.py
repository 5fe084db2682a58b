"""A lockout: every call is refused, because of an outage or because a window is closed.

One probe at a time, at intervals that grow with the time elapsed, finds the end. What was accepted from the
end of one lockout to the end of the next can be the quota of a window: `WindowModel` tries it out.
"""

import math

import attrs

from backupify_async._transport.rate.headers import TimeInterval
from backupify_async._transport.rate.rate_estimator import ENOUGH, Depletion
from backupify_async._transport.rate.ticket import CallOutcome, Ticket

_FIRST_PROBE = 0.1  # seconds
_GROWTH = 0.15  # of the time elapsed
_FIRST_PROBE_AGAIN = 0.5  # in a lockout that is not the first
_GROWTH_AGAIN = 0.3
_LONGEST_PROBE = 6.0  # seconds
_LONG = 1.0  # seconds, from which on it is more than a bucket that refills evenly
_NEAR = 0.05  # relative difference of two quotas
_NONE = Depletion(0.0, 0)


@attrs.frozen
class Refill:
    """What was accepted between the ends of two lockouts.

    Attributes:
        before: When the first one ended.
        opening: When the second one ended.
        held: How many calls were accepted in between.
        seconds: How long they took.
    """

    before: TimeInterval
    opening: TimeInterval
    held: int
    seconds: float


@attrs.frozen
class LockoutEnd:
    """What was learned from a lockout that is over.

    Attributes:
        count_from: Where a new count begins: an outage says nothing of the rate.
        refill: What was accepted since the lockout before.
    """

    count_from: Depletion | None = None
    refill: Refill | None = None


@attrs.define(eq=False)
class Lockout:
    """Whether every call is refused, and when to probe. Times are seconds of one monotonic clock."""

    refused: int = 0
    """How many probes were refused since it began."""
    probe_at: float = 0.0
    """When the next probe can be sent."""
    _began: Depletion | None = None
    _last: Depletion = _NONE
    _opening: TimeInterval | None = None  # the end of the lockout before
    _accepted: int = 0  # calls until then
    _held: int = 0  # of these, since the end before
    probe: Ticket | None = attrs.field(init=False, default=None)
    """The latest probe."""

    @property
    def active(self) -> bool:
        """Whether every call is refused now."""
        return self._began is not None

    def earliest(self, now: float, in_flight: int, patience: float) -> float:
        """When the next probe can be sent; infinity while one is in flight that can still be answered."""
        probe = self.probe
        if probe is not None and probe.outcome is CallOutcome.PENDING and now - probe.sent_time < patience:
            return math.inf if in_flight else now
        return self.probe_at

    def on_send(self, probe: Ticket) -> None:
        """A probe is sent."""
        self.probe = probe

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
        again = self._opening is not None
        first, growth = (_FIRST_PROBE_AGAIN, _GROWTH_AGAIN) if again else (_FIRST_PROBE, _GROWTH)
        half = 0.5 / rate if rate else 0.0
        self.probe_at = now + min(_LONGEST_PROBE, max(first, growth * elapsed, half))

    def end(self, now: float, accepted: int) -> LockoutEnd:
        """A call was accepted; `accepted` others were before."""
        began = self._began
        self.cancel()
        if began is None or now - began.at <= _LONG:
            return LockoutEnd()
        before, held = self._opening, accepted - self._accepted
        self._held = held
        self._opening, self._accepted = TimeInterval(self._last.at, now), accepted
        refill = None
        if before is not None and held >= ENOUGH:
            refill = Refill(before, self._opening, held, began.at - before.high)
        return LockoutEnd(self._last, refill)

    def is_near(self, accepted: int) -> bool:
        """Whether the next one can follow: about as many calls were accepted as before the last one."""
        return self._opening is not None and abs(accepted - self._accepted - self._held) < _NEAR * self._held

    def cancel(self) -> None:
        """It is over, for a reason that says nothing of the server."""
        self._began = None
        self.refused = 0
