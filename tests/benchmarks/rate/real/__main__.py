"""How close to the limit of a real throttle does the client get without knowing it?

`python -m tests.benchmarks.rate.real`, on loopback and the wall clock: percent of what the throttle allows /
percent of the requests that were refused / failed calls / seconds, for get-active with 64 calls in flight.
"retry only" is aiohttp with tenacity and 64 workers. A response takes 20 ms, or 50 ms if the throttle limits
the calls in flight. nginx, HAProxy, node, ruby and go are found on the PATH. Their packages are in
`--packages`, one folder for each of npm, pip, gem and go; `--install` adds the missing ones. Throttles that
are not installed are skipped. The exit code is 1 if a target is missed.
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
    """Measure the throttles that the options select, and print the table."""
    options = _parser().parse_args(arguments)
    calls, within = (500, 15.0) if options.quick else (options.calls, options.seconds)
    throttles = [throttle for throttle in THROTTLES if options.only.lower() in throttle.name.lower()]
    with tempfile.TemporaryDirectory() as temporary:
        packages_dir = (options.packages or Path(temporary)).resolve()
        if options.install:
            _install(throttles, packages_dir)
        print(f"{calls:,} calls, cut after {within:g} s.\n\n{table.head()}", flush=True)
        found = []
        for row in rows(throttles, calls, within, packages_dir):
            print(table.line(row), flush=True)
            found.append(row)
    failed = [text for row in found for text in table.failures(row)]
    if failed:
        print("\nFailed calls:\n" + "\n".join(failed))
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
    parser.add_argument("--calls", metavar="N", type=int, default=3_000, help="calls in each run")
    parser.add_argument(
        "--seconds",
        metavar="N",
        type=float,
        default=75.0,
        help="when to cut a run; the default lets a window of a minute open twice",
    )
    parser.add_argument("--quick", action="store_true", help="500 calls, cut after 15 s: only a test")
    parser.add_argument("--packages", metavar="DIR", type=Path, help="folder of the packages")
    parser.add_argument(
        "--install",
        action="store_true",
        help="install missing packages into --packages, by default into a folder that is deleted at the end",
    )
    return parser


def _install(throttles: Sequence[Throttle], packages_dir: Path) -> None:
    for needs in dict.fromkeys(throttle.needs for throttle in throttles):
        error = packages.install(needs, packages_dir)
        if error is not None:
            print(f"{', '.join(needs.packages)} could not be installed: {error}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
