"""When the next call may leave: a pure decision. `gate` does the waiting.

Theory of operation. The rate is kept by GCRA, the generic cell rate algorithm (ITU-T I.371): one number,
the time at which a client that had sent evenly would be due next. Each call moves it on by one interval;
a call may leave as long as that time is no more than `burst - 1` intervals ahead. No queue, no refill,
nothing to round.

A 429 pauses everybody. The server's Retry-After says how long; where it says nothing, the pause is 1 s,
doubled for each such wave in a row. Calls that were under way when a wave began belong to it: their
refusals are the same news again. A pause is only ever lengthened, and behind it the bucket is empty:
a saved-up burst would meet the same refusal.

A Retry-After beyond `max_retry_after` is not waited for: the limiter is closed until then, and calls fail
at once.

The seam for a limiter that learns: this class is told of every answer, and asked for nothing but the
earliest time.
"""

import math

from backupify_async.config import RateLimit, RetryPolicy

_FIRST_PAUSE = 1.0
_SHORTEST_PAUSE = 0.1  # whatever the policy says: a refusal must not bring the next request at once


class RateLimiter:
    """A fixed rate, with pauses after refusals. All times are seconds of one monotonic clock."""

    def __init__(self, limit: RateLimit, retry: RetryPolicy) -> None:
        self._interval = 0.0 if limit.per_second is None else 1.0 / limit.per_second
        self._tolerance = self._interval * (limit.burst - 1)
        self._longest_wait = retry.max_retry_after
        self._longest_pause = retry.cap
        self._due = -math.inf
        self._waves = 0
        self._wave_began = -math.inf
        self.paused_until = -math.inf
        """Before this time nobody sends."""
        self.closed_until = -math.inf
        """Before this time nobody waits either: calls fail at once."""

    def earliest(self) -> float:
        """The earliest time at which one more call may leave; it may have passed."""
        return max(self._due - self._tolerance, self.paused_until)

    def take(self, now: float) -> None:
        """Count a call that leaves now."""
        self._due = max(self._due, now) + self._interval

    def give_back(self) -> None:
        """Uncount a call that was to leave and did not; what a pause has taken stays taken."""
        self._due = max(self._due - self._interval, self.paused_until + self._tolerance)

    def told(self, now: float, sent_at: float, status: int, retry_after: float | None) -> None:
        """Learn from an answer.

        Args:
            now: When it came.
            sent_at: When its request left.
            status: Its HTTP status.
            retry_after: Seconds that it asks to wait, or None.
        """
        news = sent_at > self._wave_began
        if status != 429:
            if news:
                self._waves = 0
            return
        if retry_after:
            if retry_after > self._longest_wait:
                self.closed_until = max(self.closed_until, now + retry_after)
            self._pause(now + retry_after)
        elif news:
            pause = min(self._longest_pause, _FIRST_PAUSE * 2.0**self._waves)
            self._pause(now + max(pause, _SHORTEST_PAUSE))
            self._waves = min(self._waves + 1, 60)
            self._wave_began = now

    def _pause(self, until: float) -> None:
        self.paused_until = max(self.paused_until, until)
        self._due = max(self._due, self.paused_until + self._tolerance)
