"""What do disturbances cost, and how soon is the client back at the limit?

`python -m tests.benchmarks.rate.disturbances`, in virtual time: seconds lost compared with the omniscient
client / refusals a minute (in less than a minute, refusals), without those in the 15 s after a start, a rise,
a fall, and the begin and the end of an outage, which are needed to learn the limit. Ours is the limiter
alone, at a simulated gate; with `--session` it is the whole session. "slow": more is lost than by botocore's
rule; "storm": refusals are over 1 % and over 10 a minute; "late": 90 % of the limit is reached later than
10 s after a start, 15 s after an outage, 25 s after a rise; "failed": calls ended with an error. Figures are
medians of the seeds. "% used then": how much of the limit is used from these times until the next change,
with the lowest as the worst.
"""

import argparse
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor

from tests.benchmarks.rate.disturbance_cases import DISTURBANCES, Disturbance
from tests.benchmarks.rate.measuring import PATIENCE, Outcome, measure
from tests.benchmarks.rate.recovery import DEADLINES, Kind
from tests.benchmarks.rate.schedules import EVEN, WINDOWS, schedule
from tests.benchmarks.rate.sharing import SHARED, share
from tests.benchmarks.rate.table import FIRST_SEED, OURS, markdown
from tests.benchmarks.rate.timing import service

BESIDE = ("retry only", "botocore")
SERVICES = ("0/0", "50/1", "300/1")
_ROWS = {row.name: row for row in DISTURBANCES}
_BY_CHANCE = 0.5  # seconds that one strategy can lose more than another by chance
Cells = list[str]

_ROWS_HEAD = (
    ("disturbance", 44),
    ("ms", 6),
    ("ours: lost / a minute", 21),
    ("latest at 90 %", 32),
    ("missed", 15),
    ("retry only", 18),
    ("botocore", 18),
)
_SCHEDULES_HEAD = (
    ("random schedules: median / worst tenth / worst", 46),
    ("ms", 6),
    *((f"s to 90 %, {kind}", 31) for kind in DEADLINES),
    ("% used then", 15),
    ("storms", 10),
    ("missed", 12),
)
_SHARES_HEAD = (
    ("two of our clients: the second's % of the % used", 53),
    *((f"{served} ms", 10) for served in SERVICES),
    ("missed", 6),
)


def _measure(name: str, served: str, way: str, seed: int, session: bool) -> Outcome:
    return measure(_ROWS[name], service(served), way, seed, session=session)


def _measure_schedule(family: str, number: int, served: str) -> Outcome:
    return measure(schedule(family, number), service(served), OURS, number)


def rows(pool: ProcessPoolExecutor, seeds: Sequence[int], only: str, *, session: bool) -> Iterator[Cells]:
    """The rows of disturbances, with a column for each strategy."""
    chosen = [name for name, row in _ROWS.items() if only in name and not (session and row.rivals)]
    ways = (OURS, *BESIDE)
    jobs = {
        (name, served, way): [
            pool.submit(_measure, name, served, way, seed, session and way == OURS) for seed in seeds
        ]
        for name in chosen
        for served in SERVICES
        for way in ways
    }
    for name in chosen:
        for served in SERVICES:
            outcomes = {way: _results(jobs[name, served, way]) for way in ways}
            yield [
                name if served == SERVICES[0] else "",
                served,
                _cell(outcomes[OURS]),
                _back(outcomes[OURS]),
                _missed(_ROWS[name], outcomes[OURS], outcomes["botocore"]),
                *(_cell(outcomes[way]) for way in BESIDE),
            ]


def _results(futures: Sequence[Future[Outcome]]) -> list[Outcome]:
    return [future.result() for future in futures]


def _lost(outcomes: Sequence[Outcome]) -> float:
    return statistics.median(outcome.lost for outcome in outcomes)


def _cell(outcomes: Sequence[Outcome]) -> str:
    lost = _lost(outcomes)
    refused = statistics.median(outcome.refusals.per_minute for outcome in outcomes)
    failed = max(outcome.failed for outcome in outcomes)
    lost_text = "not done" if lost >= PATIENCE else f"{lost:+.1f} s"
    return f"{lost_text} / {refused:.0f}" + (f", {failed} failed" if failed else "")


def _back(outcomes: Sequence[Outcome]) -> str:
    parts = []
    for kind in DEADLINES:
        found = [_number(seconds) for outcome in outcomes for what, seconds in outcome.back if what is kind]
        if found:
            parts.append(f"{kind.split()[-1] if kind is not Kind.BACK else 'outage'} {_seconds(max(found))}")
    return ", ".join(parts)


