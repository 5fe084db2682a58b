"""Our limiter without a session, at a gate like ours: many times faster, for tables of many servers.

This is the only place here that knows what the limiter is told and asked.
"""

from random import Random

from backupify_async.config import RateLimit, RetryPolicy
from backupify_async.transport.rate import Ticket, make_limiter
from tests.benchmarks.rate.ideal import IN_FLIGHT
from tests.benchmarks.rate.servers import Headers, told_to_wait

LEARNING = RateLimit(per_second=None, adaptive=True)


class Ours:
    """The limiter as `crowd.Way`: a refused call goes again through the gate, any other failure backs off."""

    refused_first = True

    def __init__(self, random: Random) -> None:
        self._random = random
        self._limiter = make_limiter(LEARNING, RetryPolicy(), IN_FLIGHT)

    def earliest(self, now: float, in_flight: int) -> float:
        """As `Limiter.earliest`; no more than there are places, and none while it is closed."""
        if in_flight >= IN_FLIGHT:
            return float("inf")
        return max(self._limiter.earliest(now, in_flight), self._limiter.closed_until)

    def take(self, now: float) -> Ticket:
        """As `Limiter.take`."""
        return self._limiter.take(now)

    def told(self, now: float, ticket: Ticket, status: int, headers: Headers) -> None:
        """As `Limiter.told`."""
        self._limiter.told(now, ticket, status, told_to_wait(headers), headers)

    def lost(self, now: float, ticket: Ticket) -> None:
        """As `Limiter.lost`."""
        self._limiter.lost(now, ticket)

    def back_off(self, failures: int, status: int, headers: Headers) -> float:
        """As the session's: none behind a 429, full jitter behind other failures."""
        return 0.0 if status == 429 else self._random.uniform(0, min(8.0, 0.5 * 2.0 ** min(failures - 1, 10)))
