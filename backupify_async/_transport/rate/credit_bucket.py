"""The speed around a rate: a plateau, then growth in time, and slots at a speed that varies."""

import math

import attrs

_LONGEST_PLATEAU = 12.0  # seconds
_STEEP = 2.0  # seconds of growth, after which the speed is twice the rate; after twice that, 16 times
_FASTEST = 60.0  # doublings; the ceiling and the places hold long before
_LATE = 0.1  # seconds that a late timer is made up for: meanwhile the store filled
_STEP = 0.25  # seconds of growth after which the speed is looked at again


def plateau(confirmed: int) -> float:
    """Seconds for which the speed stays at the rate."""
    return min(_LONGEST_PLATEAU, 2.0 ** min(confirmed, 10))


def growth(seconds: float) -> float:
    """By what the rate is multiplied, so long after the end of the plateau."""
    return 1.0 if seconds <= 0 else 2.0 ** min(_FASTEST, (seconds / _STEEP) ** 2)


@attrs.define(eq=False)
class CreditBucket:
    """Slots at a speed that varies: it is told how time passes. Times are seconds."""

    _credit: float = 1.0
    _at: float = -math.inf

    def rest(self, now: float, calls: float) -> None:
        """Let nobody leave for as long as so many calls take."""
        self._credit = min(self._credit, 0.0) - calls + 1.0
        self._at = now

    def advance(self, now: float, speed: float) -> None:
        """Time passed at this speed."""
        if self._at > -math.inf:
            most = max(1.0, 1.0 + speed * _LATE)
            self._credit = min(most, self._credit + max(0.0, now - self._at) * speed)
        self._at = now

    def earliest(self, now: float, speed: float, steady_until: float) -> float:
        """When the next call may leave, or the speed is looked at again; it is steady until then."""
        if self._credit >= 1 - 1e-9:
            return now
        return min(now + (1 - self._credit) / speed, max(now, steady_until) + _STEP)

    def on_send(self) -> None:
        """Count a call that leaves."""
        self._credit -= 1

    def on_cancel(self) -> None:
        """Uncount a call that did not leave."""
        self._credit += 1
