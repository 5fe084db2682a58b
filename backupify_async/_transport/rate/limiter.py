"""The seam between the gate and a limiter: a protocol, and the values that pass through it."""

from typing import NamedTuple, Protocol, runtime_checkable

import attrs

from backupify_async._transport.rate.headers import Quota
from backupify_async._transport.rate.ticket import Ticket
from backupify_async.statistics import LimitSource, SpeedReason


@attrs.frozen
class Estimate:
    """What a limiter believes about the server's limit.

    Attributes:
        source: What the estimate is based on.
        per_second: Calls a second that the server accepts, on average; None if unknown.
        reason: What determines the current send rate.
    """

    source: LimitSource
    per_second: float | None = None
    reason: SpeedReason = SpeedReason.NOT_LIMITED


class Observation(NamedTuple):
    """One response, as a value: it can be compared, stored, or sent to another process.

    Attributes:
        sent_time: When the request was sent, in seconds of the event loop's clock.
        received_time: When its response arrived, by the same clock.
        status: The HTTP status; 429 for every response that asks all calls to slow down, whatever its own.
        retry_after: Seconds that the response asks to wait, or None.
        quota: The quota that its headers announce, or None.
        over_cap: Whether `retry_after` is over `RetryPolicy.max_retry_after`: calls then fail at once.
    """

    sent_time: float
    received_time: float
    status: int
    retry_after: float | None = None
    quota: Quota | None = None
    over_cap: bool = False


UNKNOWN = Estimate(LimitSource.NONE)
PAUSE = 0.5  # seconds from which on a wait is reported as a pause, and not as spacing between two calls


class Limiter(Protocol):
    """Decides when the next request may be sent. Pass your own as `BackupifyClient(..., limiter=...)`.

    A limiter neither waits nor sets timers: the client asks for the `earliest` time, waits, and reports what
    it does. For each request that is sent:

        earliest(now, in_flight) <= now
        ticket = on_send(now)
        on_response(ticket, observation), on_no_response(now, ticket) or on_cancel(now, ticket)

    What an implementation must keep:

    - All times are seconds of the event loop's clock (`loop.time()`, which is `time.monotonic()` by default).
    - Methods return at once and do not raise: they run in the event loop, for each request.
    - Every ticket comes back exactly once, by one of the three methods above.
    - `on_send` can come without an `earliest` before it: once for each token request that is refused.
    - `earliest` is infinite only while a request is in flight whose end will change it; otherwise all calls
      would wait for ever. A limiter that must await something is an `AsyncLimiter`.
    - One limiter serves one client.
    """

    @property
    def paused_until(self) -> float:
        """When the current pause ends; a past time means no pause. `earliest` must be no earlier."""
        ...

    @property
    def blocked_until(self) -> float:
        """Until when calls fail at once with `RateLimited`; a past time means that they do not."""
        ...

    def earliest(self, now: float, in_flight: int) -> float:
        """The earliest time at which one more request may be sent; any past time means now.

        Args:
            now: The current time.
            in_flight: How many requests are in flight.
        """
        ...

    def on_send(self, now: float) -> Ticket:
        """Count a request that is sent now, and return its ticket: `Ticket(now)`."""
        ...

    def on_cancel(self, now: float, ticket: Ticket) -> None:
        """Give the slot back: the request was cancelled before it was sent."""
        ...

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        """The request ended without a response, or with one that says nothing about the limit."""
        ...

    def on_response(self, ticket: Ticket, observation: Observation) -> None:
        """Learn from a response."""
        ...

    def estimate(self, now: float) -> Estimate:
        """The current estimate, for statistics and events."""
        ...


@runtime_checkable
class OpenableLimiter(Limiter, Protocol):
    """A limiter that uses something that is to be opened and closed, for example a connection.

    The client opens it in its event loop before the first call, and closes it after the last one.
    """

    async def open(self) -> None:
        """Open what the limiter uses. An exception is raised by the client's `open()`; `close` runs first."""
        ...

    async def close(self) -> None:
        """Close it. It can be called twice."""
        ...


@runtime_checkable
class AsyncLimiter(Limiter, Protocol):
    """A limiter that has to wait for its slots, for example for a store over the network.

    It keeps slots that it has obtained and spends them in `on_send`; a cancelled call gives its slot back by
    `on_cancel`. While it has none, `earliest` is infinite, and the client awaits `acquire` if calls wait.
    """

    async def acquire(self, waiting: int) -> None:
        """Obtain at least one slot: return once `earliest` is finite.

        It runs at most once at a time, on behalf of all waiting calls: the oldest one gets the slot, and a
        call that is cancelled does not cancel it. Closing the client does. An exception is raised by the
        oldest waiting call; then it runs again for the next one.

        Args:
            waiting: How many calls wait for a slot now. 1 while the server is down: only a probe is sent.
        """
        ...
