"""Work that ends when its time is up, or when the client is closed, whichever comes first."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TypeVar

from backupify_async.transport.ending import Piece

T = TypeVar("T")


class Scopes:
    """The work of one client, in one event loop."""

    def __init__(self) -> None:
        self.closed = False
        """Whether no further work is taken."""
        self.open: set[Scope] = set()
        """The work under way."""
        self.last_ended = asyncio.Event()
        """Set once all work has ended after the closing."""

    async def run(self, seconds: float | None, work: Callable[[], Awaitable[T]]) -> T:
        """Do a piece of work; pieces may lie within each other.

        Args:
            seconds: How long it may take; None for as long as it needs.
            work: The work.

        Raises:
            TimeoutError: The time is up, or the client was closed.
        """
        with Scope(self):
            if seconds is None:
                return await work()
            async with asyncio.timeout(seconds):
                return await work()

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
    """One piece of work, for as long as its context lasts.

    Raises:
        TimeoutError: The client was closed.
    """

    __slots__ = ("_scopes",)

    def __init__(self, scopes: Scopes) -> None:
        super().__init__()
        self._scopes = scopes

    def __enter__(self) -> None:
        if self._scopes.closed:
            raise TimeoutError
        self._scopes.open.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        scopes = self._scopes
        scopes.open.discard(self)
        if scopes.closed and not scopes.open:
            scopes.last_ended.set()
        if self.ended_by() is not None and (kind is None or kind is asyncio.CancelledError):
            raise TimeoutError from None
