"""The table in virtual time: one client, clients that do not share, and clients that do."""

import statistics
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

import attrs

from tests.benchmarks.rate import client
from tests.benchmarks.rate.ideal import ideal_seconds
from tests.benchmarks.rate.scenarios import SCENARIOS, Scenario
from tests.benchmarks.rate.table import FIRST_SEED, markdown
from tests.benchmarks.shared.group import StoreFactory, send_all
from tests.benchmarks.shared.stores import STORES, Milliseconds, nothing

MUST = 97.0
"""Percent of what one client reaches."""
_NAMED = {scenario.name: scenario for scenario in SCENARIOS}
_FEW_WORKERS = 8
_NOT_REACHED = "not reached"
_HEAD = ("server", "one client", "not sharing", "sharing", "of one client", "")
_WIDTHS = (40, 12, 12, 12, 14, 6)


@attrs.frozen
class Job:
    """One server, met by one client, and by a group that does not share and one that does.

    Attributes:
        name: Of the scenario.
        seed: Of all that is random.
        calls: How many.
        processes: How many there are in a group.
        store: Which store.
        turns: How long turns take.
        alone: Whether the group that does not share runs, too.
    """

    name: str
    seed: int
    calls: int
    processes: int
    store: str
    turns: Milliseconds | None
    alone: bool


@attrs.frozen
class Score:
    """Percent of the ideal, and percent refused of all that was sent."""

    ideal: float
    refused: float

    def __str__(self) -> str:
        return f"{self.ideal:.1f} / {self.refused:.2f}"


@attrs.frozen
class Row:
    """What was reached against one kind of server, by the median."""

    scenario: Scenario
    one: Score
    alone: Score | None
    shared: Score

    @property
    def part(self) -> float:
        """Percent of what one client reaches."""
        return 100 * self.shared.ideal / self.one.ideal if self.one.ideal else 0.0

    def __str__(self) -> str:
        missed = "" if round(self.part, 1) >= MUST else "missed"
        alone = "" if self.alone is None else f"{self.alone.ideal:.0f} / {self.alone.refused:.1f}"
        cells = (self.scenario.name, str(self.one), alone, str(self.shared), f"{self.part:.1f}", missed)
        return markdown(cells, _WIDTHS)


def head() -> str:
    """The table's first two lines, in Markdown."""
    return f"{markdown(_HEAD, _WIDTHS)}\n{markdown(['-' * width for width in _WIDTHS], _WIDTHS)}"


def scores(job: Job) -> tuple[Score, Score | None, Score]:
    """Let one client meet the server, and the groups."""
    scenario = _NAMED[job.name]
    ideal = ideal_seconds(scenario.server(job.seed), job.calls, job.seed)
    within = 10 * ideal + 60
    one = client.run(scenario.server(job.seed), job.calls, job.seed, within)
    found = Score(100 * ideal / one.seconds if one.finished else 0.0, 100 * one.refused)

    def group(stores: StoreFactory) -> Score:
        workers = _FEW_WORKERS if _NOT_REACHED in job.name else 64
        server, processes = scenario.server(job.seed), job.processes
        run = send_all(server, stores, job.calls, job.seed, within, processes=processes, workers=workers)
        good = run.finished and not run.failed
        return Score(100 * ideal / run.seconds if good else 0.0, 100 * run.refused_share())

    shared = group(STORES[job.store](job.turns, job.seed))
    return found, group(nothing) if job.alone else None, shared


def table(jobs: Iterable[Job], workers: int | None = None) -> Iterator[Row]:
    """Run everything, and give the rows in their order.

    Args:
        jobs: What is to be run, grouped by scenario.
        workers: On how many processors; None for all.
    """
    with ProcessPoolExecutor(workers) as pool:
        futures: dict[str, list[object]] = {}
        for job in jobs:
            futures.setdefault(job.name, []).append(pool.submit(scores, job))
        for name, some in futures.items():
            ones, alones, shared = zip(*(future.result() for future in some), strict=True)  # type: ignore[attr-defined]
            known = [score for score in alones if score is not None]
            yield Row(_NAMED[name], _median(ones), _median(known) if known else None, _median(shared))


def _median(found: Iterable[Score]) -> Score:
    some = list(found)
    return Score(
        statistics.median(score.ideal for score in some), statistics.median(score.refused for score in some)
    )


def jobs(  # noqa: PLR0917 - as the command line has them
    only: str, calls: int, seeds: int, processes: int, store: str, turns: Milliseconds | None, alone: bool
) -> list[Job]:
    """The jobs of the rows whose names hold a text."""
    return [
        Job(scenario.name, FIRST_SEED + at, calls, processes, store, turns, alone)
        for scenario in SCENARIOS
        if only in scenario.name
        for at in range(seeds)
    ]
