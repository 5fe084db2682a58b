"""Work that ends when its time is up, or when the client is closed, whichever comes first."""

import asyncio
from types import TracebackType


class CancelScope:
    """A piece of work in the task that makes this."""

    __slots__ = ("_cancelling", "_task", "_why")

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that awaits runs in one
        self._task = task
        self._cancelling = task.cancelling()
        self._why: str | None = None

    def end(self, why: str) -> None:
        """Cancel it, once."""
        if self._why is None:
            self._why = why
            self._task.cancel()

    def over(self, kind: type[BaseException] | None) -> None:
        """It is over, as an exception of that kind says, or None.

        Raises:
            TimeoutError: What ended it, where nothing else did.
        """
        if self._why is not None:
            why = self.ended_by()
            if why is not None and (kind is None or kind is asyncio.CancelledError):
                raise TimeoutError(why) from None

    def ended_by(self) -> str | None:
        """What ended it, where that alone cancelled it: then the task is not cancelled any more."""
        why, self._why = self._why, None
        return why if why is not None and self._task.uncancel() <= self._cancelling else None


class CallScopes:
    """The work of one client, in one event loop."""

    def __init__(self) -> None:
        self.closed = False
        """Whether no further work is taken."""
        self.open: set[CallScope] = set()
        """The work under way."""
        self.last_ended = asyncio.Event()
        """Set once all work has ended after the closing."""

    def close(self) -> None:
        """Take no further work."""
        self.closed = True

    async def end_all(self) -> None:
        """End all work, and wait for its end."""
        for scope in self.open:
            scope.end("closed")
        if self.open:
            await self.last_ended.wait()


class CallScope(CancelScope):
    """One piece of work, for as long as its context lasts; pieces may lie within each other.

    Args:
        scopes: The client's work.
        seconds: How long it may take; None for as long as it needs.

    Raises:
        TimeoutError: The time is up, or the client was closed.
    """

    __slots__ = ("_scopes", "_seconds", "_timer")

    def __init__(self, scopes: CallScopes, seconds: float | None) -> None:
        super().__init__()
        self._scopes = scopes
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        if self._scopes.closed:
            raise TimeoutError
        self._scopes.open.add(self)
        if self._seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self.end, "total")

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
