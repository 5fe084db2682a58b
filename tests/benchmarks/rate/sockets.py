"""How close to the limit of the simulated server does the client get over real sockets, without knowing it?

`python -m tests.benchmarks.rate.sockets`: 3,000 calls of get-active with a token bucket of 83 a second, and
with windows of 140 in 2 seconds, on the wall clock. The ideal is what the limit allows from the first call
on. `--quick` sends a few hundred calls.
"""

import argparse
import asyncio
import time
from collections.abc import Callable

import attrs

from backupify_async import BackupifyClient, ClientCredentials
from backupify_async.testing import FixedWindow, SimulatedBackupify, TokenBucket


@attrs.frozen
class Scenario:
    """A server with a limit, and the shortest time in seconds for a number of calls."""

    name: str
    limit: TokenBucket | FixedWindow
    ideal: Callable[[int], float]


SCENARIOS = (
    Scenario("token bucket 83/s", TokenBucket(83, burst=17), lambda calls: (calls - 17) / 83),
    Scenario("window 140 per 2 s", FixedWindow(140, 2), lambda calls: (calls - 1) // 140 * 2.0),
)


async def run(scenario: Scenario, calls: int) -> str:
    """Send this many calls. Returns a line with the result."""
    async with (
        SimulatedBackupify(instances=calls, rate_limit=scenario.limit) as server,
        BackupifyClient(ClientCredentials("demo", "demo"), base_url=server.base_url) as client,
    ):
        began = time.monotonic()
        results = await client.fleet(range(1, calls + 1), concurrency=64).get_active()
        took = time.monotonic() - began
        now = client.statistics()
    share = 100 * now.refused / now.requests
    return (
        f"{scenario.name}: {100 * scenario.ideal(calls) / took:.1f} % of ideal, {share:.2f} % refused, "
        f"{len(results.values)} accepted, {len(results.errors)} errors, {took:.1f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few calls: only a test")
    calls = 300 if parser.parse_args().quick else 3_000
    for scenario in SCENARIOS:
        print(asyncio.run(run(scenario, calls)), flush=True)


if __name__ == "__main__":
    main()
