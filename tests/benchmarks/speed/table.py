"""The table: what was measured, and which target it reaches."""

from collections.abc import Sequence

import attrs

from tests.benchmarks.speed.measuring import Figure


@attrs.frozen
class Row:
    """One row of the table.

    Attributes:
        what: What was measured; a ratio unless it has a unit.
        figure: The median of all pairs, and their range.
        must: The target, which the median must not exceed; None for no target.
        goal: A more ambitious target.
        unit: The unit of the figure; empty for a ratio.
    """

    what: str
    figure: Figure
    must: float | None = None
    goal: float | None = None
    unit: str = ""

    @property
    def verdict(self) -> str:
        """Which target the median reaches, to the digits that are shown."""
        median = round(self.figure.median, 2)
        if self.must is None:
            return ""
        if self.goal is not None and median <= self.goal:
            return "goal"
        return "must" if median <= self.must else "missed"


_HEAD = ("what", "measured (range)", "must", "goal", "target")
_WIDTHS = (75, 34, 6, 6, 6)


def head() -> str:
    """The table's first two lines, in Markdown."""
    return f"{_line(_HEAD)}\n{_line(['-' * width for width in _WIDTHS])}"


def line(row: Row) -> str:
    """One row in Markdown."""
    figure = row.figure
    unit = f" {row.unit}" if row.unit else ""
    return _line(
        [
            row.what,
            f"{figure.median:.2f}{unit} ({figure.low:.2f} to {figure.high:.2f})",
            "" if row.must is None else f"{row.must:g}",
            "" if row.goal is None else f"{row.goal:g}",
            row.verdict,
        ]
    )


def _line(texts: Sequence[str]) -> str:
    return "| " + " | ".join(text.ljust(width) for text, width in zip(texts, _WIDTHS, strict=True)) + " |"