def _missed(row: Disturbance, ours: Sequence[Outcome], botocore: Sequence[Outcome]) -> str:
    least = min(_lost(botocore), PATIENCE - 2 * _BY_CHANCE)
    slow = not row.silent_window and _lost(ours) > least + _BY_CHANCE
    storm = sum(outcome.refusals.too_many for outcome in ours) * 2 > len(ours) and not row.rivals
    late = sum(outcome.late for outcome in ours) * 2 > len(ours) and not row.silent_window
    failed = any(outcome.failed for outcome in ours)
    words = {"slow": slow, "storm": storm, "late": late, "failed": failed}
    return " ".join(word for word, applies in words.items() if applies)


def _number(seconds: float | None) -> float:
    return math.inf if seconds is None else seconds


def _seconds(value: float) -> str:
    return "never" if value == math.inf else f"{value:.1f}"


def schedule_rows(pool: ProcessPoolExecutor, numbers: Sequence[int], only: str) -> Iterator[Cells]:
    """The rows of random schedules: the median, the border of the worst tenth, and the worst."""
    families = [family for family in (EVEN, WINDOWS) if only in family]
    jobs = {
        (family, served): [pool.submit(_measure_schedule, family, number, served) for number in numbers]
        for family in families
        for served in SERVICES
    }
    for (family, served), futures in jobs.items():
        outcomes = _results(futures)
        cells = []
        misses = []
        for kind in DEADLINES:
            found = sorted(
                _number(seconds) for outcome in outcomes for what, seconds in outcome.back if what is kind
            )
            worse = found[int(0.9 * len(found))]
            never = sum(seconds == math.inf for seconds in found)
            cells.append(
                f"{_seconds(statistics.median(found))} / {_seconds(worse)} / {_seconds(found[-1])}"
                + (f" ({never} never)" if never else "")
            )
            if worse > DEADLINES[kind] or never:
                misses.append(f"{kind}")
        held = sorted(share for outcome in outcomes for share in outcome.held)
        kept = f"{statistics.median(held):.0f} / {held[len(held) // 10]:.0f} / {held[0]:.0f}"
        storms = sum(outcome.refusals.too_many for outcome in outcomes)
        yield [family, served, *cells, kept, f"{storms} of {len(outcomes)}", ", ".join(misses)]


def share_rows(pool: ProcessPoolExecutor, only: str) -> Iterator[Cells]:
    """The rows of two of our clients with one limit."""
    jobs = {
        name: [pool.submit(share, name, service(served), FIRST_SEED) for served in SERVICES]
        for name in SHARED
        if only in f"two of our clients, {name}"
    }
    for name, futures in jobs.items():
        found = [future.result() for future in futures]
        cells = [f"{second:.0f} of {both:.0f}" for second, both in found]
        missed = any(not 25 <= second <= 75 for second, _ in found)
        yield [name, *cells, "missed" if missed else ""]


def _print(head: Sequence[tuple[str, int]], table: Iterator[Cells]) -> int:
    """Print a table unless it is empty. Returns how many rows are marked as missed."""
    widths = [width for _, width in head]
    missed = 0
    marks = [title for title, _ in head].index("missed")
    for number, cells in enumerate(table):
        if number == 0:
            print(markdown([title for title, _ in head], widths))
            print(markdown(["-" * width for width in widths], widths))
        print(markdown(cells, widths), flush=True)
        missed += bool(cells[marks])
    print()
    return missed


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.rate.disturbances",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one seed and 15 schedules, which the table does not have: for tuning",
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="only the rows whose name contains this")
    parser.add_argument(
        "--session", action="store_true", help="run our whole session in the first table: slower"
    )
    options = parser.parse_args()
    seeds, numbers = range(FIRST_SEED, FIRST_SEED + 3), range(FIRST_SEED, FIRST_SEED + 150)
    if options.quick:
        seeds, numbers = range(1, 2), range(1, 16)
    began = time.monotonic()
    print(str(__doc__).split("\n\n")[1])
    print(f"\n{len(seeds)} seeds, {len(numbers)} random schedules of each family.\n")
    with ProcessPoolExecutor() as pool:
        missed = _print(_ROWS_HEAD, rows(pool, seeds, options.only, session=options.session))
        missed += _print(_SHARES_HEAD, share_rows(pool, options.only))
        missed += _print(_SCHEDULES_HEAD, schedule_rows(pool, numbers, options.only))
    print(f"{missed} missed, {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    main()
