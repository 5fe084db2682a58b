"""How near to the limit of a real throttle do we run, untold?

`python -m tests.benchmarks.rate.real`, on loopback and the wall clock: percent of what the throttle allows /
percent refused of all that was sent / failed calls / seconds, for get-active over 64 places. "retry only" is
aiohttp with tenacity, 64 workers. A call is answered after 20 ms; after 50 ms where what is in flight is
limited. nginx, HAProxy, node, ruby and go are looked up on the PATH; their packages in `--packages`, one
folder for each of npm, pip, gem and go, into which `--install` brings what is missing. What is not there is
skipped. The exit code is 1 where a target is missed.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from backupify_async import __version__
from tests.benchmarks.rate.real import packages, table
from tests.benchmarks.rate.real.measuring import rows
from tests.benchmarks.rate.real.throttles import THROTTLES, Throttle


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; how many seconds at most, and of what, the options say."""
    options = _parser().parse_args(arguments)
    calls, within = (500, 15.0) if options.quick else (options.calls, options.seconds)
    throttles = [throttle for throttle in THROTTLES if options.only.lower() in throttle.name.lower()]
    with tempfile.TemporaryDirectory() as temporary:
        among = (options.packages or Path(temporary)).resolve()
        if options.install:
            _install(throttles, among)
        print(f"{calls:,} calls, cut after {within:g} s.\n\n{table.head()}", flush=True)
        found = []
        for row in rows(throttles, calls, within, among):
            print(table.line(row), flush=True)
            found.append(row)
    lost = [text for row in found for text in table.failures(row)]
    if lost:
        print("\nFailed calls:\n" + "\n".join(lost))
    missed = sum(row.missed for row in found)
    skipped = sum(row.reason is not None and not row.broken for row in found)
    print(
        f"\n{missed} missed, {skipped} skipped. {datetime.now(UTC):%Y-%m-%d}, backupify_async {__version__}."
    )
    return min(missed, 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.rate.real",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="only the throttles whose name holds this")
    parser.add_argument("--calls", metavar="N", type=int, default=3_000, help="how many, each time")
    parser.add_argument(
        "--seconds",
        metavar="N",
        type=float,
        default=75.0,
        help="when to cut a run: by default a minute's window opens twice",
    )
    parser.add_argument("--quick", action="store_true", help="500 calls, cut after 15 s: to see that it runs")
    parser.add_argument("--packages", metavar="DIR", type=Path, help="where packages are installed")
    parser.add_argument(
        "--install",
        action="store_true",
        help="install missing packages into --packages, or else into a folder that is deleted at the end",
    )
    return parser


def _install(throttles: Sequence[Throttle], among: Path) -> None:
    for needs in dict.fromkeys(throttle.needs for throttle in throttles):
        went_wrong = packages.install(needs, among)
        if went_wrong is not None:
            print(f"{', '.join(needs.packages)} could not be installed: {went_wrong}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
