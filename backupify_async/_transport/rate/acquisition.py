"""Awaiting the slots of an `AsyncLimiter`, once at a time and apart from the calls that wait for them."""

import asyncio
import math
from collections.abc import Awaitable, Callable

from backupify_async._tasks import is_callers_cancellation
from backupify_async._transport.rate.limiter import Limiter
from backupify_async._transport.scopes import CLOSING_PATIENCE

_FIRST_DELAY = 0.001  # seconds; doubled with each run in a row that obtained no slot
_LONGEST_DELAY = 1.0


class Acquisition:
    """Asks a limiter for the next slot, and awaits `AsyncLimiter.acquire` where it has none.

    That runs in a task of its own, so that no cancelled call can cancel it.

    Args:
        limiter: The limiter.
        waiting: Returns how many calls wait for a slot and can use one.
        on_end: Called in the event loop when `acquire` has ended, with the exception that it raised, or None.
    """

    def __init__(
        self, limiter: Limiter, waiting: Callable[[], int], on_end: Callable[[Exception | None], None]
    ) -> None:
        self._limiter = limiter
        self._waiting = waiting
        # `isinstance` reads the properties up to Python 3.11, and from 3.12 on ignores `__getattr__`.
        self._acquire: Callable[[int], Awaitable[None]] | None = getattr(limiter, "acquire", None)
        self._on_end = on_end
        self._task: asyncio.Task[None] | None = None
        self._fruitless = 0  # runs in a row after which there was no slot

    def earliest(self, now: float, in_flight: int) -> float:
        """As `Limiter.earliest`, on behalf of calls that wait."""
        earliest = self._limiter.earliest(now, in_flight)
        if earliest < math.inf:
            self._fruitless = 0
        elif self._acquire is not None and self._task is None:
            self._task = asyncio.create_task(self._run(), name="backupify_async acquire")
        return earliest

    async def close(self) -> None:
        """Cancel what is awaited, and wait for its end, for some seconds at most."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CLOSING_PATIENCE)

    async def _run(self) -> None:
        error: Exception | None = None
        try:
            if self._fruitless:
                await asyncio.sleep(min(_FIRST_DELAY * 2.0**self._fruitless, _LONGEST_DELAY))
            self._fruitless += 1
            if self._acquire is not None:
                await self._acquire(self._waiting())
        except asyncio.CancelledError as cancelled:
            if is_callers_cancellation(cancelled):
                raise
            error = RuntimeError("acquire was cancelled from within")
        except Exception as raised:  # noqa: BLE001 - a waiting call raises it
            error = raised
        finally:
            self._task = None
        self._on_end(error)
