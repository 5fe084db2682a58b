"""What one get-active call of a fan-out costs in CPU, over that of a bare aiohttp loop.

`python -m tests.benchmarks.call_cost`: batches of both alternate in one process, against a server in another;
the figure is the median of the ratios of neighbouring batches. The bare loop is what a user would write:
`ClientSession`, a few workers, `await response.json()`; no types, no retries, no limits, no deadline, no
accounting.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

import aiohttp

from backupify_async import BackupifyClient, RateLimit, StaticToken

CONCURRENCY = 64


async def bare(session: aiohttp.ClientSession, base_url: str, calls: int) -> None:
    ids = iter(range(calls))

    async def worker() -> None:
        for instance in ids:
            url = f"{base_url}/v1/backup_instances/{instance}/backups/active"
            async with session.get(url, headers={"Authorization": "Bearer token"}) as response:
                assert (await response.json())["id"] == 1007

    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))


async def ours(client: BackupifyClient, calls: int) -> None:
    async with client.fleet(range(calls), concurrency=CONCURRENCY).get_active() as outcomes:
        async for outcome in outcomes:
            assert outcome.value is not None
            assert outcome.value.id == 1007


async def cpu_seconds(batch: Callable[[], Awaitable[None]]) -> float:
    began = time.process_time()
    await batch()
    return time.process_time() - began


async def measure(base_url: str, calls: int, pairs: int) -> Iterator[tuple[float, float]]:
    async with (
        aiohttp.ClientSession() as session,
        BackupifyClient(
            StaticToken("token"),
            base_url=base_url,
            rate_limit=RateLimit(per_second=None),
            max_concurrency=CONCURRENCY,
        ) as client,
    ):
        await bare(session, base_url, 500)
        await ours(client, 500)
        return iter(
            [
                (
                    await cpu_seconds(lambda: bare(session, base_url, calls)),
                    await cpu_seconds(lambda: ours(client, calls)),
                )
                for _ in range(pairs)
            ]
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small batches: to see that it runs")
    quick = parser.parse_args().quick
    calls, pairs = (200, 2) if quick else (4000, 9)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.raw_server"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        base_url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        try:
            batches = list(asyncio.run(measure(base_url, calls, pairs)))
        finally:
            server.terminate()
    ratios = sorted(cost / base for base, cost in batches)
    base = statistics.median(base for base, _ in batches) / calls
    print(
        f"CPU of a get-active fan-out call over bare aiohttp's: median {statistics.median(ratios):.2f} "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f}, {pairs} pairs of {calls} calls, "
        f"{CONCURRENCY} at once; bare: {base * 1e6:.0f} µs)"
    )


if __name__ == "__main__":
    main()
