"""A fixed rate, with pauses after refusals.

The rate is kept by GCRA, the generic cell rate algorithm (ITU-T I.371): one number, the time at which a
client that had sent evenly would be due next. Each call moves it on by one interval; a call may leave as
long as that time is no more than `burst - 1` intervals ahead. No queue, no refill, nothing to round.

A 429 pauses everybody. The server's Retry-After says how long; where it says nothing, the pause is 1 s,
doubled for each such wave in a row; where it says less than 1 s, the pause is 0.1 s at the least, and
that doubles too: who is refused again behind such a wait is not served by it. Calls that were under way
when a wave began belong to it: their refusals are the same news again. A pause is only ever lengthened,
and behind it the bucket is empty: a saved-up burst would meet the same refusal.
"""

import math

from backupify_async._transport.rate.limiter import PAUSE, UNKNOWN, Estimate, Observation
from backupify_async._transport.rate.ticket import Ticket
from backupify_async.config import RateLimit, RetryPolicy
from backupify_async.statistics import LimitSource, SpeedReason

_FIRST_PAUSE = 1.0
_SHORTEST_PAUSE = 0.1  # whatever the policy says: a refusal must not bring the next request at once


class Gcra:
    """So many calls a second, evenly, but for a burst after a time of rest. Times are seconds."""

    def __init__(self, limit: RateLimit) -> None:
        self._interval = 0.0 if limit.per_second is None else 1.0 / limit.per_second
        self._tolerance = self._interval * (limit.burst - 1)
        self._due = -math.inf

    def earliest(self) -> float:
        """The earliest time at which one more call may leave; it may have passed."""
        return self._due - self._tolerance

    def on_send(self, now: float) -> None:
        """Count a call that leaves now."""
        self._due = max(self._due, now) + self._interval

    def on_cancel(self, not_before: float) -> None:
        """Uncount a call that did not leave; what `empty` took until then stays taken."""
        self._due = max(self._due - self._interval, not_before + self._tolerance)

    def empty(self, until: float) -> None:
        """Let nobody leave before then, and no burst behind it."""
        self._due = max(self._due, until + self._tolerance)


class FixedRateLimiter:
    """Keeps a fixed rate, and pauses everybody after a refusal."""

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
        """As `Limiter.estimate`: nothing is believed, but a pause has its reason."""
        paused = self.paused_until - now > PAUSE
        return Estimate(LimitSource.NONE, reason=SpeedReason.RETRY_AFTER) if paused else UNKNOWN

    def _pause(self, until: float) -> None:
        self.paused_until = max(self.paused_until, until)
        self._rate.empty(self.paused_until)
