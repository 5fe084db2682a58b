"""What processes reach that share one learned limit.

Percent of the ideal / percent refused of all that was sent, in virtual time: for one client, for processes
that do not share the limit, and for processes that do. The ideal is one client that an oracle tells when each
call will pass. A cell is the median of its seeds.
"""

import argparse
import platform
import time
from datetime import UTC, datetime

from backupify_async.version import __version__
from tests.benchmarks.shared import faults, table
from tests.benchmarks.shared.stores import STORES, Milliseconds


def _turns(text: str) -> Milliseconds:
    low, high = (float(part) for part in text.split("-"))
    return low, high


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.shared",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="only the rows whose name holds this")
    parser.add_argument("--calls", type=int, default=5_000, help="how many calls (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="how many servers of each kind")
    parser.add_argument("--processes", type=int, default=8, help="how many processes share (default: 8)")
    parser.add_argument("--store", choices=sorted(STORES), default="memory", help="where the limit is shared")
    parser.add_argument(
        "--turns",
        metavar="MS-MS",
        type=_turns,
        help="milliseconds to the store and back, such as 1-20; else the store is on the same machine",
    )
    parser.add_argument("--alone", action="store_true", help="also processes that do not share the limit")
    parser.add_argument("--faults", action="store_true", help="the table of faults instead")
    parser.add_argument("--jobs", type=int, help="on how many processors (default: all)")
    options = parser.parse_args()
    began = time.monotonic()
    missed = faults.print_table(options.only, options.seeds) if options.faults else _print_table(options)
    versions = f"backupify_async {__version__}, Python {platform.python_version()}"
    print(f"\n{missed} missed. {datetime.now(UTC):%Y-%m-%d}, {versions}, {time.monotonic() - began:.0f} s.")


def _print_table(options: argparse.Namespace) -> int:
    print(str(__doc__).split("\n\n")[1])
    away = "on the same machine" if options.turns is None else "{:g} to {:g} ms away".format(*options.turns)
    print(f"\n{options.calls:,} calls, {options.seeds} seeds, {options.processes} processes, store {away}.\n")
    print(table.head())
    missed = 0
    jobs = table.jobs(
        options.only,
        options.calls,
        options.seeds,
        options.processes,
        options.store,
        options.turns,
        options.alone,
    )
    for row in table.table(jobs, options.jobs):
        print(row, flush=True)
        missed += round(row.part, 1) < table.MUST
    return missed


if __name__ == "__main__":
    main()
