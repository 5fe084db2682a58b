"""The picture: requests per second against each kind of server, as SVG."""

import math
from collections.abc import Sequence

import attrs

from tests.benchmarks.drawing import document, round_steps, text
from tests.benchmarks.rate import client
from tests.benchmarks.rate.ideal import ideal_seconds
from tests.benchmarks.rate.run import Run
from tests.benchmarks.rate.scenarios import SCENARIOS
from tests.benchmarks.rate.table import FIRST_SEED

_CALLS = 5_000
_COLUMNS = 3
_WIDTH, _HEIGHT = 290, 150  # of one panel's plotting area
_LEFT, _TOP, _GAP_X, _GAP_Y = 48, 96, 54, 70


@attrs.frozen
class Panel:
    """The diagram of one server.

    Attributes:
        scenario: The row of the table.
        seconds: How many seconds of the run are shown, from its begin.
        bin: Seconds of one bar; for windows their period.
    """

    scenario: str
    seconds: float
    bin: float


_PANELS = (
    Panel("token bucket 83/s burst 17", 60, 1),
    Panel("token bucket 5/s burst 5", 60, 1),
    Panel("100/s, then 25/s, then 200/s", 80, 1),
    Panel("window 140 per 2 s, Retry-After", 60, 2),
    Panel("window 140 per 2 s, headers", 60, 2),
    Panel("sliding 300 per 10 s", 160, 2),
    Panel("window 100 per 10 s, silent", 400, 10),
    Panel("100/s shared with bursts", 60, 1),
    Panel("2,000/s burst 100, not reached", 5, 0.1),
)

_STYLE = """
.passed{fill:#4c8dd6}.refused{fill:#d1242f}
.limit{fill:none;stroke:#24292f;stroke-width:1.5;stroke-dasharray:5 3}
@media (prefers-color-scheme:dark){.passed{fill:#3b74b8}.refused{fill:#ff6b63}.limit{stroke:#e6edf3}}
"""
_TITLE = "Requests per second against servers whose limit the client does not know"


def svg(calls: int = _CALLS) -> str:
    """Run the client against each panel's server, and draw the runs."""
    rows = math.ceil(len(_PANELS) / _COLUMNS)
    width = _LEFT + _COLUMNS * (_WIDTH + _GAP_X)
    height = _TOP + rows * (_HEIGHT + _GAP_Y)
    parts = _legend(calls)
    for number, panel in enumerate(_PANELS):
        x = _LEFT + number % _COLUMNS * (_WIDTH + _GAP_X)
        y = _TOP + number // _COLUMNS * (_HEIGHT + _GAP_Y)
        parts += [f'<g transform="translate({x} {y})">', *_draw(panel, calls), "</g>"]
    return document(width, height, _TITLE, _STYLE, parts)


def _legend(calls: int) -> list[str]:
    y = 44
    return [
        text(
            _LEFT,
            24,
            f"A client that does not know the limit, against nine servers: {calls:,} calls each",
            "head",
        ),
        f'<rect class="passed" x="{_LEFT}" y="{y - 9}" width="14" height="10"/>',
        text(_LEFT + 20, y, "requests per second accepted"),
        f'<rect class="refused" x="{_LEFT + 200}" y="{y - 9}" width="14" height="10"/>',
        text(_LEFT + 220, y, "refused (429), on top of them"),
        f'<path class="limit" d="M{_LEFT + 404} {y - 4}h28"/>',
        text(_LEFT + 438, y, "the server's limit, unknown to the client"),
    ]


def _draw(panel: Panel, calls: int) -> list[str]:
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == panel.scenario)
    ideal = ideal_seconds(scenario.server(FIRST_SEED), calls, FIRST_SEED)
    run = client.run(scenario.server(FIRST_SEED), calls, FIRST_SEED, 10 * ideal + 60)
    seconds = min(panel.seconds, run.seconds)
    passed, refused = _counts(run, panel, 200), _counts(run, panel, 429)
    model = scenario.server(FIRST_SEED)
    limits = []
    for at in range(math.ceil(seconds / panel.bin)):
        model.free_at(at * panel.bin)
        limits.append(model.limit(at * panel.bin))
    reached_limits = [limit for limit in limits if limit <= 2 * max(passed)]
    top = 1.35 * max([*reached_limits, 1.0 if reached_limits else max(passed)])
    share = 100 * ideal / run.seconds
    reached = (
        f"{share:.1f} % of the ideal, {100 * run.refused:.2f} % refused" if run.finished else "did not end"
    )
    return [
        text(0, -22, panel.scenario, "title"),
        text(0, -7, f"{reached}; a bar is {panel.bin:g} s", "soft"),
        *_bars(passed, refused, panel.bin / seconds * _WIDTH, top),
        *_limit_line(limits, panel.bin / seconds * _WIDTH, top),
        *_axes(seconds, top),
    ]


def _counts(run: Run, panel: Panel, status: int) -> list[float]:
    """Calls per second in each bar that the panel shows."""
    seconds = min(panel.seconds, run.seconds)
    counts = [0.0] * math.ceil(seconds / panel.bin)
    for at, received in run.responses:
        if received == status and at < seconds:
            counts[int(at / panel.bin)] += 1 / panel.bin
    return counts


def _bars(passed: Sequence[float], refused: Sequence[float], step: float, top: float) -> list[str]:
    def scaled(value: float) -> float:
        return min(value / top, 1.0) * _HEIGHT

    bars = []
    for at, (accepted, denied) in enumerate(zip(passed, refused, strict=True)):
        x, width = at * step, min(step, _WIDTH - at * step)
        ceiling = scaled(accepted)
        bars.append(_bar("passed", x, width, 0, ceiling))
        if denied:  # at least 2 px and within the panel, so that each refusal is visible
            above = max(2.0, scaled(accepted + denied) - ceiling)
            bars.append(_bar("refused", x, width, min(ceiling, _HEIGHT - above), above))
    return bars


def _bar(kind: str, x: float, width: float, bottom: float, height: float) -> str:
    y = _HEIGHT - bottom - height
    width = max(width - 0.4, 0.4)
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _limit_line(limits: Sequence[float], step: float, top: float) -> list[str]:
    if min(limits) > top:
        return [text(_WIDTH, 12, f"limit {limits[0]:,.0f}/s, far above", "soft", "end")]
    path = ""
    for at, limit in enumerate(limits):
        y = _HEIGHT * (1 - limit / top)
        path += f"{'L' if path else 'M'}{at * step:.1f} {y:.1f}L{min((at + 1) * step, _WIDTH):.1f} {y:.1f}"
    return [f'<path class="limit" d="{path}"/>']


def _axes(seconds: float, top: float) -> list[str]:
    parts = [f'<path class="axis" fill="none" d="M0 0V{_HEIGHT}H{_WIDTH}"/>']
    for value in round_steps(top):
        y = _HEIGHT * (1 - value / top)
        parts.append(text(-6, y + 4, f"{value:,g}", "soft", "end"))
    for value in round_steps(seconds):
        label = f"{value:g} s"
        parts.append(text(value / seconds * _WIDTH, _HEIGHT + 15, label, "soft", "middle"))
    return parts
