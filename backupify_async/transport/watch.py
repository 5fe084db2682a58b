"""The time-outs of an attempt, watched by one timer for all of a client's requests.

A timer for each request, set, moved at each piece of its answer and cancelled, costs a tenth of the request.
Here a request only notes when it began, and the timer looks at all of them a few times per time-out.
"""

import asyncio
import math
from types import TracebackType
from typing import Protocol, Self

from backupify_async.config import Timeouts
from backupify_async.transport.ending import Piece

_LOOKS = 8  # in one time-out, which may be late by so much of itself


class Body(Protocol):
    """A body that comes."""

    total_bytes: int


class Attempt(Piece):
    """One request under way, for as long as its context lasts.

    Raises:
        TimeoutError: Its time is up; the error names the time-out.
    """

    __slots__ = ("_others", "began", "body", "moved", "seen")

    def __init__(self, now: float, others: set["Attempt"]) -> None:
        super().__init__()
        self.began = now
        self.moved = math.inf  # who still connects is not waiting for an answer, and has sent nothing
        self.body: Body | None = None
        self.seen = 0
        self._others = others

    def connected(self) -> None:
        """It leaves now."""
        self.moved = asyncio.get_running_loop().time()

    def answered(self, body: Body) -> None:
        """Its answer has begun, and the body is on its way."""
        self.body, self.moved = body, asyncio.get_running_loop().time()

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
        timeouts: `read` and `attempt` are watched here.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self._read = math.inf if timeouts.read is None else timeouts.read
        self._attempt = math.inf if timeouts.attempt is None else timeouts.attempt
        self._gap = min(self._read, self._attempt) / _LOOKS
        self._under_way: set[Attempt] = set()
        self._timer: asyncio.TimerHandle | None = None

    def over(self, loop: asyncio.AbstractEventLoop) -> Attempt:
        """Watch over a request that is about to leave."""
        if self._timer is None and self._gap < math.inf:
            self._timer = loop.call_later(self._gap, self._look, loop)
        return Attempt(loop.time(), self._under_way)

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for attempt in self._under_way:
            if attempt.body is not None and attempt.body.total_bytes > attempt.seen:
                attempt.moved, attempt.seen = now, attempt.body.total_bytes
            if now >= attempt.began + self._attempt:
                attempt.end("attempt")
            elif now >= attempt.moved + self._read:
                attempt.end("read")
        self._timer = loop.call_later(self._gap, self._look, loop) if self._under_way else None
