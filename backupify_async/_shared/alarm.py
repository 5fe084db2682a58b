"""A timer that one task waits for, and that can be set anew at any time."""

import asyncio
import math


class Alarm:
    """Wakes one task at a time that may change while it waits."""

    def __init__(self) -> None:
        self._at = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Future[None] | None = None

    def set(self, when: float) -> None:
        """Wake the task then, by the loop's time, and not at the time that was set before."""
        if when == self._at:
            return
        self._at = when
        if self._waiting is not None:
            self._start()

    async def wait(self) -> None:
        """Wait for the time that is set, or will be."""
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            self._start()
            await self._waiting
        finally:
            self._stop()
            self._waiting, self._at = None, math.inf

    def _start(self) -> None:
        self._stop()
        if self._at < math.inf:
            self._timer = asyncio.get_running_loop().call_at(self._at, self._ring)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
