"""The picture: each ratio as a bar with its range, and its targets as marks."""

from collections.abc import Sequence

from tests.benchmarks.drawing import document, round_steps, text
from tests.benchmarks.speed.table import Row

_LEFT, _TOP, _WIDTH, _STEP, _BAR = 470, 74, 460, 26, 14
_RIGHT, _BOTTOM = 60, 40
_MOST = 2.0  # greater ratios are drawn up to here, with their number

_STYLE = """
.bar{fill:#4c8dd6}.missed{fill:#d1242f}.range{stroke:#24292f;stroke-width:1.5}
.must{stroke:#24292f;stroke-width:2}.goal{stroke:#1a7f37;stroke-width:2}.one{stroke-dasharray:4 3}
@media (prefers-color-scheme:dark){.bar{fill:#3b74b8}.missed{fill:#ff6b63}
.range,.must{stroke:#e6edf3}.goal{stroke:#3fb950}}
"""
_TITLE = "Cost of our client over that of others: less is better, and 1 is the same"


def svg(rows: Sequence[Row]) -> str:
    """Draw the rows that are ratios."""
    ratios = [row for row in rows if not row.unit]
    top = min(_MOST, max([1.2, *(row.figure.high for row in ratios)]))
    height = len(ratios) * _STEP
    parts = [
        text(20, 26, _TITLE, "head"),
        text(
            20,
            46,
            "bars: medians, with the range of all pairs; upright marks: must (dark), goal (green)",
            "soft",
        ),
        *_axis(top, height),
    ]
    for number, row in enumerate(ratios):
        parts += _draw(row, _TOP + number * _STEP, top)
    return document(_LEFT + _WIDTH + _RIGHT, _TOP + height + _BOTTOM, _TITLE, _STYLE, parts)


def _draw(row: Row, y: float, top: float) -> list[str]:
    def x(value: float) -> float:
        return _LEFT + max(0.0, min(value / top, 1.0)) * _WIDTH

    figure, middle = row.figure, y + _STEP / 2
    kind = "missed" if row.verdict == "missed" else "bar"
    width = x(figure.median) - _LEFT
    parts = [
        text(_LEFT - 10, middle + 4, row.what.replace("`", ""), anchor="end"),
        f'<rect class="{kind}" x="{_LEFT}" y="{middle - _BAR / 2:.1f}" width="{width:.1f}" height="{_BAR}"/>',
        f'<path class="range" d="M{x(figure.low):.1f} {middle:.1f}H{x(figure.high):.1f}"/>',
        text(x(max(figure.high, row.must or 0.0)) + 8, middle + 4, f"{figure.median:.2f}", "soft"),
    ]
    for name, target in (("must", row.must), ("goal", row.goal)):
        if target is not None:
            parts.append(f'<path class="{name}" d="M{x(target):.1f} {middle - 9:.1f}v18"/>')
    return parts


def _axis(top: float, height: float) -> list[str]:
    bottom = _TOP + height
    return [
        f'<path class="axis" fill="none" d="M{_LEFT} {_TOP}V{bottom}H{_LEFT + _WIDTH}"/>',
        f'<path class="axis one" d="M{_LEFT + _WIDTH / top:.1f} {_TOP}V{bottom}"/>',
        *(
            text(_LEFT + value / top * _WIDTH, bottom + 16, f"{value:g}", "soft", "middle")
            for value in round_steps(top)
        ),
    ]
