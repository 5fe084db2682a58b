"""How close to the server's limit does the client get without knowing it?

`python -m tests.benchmarks.rate`, in virtual time: percent of the ideal / percent of the requests that were
refused, for the real session and limiter and for the usual strategies. The ideal is the same client, which
knows from an oracle when each call is accepted. A cell is the median of the seeds, in brackets the worst; for
random servers the median, in brackets the border of the worst tenth. 0 of the ideal: it did not end in ten
times that time.
"""

import argparse
import platform
import time
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from backupify_async import __version__
from tests.benchmarks.rate import plot
from tests.benchmarks.rate.baselines import BASELINES
from tests.benchmarks.rate.scenarios import RANDOM_KINDS, SCENARIOS
from tests.benchmarks.rate.table import OURS, head, line, table
from tests.benchmarks.rate.timing import PLAIN, service


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.rate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--full",
        action="store_true",
        help="20,000 calls, 20 seeds, 200 random servers of each kind, only ours: half an hour on 2 cores",
    )
    size.add_argument("--quick", action="store_true", help="500 calls, one seed: only a test")
    parser.add_argument("--only", metavar="TEXT", default="", help="only the rows whose name contains this")
    parser.add_argument(
        "--service",
        metavar="MS/MS",
        type=service,
        default=PLAIN,
        help="how long the server takes for a success and for a refusal, such as 50/1",
    )
    parser.add_argument(
        "--alone", action="store_true", help="our limiter without a session: faster, with similar results"
    )
    parser.add_argument("--plot", metavar="FILE", type=Path, help="also draw the runs, as SVG")
    options = parser.parse_args()
    calls, seeds, servers = 5_000, 3, 10
    if options.full:
        calls, seeds, servers = 20_000, 20, 200
    elif options.quick:
        calls, seeds, servers = 500, 1, 1
    baselines = () if options.full else tuple(BASELINES)
    began = time.monotonic()
    print(str(__doc__).split("\n\n")[1])
    print(f"\n{calls:,} calls, {seeds} seeds, {servers} random servers of each kind.")
    print(f"Service: {options.service} ms (success/refusal).\n")
    print(head(baselines))
    missed = 0
    rows = [scenario for scenario in (*SCENARIOS, *RANDOM_KINDS) if options.only in scenario.name]
    for row in table(calls, seeds, servers, rows, baselines, timing=options.service, alone=options.alone):
        print(line(row, baselines), flush=True)
        missed += not row.cells[OURS].reaches(row.target)
    if options.plot is not None:
        options.plot.write_text(plot.svg(500 if options.quick else 5_000))
    versions = (
        f"backupify_async {__version__}, Python {platform.python_version()}, aiohttp {aiohttp.__version__}"
    )
    print(f"\n{missed} missed. {datetime.now(UTC):%Y-%m-%d}, {versions}, {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    main()
