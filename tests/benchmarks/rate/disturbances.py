"""What do disturbances cost, and how soon are we back at the limit?

`python -m tests.benchmarks.rate.disturbances`, in virtual time: seconds lost over a client that knows all /
refusals a minute (of less than a minute, refusals), without those that come within 15 s of a start, a rise, a
fall and an outage's two ends, which are the price of finding out. Ours is the limiter alone, at a gate; with
`--session` it is the whole session. "slow": more is lost than by botocore's rule; "storm": refusals above 1 %
and above 10 a minute; "late": 90 % of the limit comes later than 10 s behind a start, 15 s behind an outage,
25 s behind a rise; "failed": calls ended with an error. Medians of the seeds. "% of it then": what was let
pass of the limit, from when it must be reached until the next moment; here the worse tenth is the lowest.
"""

import argparse
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor

from tests.benchmarks.rate.happenings import HAPPENINGS, Happening
from tests.benchmarks.rate.meeting import PATIENCE, Outcome, meet
from tests.benchmarks.rate.recovery import MUST, Kind
from tests.benchmarks.rate.schedules import EVEN, WINDOWS, schedule
from tests.benchmarks.rate.sharing import SHARED, share
from tests.benchmarks.rate.table import FIRST_SEED, OURS, markdown
from tests.benchmarks.rate.timing import service

BESIDE = ("retry only", "botocore")
SERVICES = ("0/0", "50/1", "300/1")
_ROWS = {row.name: row for row in HAPPENINGS}
_BY_CHANCE = 0.5  # seconds that one way may lose more than another
Cells = list[str]

_ROWS_HEAD = (
    ("what happens", 44),
    ("ms", 6),
    ("ours: lost / a minute", 21),
    ("latest at 90 %", 32),
    ("missed", 15),
    ("retry only", 18),
    ("botocore", 18),
)
_SCHEDULES_HEAD = (
    ("random schedules: median / worse tenth / worst", 46),
    ("ms", 6),
    *((f"s to 90 %, {kind}", 31) for kind in MUST),
    ("% of it then", 15),
    ("storms", 10),
    ("missed", 12),
)
_SHARES_HEAD = (
    ("two clients of ours: the second's % of % of the limit", 53),
    *((f"{served} ms", 10) for served in SERVICES),
    ("missed", 6),
)


def _meet(name: str, served: str, way: str, seed: int, session: bool) -> Outcome:
    return meet(_ROWS[name], service(served), way, seed, session=session)


def _follow(family: str, number: int, served: str) -> Outcome:
    return meet(schedule(family, number), service(served), OURS, number)


def rows(pool: ProcessPoolExecutor, seeds: Sequence[int], only: str, *, session: bool) -> Iterator[Cells]:
    """The lines of what happens, each way beside ours."""
    chosen = [name for name, row in _ROWS.items() if only in name and not (session and row.rivals)]
    ways = (OURS, *BESIDE)
    jobs = {
        (name, served, way): [
            pool.submit(_meet, name, served, way, seed, session and way == OURS) for seed in seeds
        ]
        for name in chosen
        for served in SERVICES
        for way in ways
    }
    for name in chosen:
        for served in SERVICES:
            met = {way: _results(jobs[name, served, way]) for way in ways}
            yield [
                name if served == SERVICES[0] else "",
                served,
                _cell(met[OURS]),
                _back(met[OURS]),
                _missed(_ROWS[name], met[OURS], met["botocore"]),
                *(_cell(met[way]) for way in BESIDE),
            ]


def _results(futures: Sequence[Future[Outcome]]) -> list[Outcome]:
    return [future.result() for future in futures]


def _lost(met: Sequence[Outcome]) -> float:
    return statistics.median(outcome.lost for outcome in met)


def _cell(met: Sequence[Outcome]) -> str:
    lost = _lost(met)
    refused = statistics.median(outcome.refusals.per_minute for outcome in met)
    failed = max(outcome.failed for outcome in met)
    lost_text = "not done" if lost >= PATIENCE else f"{lost:+.1f} s"
    return f"{lost_text} / {refused:.0f}" + (f", {failed} failed" if failed else "")


