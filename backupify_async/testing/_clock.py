"""Clocks: callables that return the seconds since the epoch, real or set by a test."""

import time
from collections.abc import Callable

Clock = Callable[[], float]

_START = 1_767_225_600.0  # 2026-01-01T00:00:00Z, a multiple of every usual window


def wall_clock() -> Clock:
    """A clock that starts at the wall-clock time and follows the monotonic clock: it never jumps."""
    anchor = time.time() - time.monotonic()
    return lambda: anchor + time.monotonic()


class ManualClock:
    """A clock that only a test advances: `SimulatedBackupify(clock=ManualClock())`.

    Args:
        start: Its first time, in seconds since the epoch; by default 2026-01-01T00:00:00Z.
    """

    def __init__(self, start: float = _START) -> None:
        self._now = start

    def __call__(self) -> float:
        """The current time, in seconds since the epoch."""
        return self._now

    def __repr__(self) -> str:
        return f"ManualClock({self._now!r})"

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Args:
            seconds: By how much.

        Raises:
            ValueError: It is negative.
        """
        if not seconds >= 0:
            raise ValueError(f"a clock only moves forward, not by {seconds!r} seconds")
        self._now += seconds
