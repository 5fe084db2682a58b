"""The table: percent of the throttle's own limit / percent refused / failed calls / seconds."""

from collections.abc import Mapping, Sequence

import attrs

from tests.benchmarks.rate.real.clients import CLIENTS, Run
from tests.benchmarks.rate.real.limits import most
from tests.benchmarks.rate.real.throttles import Throttle

_LONG_ENOUGH = 10.0  # seconds: a shorter run shows only the start


@attrs.frozen
class Row:
    """One throttle.

    Attributes:
        throttle: The throttle.
        runs: The run of each client.
        reason: Why there are no runs; None if there are.
        broken: Whether it is installed and did not start.
    """

    throttle: Throttle
    runs: Mapping[str, Run] = attrs.field(factory=dict)
    reason: str | None = None
    broken: bool = False

    def share(self, run: Run) -> float | None:
        """Percent of the limit that was used, by time, or by calls if the run was cut. None: not reached."""
        limit = self.throttle.limit
        if run.cut:
            return 100 * run.accepted / most(limit, run.began, run.seconds)
        least = limit(run.accepted, run.began)
        return 100 * least / run.seconds if least else None

    @property
    def missed(self) -> bool:
        """Whether our client is below the target, to the digits that are shown, or failed a call."""
        if self.reason is not None:
            return self.broken
        ours = self.runs["ours"]
        share = self.share(ours)
        if share is None or ours.seconds < _LONG_ENOUGH:
            return ours.failed > 0
        return round(share, 1) < self.throttle.target or ours.failed > 0


_HEAD = ("throttle", *CLIENTS, "target", "")
_WIDTHS = (48, 32, 32, 6, 6)


def head() -> str:
    """The table's first two lines, in Markdown."""
    return f"{_line(_HEAD)}\n{_line(['-' * width for width in _WIDTHS])}"


def line(row: Row) -> str:
    """One row in Markdown."""
    if row.reason is not None:
        what = f"skipped: {row.reason}" if not row.broken else row.reason
        return f"| {row.throttle.name.ljust(_WIDTHS[0])} | {what} |"
    cells = [_cell(row, run) for run in row.runs.values()]
    return _line([row.throttle.name, *cells, f"{row.throttle.target:g}", "missed" if row.missed else ""])


def _cell(row: Row, run: Run) -> str:
    share = row.share(run)
    used = "not reached" if share is None else f"{share:.1f}"
    cut = ", cut" if run.cut else ""
    return f"{used} / {100 * run.refused:.1f} / {run.failed:,} / {run.seconds:.1f} s{cut}"


def failures(row: Row) -> list[str]:
    """The errors of failed calls, a line for each client that had any."""
    return [
        f"{row.throttle.name}, {client}: {', '.join(f'{n:,} {what}' for what, n in run.errors.most_common())}"
        for client, run in row.runs.items()
        if run.errors
    ]


def _line(texts: Sequence[str]) -> str:
    return "| " + " | ".join(text.ljust(width) for text, width in zip(texts, _WIDTHS, strict=True)) + " |"