def _back(met: Sequence[Outcome]) -> str:
    parts = []
    for kind in MUST:
        found = [_number(seconds) for outcome in met for what, seconds in outcome.back if what is kind]
        if found:
            parts.append(f"{kind.split()[-1] if kind is not Kind.BACK else 'outage'} {_seconds(max(found))}")
    return ", ".join(parts)


def _missed(row: Happening, ours: Sequence[Outcome], botocore: Sequence[Outcome]) -> str:
    least = min(_lost(botocore), PATIENCE - 2 * _BY_CHANCE)
    slow = not row.silent_window and _lost(ours) > least + _BY_CHANCE
    storm = sum(outcome.refusals.too_many for outcome in ours) * 2 > len(ours) and not row.rivals
    late = sum(outcome.late for outcome in ours) * 2 > len(ours) and not row.silent_window
    failed = any(outcome.failed for outcome in ours)
    words = {"slow": slow, "storm": storm, "late": late, "failed": failed}
    return " ".join(word for word, is_so in words.items() if is_so)


def _number(seconds: float | None) -> float:
    return math.inf if seconds is None else seconds


def _seconds(value: float) -> str:
    return "never" if value == math.inf else f"{value:.1f}"


def followed(pool: ProcessPoolExecutor, numbers: Sequence[int], only: str) -> Iterator[Cells]:
    """The lines of random schedules: when the worse tenth begins, and the worst."""
    families = [family for family in (EVEN, WINDOWS) if only in family]
    jobs = {
        (family, served): [pool.submit(_follow, family, number, served) for number in numbers]
        for family in families
        for served in SERVICES
    }
    for (family, served), futures in jobs.items():
        met = _results(futures)
        cells = []
        misses = []
        for kind in MUST:
            found = sorted(
                _number(seconds) for outcome in met for what, seconds in outcome.back if what is kind
            )
            worse = found[int(0.9 * len(found))]
            never = sum(seconds == math.inf for seconds in found)
            cells.append(
                f"{_seconds(statistics.median(found))} / {_seconds(worse)} / {_seconds(found[-1])}"
                + (f" ({never} never)" if never else "")
            )
            if worse > MUST[kind] or never:
                misses.append(f"{kind}")
        held = sorted(share for outcome in met for share in outcome.held)
        kept = f"{statistics.median(held):.0f} / {held[len(held) // 10]:.0f} / {held[0]:.0f}"
        storms = sum(outcome.refusals.too_many for outcome in met)
        yield [family, served, *cells, kept, f"{storms} of {len(met)}", ", ".join(misses)]


def shares(pool: ProcessPoolExecutor, only: str) -> Iterator[Cells]:
    """The lines of two clients of ours under one limit."""
    jobs = {
        name: [pool.submit(share, name, service(served), FIRST_SEED) for served in SERVICES]
        for name in SHARED
        if only in f"two clients of ours, {name}"
    }
    for name, futures in jobs.items():
        found = [future.result() for future in futures]
        cells = [f"{second:.0f} of {both:.0f}" for second, both in found]
        missed = any(not 25 <= second <= 75 for second, _ in found)
        yield [name, *cells, "missed" if missed else ""]


def _print(head: Sequence[tuple[str, int]], lines: Iterator[Cells]) -> int:
    """Print a table where it has lines; return how many are marked as missed."""
    widths = [width for _, width in head]
    missed = 0
    marks = [title for title, _ in head].index("missed")
    for number, cells in enumerate(lines):
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
        "--quick", action="store_true", help="one seed, 15 schedules: others than are shown, to tune by"
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="only the rows whose name holds this")
    parser.add_argument(
        "--session", action="store_true", help="ours with its session, in the first table: slower"
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
        missed += _print(_SHARES_HEAD, shares(pool, options.only))
        missed += _print(_SCHEDULES_HEAD, followed(pool, numbers, options.only))
    print(f"{missed} missed, {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    main()
