"""What do calls cost with our client, compared with code that a user would write?

`python -m tests.benchmarks.speed`. Each figure is a ratio, ours over theirs, of two values that were measured
by turns in one run: the median of all pairs, and their range. CPU is the time of the whole process. Our
client has all features on: caps, retries, the limiter, typed errors, one outcome for each call.

*Memory kept*: asyncio's own loop reads into a new buffer of 256 KiB each time. glibc maps and unmaps a block
of this size, which takes 13 µs here, until the process frees a larger one; from then on it keeps such memory.
Both are common. Our client reads 64 KiB at once, for which no memory is mapped. Memory is kept in the rows
that say so and in all rows below them, except those with processes of their own.
"""

import argparse
import asyncio
import os
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.benchmarks.speed import (
    alternatives,
    calls,
    growth,
    latency,
    layers,
    lists,
    memory,
    plot,
    prefetch,
    reading,
    starting,
    triggers,
)
from tests.benchmarks.speed.measuring import keep_memory
from tests.benchmarks.speed.server import WHAT, running
from tests.benchmarks.speed.sizes import FULL, QUICK, SMALLEST
from tests.benchmarks.speed.table import Row, head, line

_WORKS = {
    "calls": calls,
    "layers": layers,
    "alternatives": alternatives,
    "lists": lists,
    "reading": reading,
    "triggers": triggers,
    "prefetch": prefetch,
    "starting": starting,
    "memory": memory,
    "latency": latency,
    "growth": growth,
}
_PACKAGES = (
    "backupify_async",
    "aiohttp",
    "uvloop",
    "tenacity",
    "aiolimiter",
    "aiohttp-retry",
    "httpx",
    "niquests",
    "requests",
    "urllib3",
    "urllib3-future",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument("--quick", action="store_true", help="small batches: under a minute")
    how_much.add_argument("--smallest", action="store_true", help="only a test")
    parser.add_argument("--only", choices=_WORKS, nargs="+", default=list(_WORKS), help="only these")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="also draw the ratios, as SVG")
    options = parser.parse_args()
    size = QUICK if options.quick else SMALLEST if options.smallest else FULL
    began = time.monotonic()
    found: list[Row] = []
    with running() as server:
        print(str(__doc__).split("\n\n", 1)[1])
        ceiling = asyncio.run(server.ceiling())
        print(f"The server, {WHAT}, responds to {ceiling:,.0f} requests a second.\n")
        print(head())
        for name in [name for name in _WORKS if name in options.only]:
            if name != "calls":
                keep_memory()
            for row in _WORKS[name].rows(server, size):
                print(line(row), flush=True)
                found.append(row)
    if options.plot is not None:
        options.plot.write_text(plot.svg(found))
    missed = sum(row.verdict == "missed" for row in found)
    print(f"\n{missed} missed. {_where()}, {time.monotonic() - began:.0f} s.")


def _where() -> str:
    """The date, the machine and the versions."""
    packages = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return f"{datetime.now(UTC):%Y-%m-%d}, {machine}{load}, {python}, {packages}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
