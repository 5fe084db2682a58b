"""Awaiting the slots of an `AsyncLimiter`, once at a time and apart from the calls that wait for them."""

import asyncio
import math
from collections.abc import Callable

from backupify_async._transport.rate.limiter import AsyncLimiter, Limiter


class Acquisition:
    """Asks a limiter for the next slot, and awaits `AsyncLimiter.acquire` where it has none.

    That runs in a task of its own, so that no cancelled call can cancel it.

    Args:
        limiter: The limiter.
        on_end: Called in the event loop when `acquire` has ended, with the exception that it raised, or None.
    """

    def __init__(self, limiter: Limiter, on_end: Callable[[Exception | None], None]) -> None:
        self._limiter = limiter
        self._acquire = limiter.acquire if isinstance(limiter, AsyncLimiter) else None
        self._on_end = on_end
        self._task: asyncio.Task[None] | None = None

    def earliest(self, now: float, in_flight: int) -> float:
        """As `Limiter.earliest`, on behalf of calls that wait."""
        earliest = self._limiter.earliest(now, in_flight)
        if earliest == math.inf and self._acquire is not None and self._task is None:
            self._task = asyncio.create_task(self._run(), name="backupify_async acquire")
        return earliest

    def close(self) -> None:
        """Cancel what is awaited."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        error: Exception | None = None
        try:
            if self._acquire is not None:
                await self._acquire()
        except Exception as raised:  # noqa: BLE001 - a waiting call raises it
            error = raised
        finally:
            self._task = None
        self._on_end(error)
