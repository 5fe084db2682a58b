"""When something happens, as far as an answer tells."""

import attrs


@attrs.frozen
class TimeInterval:
    """An interval of time in which something happens."""

    low: float
    high: float

    def intersect(self, other: "TimeInterval") -> "TimeInterval | None":
        """What two have in common, if anything."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return TimeInterval(low, high) if low <= high else None

    def shifted(self, seconds: float) -> "TimeInterval":
        """The same so many seconds later."""
        return TimeInterval(self.low + seconds, self.high + seconds)


def wait_end(
    now: float, sent_time: float, seconds: float, *, rounded_down: bool, rounding: float | None = None
) -> TimeInterval:
    """Where the end lies of a wait that an answer tells.

    Args:
        now: When the answer came.
        sent_time: When its request left.
        seconds: What it says; a fraction is taken to be exact.
        rounded_down: Whether whole seconds are rounded down.
        rounding: By how many seconds it may be too long; None for what a number of its own kind may be.
    """
    if rounding is None:
        rounding = float(seconds == int(seconds))
    shift = rounding > 0 and rounded_down
    return TimeInterval(sent_time + seconds - rounding + shift, now + seconds + shift)
