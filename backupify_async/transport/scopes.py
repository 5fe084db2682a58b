"""Work that ends when its time is up, or when the client is closed, whichever comes first."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from backupify_async.transport.ending import Piece

T = TypeVar("T")


class Scopes:
    """The work of one client, in one event loop."""

    def __init__(self) -> None:
        self.closed = False
        """Whether no further work is taken."""
        self._open: set[Piece] = set()
        self._last_ended = asyncio.Event()

    async def run(self, seconds: float | None, work: Coroutine[Any, Any, T]) -> T:
        """Do a piece of work; pieces may lie within each other.

        Args:
            seconds: How long it may take; None for as long as it needs.
            work: The work, which is closed where it cannot begin.

        Raises:
            TimeoutError: The time is up, or the client was closed.
        """
        try:
            if self.closed:
                raise TimeoutError
            piece = Piece()
            self._open.add(piece)
            try:
                if seconds is None:
                    return await work
                async with asyncio.timeout(seconds):
                    return await work
            except asyncio.CancelledError:
                if piece.ended_by() is None:
                    raise
                raise TimeoutError from None
            finally:
                self._open.discard(piece)
                if self.closed and not self._open:
                    self._last_ended.set()
        finally:
            work.close()

    def close(self) -> None:
        """Take no further work."""
        self.closed = True

    async def end_all(self) -> None:
        """End all work, and wait for its end."""
        for piece in self._open:
            piece.end("closed")
        if self._open:
            await self._last_ended.wait()
