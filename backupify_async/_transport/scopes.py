"""Work that ends when its time is up, or when the client is closed, whichever comes first."""

import asyncio
from types import TracebackType

from backupify_async._transport.ending import Piece


class Scopes:
    """The work of one client, in one event loop."""

    def __init__(self) -> None:
        self.closed = False
        """Whether no further work is taken."""
        self.open: set[Scope] = set()
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


class Scope(Piece):
    """One piece of work, for as long as its context lasts; pieces may lie within each other.

    Args:
        scopes: The client's work.
        seconds: How long it may take; None for as long as it needs.

    Raises:
        TimeoutError: The time is up, or the client was closed.
    """

    __slots__ = ("_scopes", "_seconds", "_timer")

    def __init__(self, scopes: Scopes, seconds: float | None) -> None:
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
