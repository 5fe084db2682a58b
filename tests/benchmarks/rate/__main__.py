"""How near to the server's limit do we run, untold?

`python -m tests.benchmarks.rate`, in virtual time: percent of the ideal / percent refused of all that was
sent, for the real session and limiter and for the usual ways. The ideal is the same client, told by an oracle
when each call will pass. A cell is the median of its seeds, in brackets the worst; of random servers the
median, in brackets where the worse tenth begins. A 0 of the ideal: it did not end in ten times that.
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
        help="20,000 calls, 20 seeds, 200 random servers of each kind; only ours: half an hour on two cores",
    )
    size.add_argument("--quick", action="store_true", help="500 calls, one seed: to see that it runs")
    parser.add_argument("--only", metavar="TEXT", default="", help="only the rows whose name holds this")
    parser.add_argument(
        "--service",
        metavar="MS/MS",
        type=service,
        default=PLAIN,
        help="what the server takes for a success and for a refusal, such as 50/1",
    )
    parser.add_argument(
        "--alone", action="store_true", help="our limiter without a session: faster, and much the same"
    )
    parser.add_argument("--plot", metavar="FILE", type=Path, help="also draw what happens, as SVG")
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
