"""The time-outs of an attempt, kept by one timer for all requests of a client.

A timer for each request, which is moved at each piece of its response, costs a tenth of the request. Here a
request only records when it was sent and what it waits for. The timer checks all requests several times in
each time-out.
"""

import asyncio
import math
from types import TracebackType
from typing import Protocol, Self

import attrs

from backupify_async._transport.scopes import CancelScope
from backupify_async.config import Timeouts

_CHECKS = 16  # in one time-out, which can be late by two: one sees the last bytes, the next that no more came


class IncomingBody(Protocol):
    """A body that is being received."""

    @property
    def total_bytes(self) -> int:
        """How many bytes were received."""
        ...


@attrs.frozen
class _Silence:
    """The body of a response that has not begun."""

    total_bytes: int = 0


_SILENCE = _Silence()


class AttemptScope(CancelScope):
    """The scope of one request in flight.

    Raises:
        TimeoutError: Its time is up; the error names the time-out.
    """

    __slots__ = ("_others", "began", "body", "moved", "seen", "transport")

    def __init__(self, began: float, others: set["AttemptScope"]) -> None:
        super().__init__()
        self._others = others
        self.began = began
        self.body: IncomingBody | None = None  # None while it connects: nothing was sent
        self.seen = -1
        self.moved = math.inf
        self.transport: asyncio.WriteTransport | None = None

    def waits_for(self, body: IncomingBody = _SILENCE) -> None:
        """Record that it was sent, and waits for a response, or for more of this body."""
        self.body, self.seen = body, -1

    @property
    def may_be_sent(self) -> bool:
        """Whether a part of the request can have been sent."""
        return self.body is not None

    def __enter__(self) -> Self:
        self._others.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._others.discard(self)
        self.over(kind)


class Watch:
    """Ends requests whose time is up.

    Args:
        timeouts: `read` and `attempt` are kept here.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self._read = math.inf if timeouts.read is None else timeouts.read
        self._attempt = math.inf if timeouts.attempt is None else timeouts.attempt
        self._gap = min(self._read, self._attempt) / _CHECKS
        self._in_flight: set[AttemptScope] = set()
        self._timer: asyncio.TimerHandle | None = None

    def scope(self, sent_time: float) -> AttemptScope:
        """A scope for a request that is sent at `sent_time`, by the loop's clock."""
        if self._timer is None and self._gap < math.inf:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._gap, self._check, loop)
        return AttemptScope(sent_time, self._in_flight)

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for attempt in self._in_flight:
            if attempt.body is not None and attempt.body.total_bytes > attempt.seen:
                attempt.moved, attempt.seen = now, attempt.body.total_bytes
            if now >= attempt.began + self._attempt:
                attempt.end("attempt")
            elif now >= attempt.moved + self._read:
                attempt.end("read")
        self._timer = loop.call_later(self._gap, self._check, loop) if self._in_flight else None
