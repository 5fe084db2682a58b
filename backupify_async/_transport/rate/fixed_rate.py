"""A fixed rate, with a pause after each refusal.

The rate is kept by GCRA, the generic cell rate algorithm (ITU-T I.371). It holds one number, the time at
which the next call is due if calls are spaced evenly. Each call advances it by one interval. A call can
be sent while that time is at most `burst - 1` intervals ahead.

A 429 pauses all calls for its Retry-After. Without one the pause is 1 s, doubled for each such wave of
refusals in a row. If it is shorter than 1 s, the pause is at least 0.1 s, which doubles too: a call that
is refused again after so short a wait needs a longer one. Calls in flight when a wave began belong to it,
so their refusals do not count again. A later refusal only lengthens a pause. After a pause the bucket is
empty: a burst would be refused again.
"""

import math

from backupify_async._transport.rate.limiter import PAUSE, UNKNOWN, Estimate, Observation
from backupify_async._transport.rate.ticket import Ticket
from backupify_async.config import RateLimit, RetryPolicy
from backupify_async.statistics import LimitSource, SpeedReason

_FIRST_PAUSE = 1.0
_SHORTEST_PAUSE = 0.1  # whatever the policy: a refused call must not be repeated at once


class Gcra:
    """A number of calls a second, evenly spaced except for a burst after a rest. Times are seconds."""

    def __init__(self, limit: RateLimit) -> None:
        self._interval = 0.0 if limit.per_second is None else 1.0 / limit.per_second
        self._tolerance = self._interval * (limit.burst - 1)
        self.due = -math.inf
        """When the next call is due if calls are spaced evenly."""

    def earliest(self) -> float:
        """The earliest time at which one more call can be sent; it can be in the past."""
        return self.due - self._tolerance

    def on_send(self, now: float) -> None:
        """Count a call that is sent now."""
        self.due = max(self.due, now) + self._interval

    def on_cancel(self, not_before: float) -> None:
        """Uncount a call that was not sent; what `empty` took until `not_before` stays taken."""
        self.due = max(self.due - self._interval, not_before + self._tolerance)

    def empty(self, until: float) -> None:
        """Send nothing before this time, and no burst after it."""
        self.due = max(self.due, until + self._tolerance)


class FixedRateLimiter:
    """Keeps a fixed rate, and pauses all calls after a refusal."""

    def __init__(self, limit: RateLimit, retry: RetryPolicy) -> None:
        self._rate = Gcra(limit)
        self._longest_pause = retry.cap
        self._waves = 0
        self._wave_began = -math.inf
        self.paused_until = -math.inf
        self.blocked_until = -math.inf

    def earliest(self, now: float, in_flight: int) -> float:  # noqa: ARG002 - a fixed rate needs neither
        """As `Limiter.earliest`."""
        return max(self._rate.earliest(), self.paused_until)

    def on_send(self, now: float) -> Ticket:
        """As `Limiter.on_send`."""
        self._rate.on_send(now)
        return Ticket(now)

    def on_cancel(self, now: float, ticket: Ticket) -> None:  # noqa: ARG002 - all slots are alike
        """As `Limiter.on_cancel`."""
        self._rate.on_cancel(self.paused_until)

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        """As `Limiter.on_no_response`: nothing is learned."""

    def on_response(self, ticket: Ticket, observation: Observation) -> None:  # noqa: ARG002 - as above
        """As `Limiter.on_response`."""
        sent_time, now, status, retry_after, _, over_cap = observation
        news = sent_time > self._wave_began
        if status != 429:
            if news:
                self._waves = 0
            return
        if retry_after:
            if over_cap:
                self.blocked_until = max(self.blocked_until, now + retry_after)
            self._pause(now + retry_after)
        if news and (retry_after or 0.0) < _FIRST_PAUSE:
            growing = (_SHORTEST_PAUSE if retry_after else _FIRST_PAUSE) * 2.0**self._waves
            self._pause(now + max(_SHORTEST_PAUSE, min(self._longest_pause, growing)))
            self._waves = min(self._waves + 1, 60)
            self._wave_began = now

    def estimate(self, now: float) -> Estimate:
        """As `Limiter.estimate`: there is only a reason for a pause."""
        paused = self.paused_until - now > PAUSE
        return Estimate(LimitSource.NONE, reason=SpeedReason.RETRY_AFTER) if paused else UNKNOWN

    def _pause(self, until: float) -> None:
        self.paused_until = max(self.paused_until, until)
        self._rate.empty(self.paused_until)
