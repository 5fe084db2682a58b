"""The table: percent of the ideal / percent refused, for our client and the usual strategies."""

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from random import Random

import attrs

from tests.benchmarks.rate import client, limiter, simulation
from tests.benchmarks.rate.baselines import BASELINES
from tests.benchmarks.rate.ideal import ideal_seconds
from tests.benchmarks.rate.scenarios import RANDOM_KINDS, SCENARIOS, Scenario, Target
from tests.benchmarks.rate.timing import PLAIN, Timing

FIRST_SEED = 1001
"""Lower seeds are for tuning: the servers of the table are new to the limiter."""

OURS = "ours"
STRATEGIES: dict[str, Callable[[Random], simulation.Strategy]] = {OURS: limiter.OurLimiter, **BASELINES}
_NAMED = {scenario.name: scenario for scenario in (*SCENARIOS, *RANDOM_KINDS)}


@attrs.frozen
class Job:
    """One run of each strategy against one server."""

    name: str
    seed: int
    calls: int
    strategies: tuple[str, ...]
    timing: Timing = PLAIN
    alone: bool = False


@attrs.frozen
class Score:
    """The result of one strategy against one server, in percent; 0 of the ideal if it did not end."""

    ideal: float
    refused: float


def scores(job: Job) -> dict[str, Score]:
    """Run each strategy against the server."""
    scenario = _NAMED[job.name]
    ideal = ideal_seconds(scenario.server(job.seed), job.calls, job.seed, job.timing)
    within = 10 * ideal + 60
    found = {}
    for strategy in job.strategies:
        server = scenario.server(job.seed)
        if strategy == OURS and not job.alone:
            run = client.run(server, job.calls, job.seed, within, timing=job.timing)
        else:
            controller = STRATEGIES[strategy](Random(job.seed))
            run = simulation.run(controller, server, job.calls, job.seed, within, timing=job.timing)
        found[strategy] = Score(
            100 * ideal / run.seconds if run.finished and not run.failed else 0.0, 100 * run.refused
        )
    return found


@attrs.frozen
class Cell:
    """The result of one strategy against all servers of a row.

    Attributes:
        ideal: The median.
        refused: The median.
        low: The least share of the ideal; for random servers its 10th percentile.
        high: The greatest share of refusals; for random servers its 90th percentile.
    """

    ideal: float
    refused: float
    low: float
    high: float

    @classmethod
    def of(cls, found: Sequence[Score], outliers: float) -> "Cell":
        """Summarize scores, without a share of outliers at the worse end."""
        ideals = sorted(score.ideal for score in found)
        refused = sorted(score.refused for score in found)
        skipped = int(outliers * len(found))
        return cls(
            statistics.median(ideals), statistics.median(refused), ideals[skipped], refused[-1 - skipped]
        )

    def reaches(self, target: Target) -> bool:
        """Whether it reaches the target, to the digits that are shown."""
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
    """Run all strategies against all servers, on all processors. Yields the rows in their order.

    Args:
        calls: How many calls to send to each server.
        seeds: How many servers of each named kind there are.
        random_servers: How many of each random kind, which only our client runs against.
        scenarios: The rows.
        baselines: The usual strategies, of `BASELINES`.
        timing: How long network and servers take.
        alone: Whether our limiter runs without a session.
    """
    every = (OURS, *baselines)
    jobs: dict[str, list[Job]] = {}
    for scenario in scenarios:
        is_random = scenario in RANDOM_KINDS
        strategies, count = ((OURS,), random_servers) if is_random else (every, seeds)
        jobs[scenario.name] = [
            Job(scenario.name, FIRST_SEED + at, calls, strategies, timing, alone) for at in range(count)
        ]
    with ProcessPoolExecutor() as processes:
        futures = {name: [processes.submit(scores, job) for job in some] for name, some in jobs.items()}
        for name, some in futures.items():
            scenario = _NAMED[name]
            found = [future.result() for future in some]
            outliers = 0.1 if scenario in RANDOM_KINDS else 0.0
            strategies = jobs[name][0].strategies
            cells = {
                strategy: Cell.of([score[strategy] for score in found], outliers) for strategy in strategies
            }
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
            _target_text(row.target),
            "" if ours.reaches(row.target) else "missed",
            *("" if cell is None else f"{cell.ideal:.0f} / {cell.refused:.3g}" for cell in others),
        ]
    )


def _target_text(target: Target) -> str:
    worst = f" ({target.worst:g})" if target.worst else ""
    refused = f" / {target.refused:g}" if target.refused <= 100 else ""
    return f"{target.ideal:g}{worst}{refused}"


def markdown(texts: Sequence[str], widths: Sequence[int]) -> str:
    """A line of a table in Markdown."""
    cells = (text.ljust(width) for text, width in zip(texts, widths, strict=True))
    return "| " + " | ".join(cells) + " |"


def _line(texts: Sequence[str]) -> str:
    return markdown(texts, _WIDTHS[: len(texts)])
