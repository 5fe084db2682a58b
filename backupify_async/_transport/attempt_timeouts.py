"""The time-outs of an attempt, watched by one timer for all of a client's requests.

A timer for each request, set, moved at each piece of its answer and cancelled, costs a tenth of the request.
Here a request only notes when it left and what it waits for, and the timer looks at all of them a few times
per time-out.
"""

import asyncio
import math
from types import TracebackType
from typing import Protocol, Self

import attrs

from backupify_async._transport.scopes import CancelScope
from backupify_async.config import Timeouts

_LOOKS = 16  # in one time-out, which may be late by two of them: one sees what came, another that no more did


class Body(Protocol):
    """A body that comes."""

    @property
    def total_bytes(self) -> int:
        """How much of it has come."""
        ...


@attrs.frozen
class _Silence:
    """The body of an answer that has not begun."""

    total_bytes: int = 0


_SILENCE = _Silence()


class AttemptScope(CancelScope):
    """One request under way, for as long as its context lasts.

    Raises:
        TimeoutError: Its time is up; the error names the time-out.
    """

    __slots__ = ("_others", "began", "body", "moved", "seen", "transport")

    def __init__(self, began: float, others: set["AttemptScope"]) -> None:
        super().__init__()
        self._others = others
        self.began = began
        self.body: Body | None = None  # who still connects is not waiting for an answer, and has sent nothing
        self.seen = -1
        self.moved = math.inf
        self.transport: asyncio.WriteTransport | None = None

    def waits_for(self, body: Body = _SILENCE) -> None:
        """It has left, and waits for an answer; or the answer has begun, and its body is on the way."""
        self.body, self.seen = body, -1

    @property
    def left(self) -> bool:
        """Whether any of the request may have been sent."""
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
        timeouts: `read` and `attempt` are watched here.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self._read = math.inf if timeouts.read is None else timeouts.read
        self._attempt = math.inf if timeouts.attempt is None else timeouts.attempt
        self._gap = min(self._read, self._attempt) / _LOOKS
        self._under_way: set[AttemptScope] = set()
        self._timer: asyncio.TimerHandle | None = None

    def over(self, left: float) -> AttemptScope:
        """Watch over a request that leaves now, which is `left` by the loop's clock."""
        if self._timer is None and self._gap < math.inf:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._gap, self._look, loop)
        return AttemptScope(left, self._under_way)

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
