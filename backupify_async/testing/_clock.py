"""Clocks: callables that answer with the seconds since the epoch, real or turned by a test."""

import time
from collections.abc import Callable

Clock = Callable[[], float]

_START = 1_767_225_600.0  # 2026-01-01T00:00:00Z, a multiple of every usual window


def wall_clock() -> Clock:
    """A clock that is anchored to the wall once and then follows the monotonic one, so that it never jumps.

    Returns:
        A callable that answers with seconds since the epoch.
    """
    anchor = time.time() - time.monotonic()
    return lambda: anchor + time.monotonic()


class ManualClock:
    """A clock that stands still until a test turns it: `SimulatedBackupify(clock=ManualClock())`.

    Args:
        start: what it shows at first, in seconds since the epoch; by default 2026-01-01T00:00:00Z.
    """

    def __init__(self, start: float = _START) -> None:
        self._now = start

    def __call__(self) -> float:
        """What it shows, in seconds since the epoch."""
        return self._now

    def __repr__(self) -> str:
        return f"ManualClock({self._now!r})"

    def advance(self, seconds: float) -> None:
        """Turn it forward.

        Args:
            seconds: how far.

        Raises:
            ValueError: if that is backwards.
        """
        if not seconds >= 0:
            raise ValueError(f"a clock is only turned forward, not by {seconds!r} seconds")
        self._now += seconds
