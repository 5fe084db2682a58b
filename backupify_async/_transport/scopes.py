"""Cancel scopes: work that ends when its time is up, or when the client is closed."""

import asyncio
import logging
from types import TracebackType
from typing import Self

CLOSING_PATIENCE = 10.0
"""Seconds that `close` waits for a user's part that swallows its cancellation."""
_LOGGER = logging.getLogger("backupify_async.session")


class ScopeEnded(Exception):
    """A call's scope was ended. No code of a user raises it, as it can raise a TimeoutError."""


class CancelScope:
    """Work in the task that makes this, which can be cancelled without the rest of the task."""

    __slots__ = ("_task", "_why", "cancellations_before")

    raises: type[Exception] = TimeoutError
    """What leaves the scope when it was ended."""

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that awaits runs in one
        self._task = task
        self.cancellations_before = task.cancelling()
        """How often the task was cancelled before."""
        self._why: str | None = None

    def end(self, why: str) -> None:
        """Cancel the work, once."""
        if self._why is None:
            self._why = why
            self._task.cancel()

    def over(self, kind: type[BaseException] | None) -> None:
        """Leave the scope.

        Args:
            kind: The type of the exception that leaves it, or None.

        Raises:
            TimeoutError: `end` alone ended the work; the error names why. A subclass can raise another.
        """
        if self._why is not None:
            why = self.ended_by()
            if why is not None and (kind is None or kind is asyncio.CancelledError):
                raise self.raises(why) from None

    def ended_by(self) -> str | None:
        """Why it was ended, where nothing else cancelled the task, which then goes on; else None."""
        why, self._why = self._why, None
        return why if why is not None and self._task.uncancel() <= self.cancellations_before else None


class CallScopes:
    """The scopes of one client, in one event loop."""

    def __init__(self) -> None:
        self.closed = False
        """Whether new scopes are refused."""
        self.open: set[CallScope] = set()
        """The scopes that are open."""
        self.last_ended = asyncio.Event()
        """Set when, after `close`, the last scope has ended."""

    def close(self) -> None:
        """Refuse new scopes."""
        self.closed = True

    async def end_all(self) -> None:
        """End the work in all scopes, and wait for its end, for some seconds at most."""
        for scope in self.open:
            scope.end("closed")
        if self.open:
            try:
                async with asyncio.timeout(CLOSING_PATIENCE):
                    await self.last_ended.wait()
            except TimeoutError:
                text = "closing the transport under calls that went on for %g s after their cancellation: %d"
                _LOGGER.warning(text, CLOSING_PATIENCE, len(self.open))


class CallScope(CancelScope):
    """A scope of a client's call, or of several calls; scopes can be nested.

    Args:
        scopes: The client's scopes.
        seconds: How long the work can take; None for no limit.

    Raises:
        ScopeEnded: The time is up, or the client was closed.
    """

    __slots__ = ("_scopes", "_seconds", "_timer")

    raises = ScopeEnded

    def __init__(self, scopes: CallScopes, seconds: float | None) -> None:
        super().__init__()
        self._scopes = scopes
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        if self._scopes.closed:
            raise ScopeEnded
        self._scopes.open.add(self)
        if self._seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self.end, "total")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        scopes = self._scopes
        scopes.open.discard(self)
        if scopes.closed and not scopes.open:
            scopes.last_ended.set()
        if self._timer is not None:
            self._timer.cancel()
        self.over(kind)
