"""When something happens, as far as an answer tells."""

import attrs


@attrs.frozen
class Span:
    """An interval of time in which something happens."""

    low: float
    high: float

    def within(self, other: "Span") -> "Span | None":
        """What two have in common, if anything."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Span(low, high) if low <= high else None

    def later(self, seconds: float) -> "Span":
        """The same so many seconds later."""
        return Span(self.low + seconds, self.high + seconds)


def end_of(
    now: float, sent_at: float, seconds: float, *, rounded_down: bool, rounding: float | None = None
) -> Span:
    """Where the end lies of a wait that an answer tells.

    Args:
        now: When the answer came.
        sent_at: When its request left.
        seconds: What it says; a fraction is taken to be exact.
        rounded_down: Whether whole seconds are rounded down.
        rounding: By how many seconds it may be too long; None for what a number of its own kind may be.
    """
    if rounding is None:
        rounding = float(seconds == int(seconds))
    shift = rounding > 0 and rounded_down
    return Span(sent_at + seconds - rounding + shift, now + seconds + shift)
