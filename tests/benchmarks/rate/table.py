"""The table: percent of ideal / percent refused, ours beside the usual ways."""

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from random import Random

import attrs

from tests.benchmarks.rate import client, crowd, limiter
from tests.benchmarks.rate.baselines import BASELINES
from tests.benchmarks.rate.ideal import ideal_seconds
from tests.benchmarks.rate.scenarios import RANDOM_KINDS, SCENARIOS, Scenario, Target
from tests.benchmarks.rate.timing import PLAIN, Timing

FIRST_SEED = 1001
"""Lower ones may be used to tune a controller: this table is to show servers that it never met."""

OURS = "ours"
WAYS: dict[str, Callable[[Random], crowd.Way]] = {OURS: limiter.Ours, **BASELINES}
_NAMED = {scenario.name: scenario for scenario in (*SCENARIOS, *RANDOM_KINDS)}


@attrs.frozen
class Job:
    """One server, met once by each way."""

    name: str
    seed: int
    calls: int
    ways: tuple[str, ...]
    timing: Timing = PLAIN
    alone: bool = False


@attrs.frozen
class Score:
    """What one way reached against one server, in percent; nothing of the ideal where it never ended."""

    ideal: float
    refused: float


def scores(job: Job) -> dict[str, Score]:
    """Let each way meet the server."""
    scenario = _NAMED[job.name]
    ideal = ideal_seconds(scenario.server(job.seed), job.calls, job.seed, job.timing)
    within = 10 * ideal + 60
    found = {}
    for way in job.ways:
        server = scenario.server(job.seed)
        if way == OURS and not job.alone:
            run = client.run(server, job.calls, job.seed, within, timing=job.timing)
        else:
            controller = WAYS[way](Random(job.seed))
            run = crowd.run(controller, server, job.calls, job.seed, within, timing=job.timing)
        found[way] = Score(
            100 * ideal / run.seconds if run.finished and not run.failed else 0.0, 100 * run.refused
        )
    return found


@attrs.frozen
class Cell:
    """What one way reached against all servers of a row.

    Attributes:
        ideal: The median.
        refused: The median.
        low: The least share of the ideal; with random servers its 10th percentile.
        high: The greatest share of refusals; with random servers its 90th percentile.
    """

    ideal: float
    refused: float
    low: float
    high: float

    @classmethod
    def of(cls, found: Sequence[Score], outliers: float) -> "Cell":
        """Sum scores up, leaving out a share of outliers at the worse end."""
        ideals = sorted(score.ideal for score in found)
        refused = sorted(score.refused for score in found)
        skipped = int(outliers * len(found))
        return cls(
            statistics.median(ideals), statistics.median(refused), ideals[skipped], refused[-1 - skipped]
        )

    def reaches(self, target: Target) -> bool:
        """Whether it is as good as it is to be, to the digits that are shown."""
        return (
            round(self.ideal, 1) >= target.ideal
            and round(self.refused, 2) <= target.refused
            and round(self.low, 1) >= target.worst
        )


@attrs.frozen
class Row:
    """One kind of server."""

    scenario: Scenario
    target: Target
    cells: dict[str, Cell]


def table(
    calls: int,
    seeds: int,
    random_servers: int,
    scenarios: Iterable[Scenario],
    baselines: Iterable[str],
    *,
    timing: Timing = PLAIN,
    alone: bool = False,
) -> Iterator[Row]:
    """Run everything, on all processors, and give the rows in their order.

    Args:
        calls: How many, against each server.
        seeds: How many servers of each named kind.
        random_servers: How many of each random kind, which only our own way meets.
        scenarios: The rows.
        baselines: The usual ways beside ours, of `BASELINES`.
        timing: How long network and servers take.
        alone: Whether our own limiter runs without a session.
    """
    every = (OURS, *baselines)
    jobs: dict[str, list[Job]] = {}
    for scenario in scenarios:
        is_random = scenario in RANDOM_KINDS
        ways, count = ((OURS,), random_servers) if is_random else (every, seeds)
        jobs[scenario.name] = [
            Job(scenario.name, FIRST_SEED + at, calls, ways, timing, alone) for at in range(count)
        ]
    with ProcessPoolExecutor() as processes:
        futures = {name: [processes.submit(scores, job) for job in some] for name, some in jobs.items()}
        for name, some in futures.items():
            scenario = _NAMED[name]
            found = [future.result() for future in some]
            outliers = 0.1 if scenario in RANDOM_KINDS else 0.0
            ways = jobs[name][0].ways
            cells = {way: Cell.of([score[way] for score in found], outliers) for way in ways}
            yield Row(scenario, scenario.target(calls), cells)


_HEAD = ("server", OURS, "target", "")
_WIDTHS = (40, 27, 15, 6, *(10 for _ in BASELINES))


def head(baselines: Iterable[str]) -> str:
    """The table's first two lines, in Markdown."""
    names = (*_HEAD, *baselines)
    return f"{_line(names)}\n{_line(['-' * width for width in _WIDTHS[: len(names)]])}"


def line(row: Row, baselines: Iterable[str]) -> str:
    """One row in Markdown."""
    ours = row.cells[OURS]
    others = [row.cells.get(name) for name in baselines]
    return _line(
        [
            row.scenario.name,
            f"{ours.ideal:.1f} ({ours.low:.1f}) / {ours.refused:.2f} ({ours.high:.2f})",
            _written(row.target),
            "" if ours.reaches(row.target) else "missed",
            *("" if cell is None else f"{cell.ideal:.0f} / {cell.refused:.3g}" for cell in others),
        ]
    )


def _written(target: Target) -> str:
    worst = f" ({target.worst:g})" if target.worst else ""
    refused = f" / {target.refused:g}" if target.refused <= 100 else ""
    return f"{target.ideal:g}{worst}{refused}"


def markdown(texts: Sequence[str], widths: Sequence[int]) -> str:
    """A line of a table in Markdown."""
    cells = (text.ljust(width) for text, width in zip(texts, widths, strict=True))
    return "| " + " | ".join(cells) + " |"


def _line(texts: Sequence[str]) -> str:
    return markdown(texts, _WIDTHS[: len(texts)])
