"""What one get-active call of a fan-out costs in CPU, over that of a bare aiohttp loop.

`python -m tests.benchmarks.call_cost`: batches alternate in one process, against a server in another; a
figure is the median of the ratios of neighbouring batches. The bare loop is what a user would write: a
`ClientSession`, a few workers, `await response.json()`; no types, no retries, no limits, no deadline, no
accounting. Ours runs with a limiter that learns, and has nothing to learn here, and with a plain one: the
difference is the price of learning.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable

import aiohttp
import attrs

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


async def cpu_seconds(batch: Awaitable[None]) -> float:
    began = time.process_time()
    await batch
    return time.process_time() - began


@attrs.frozen
class Batch:
    """CPU seconds of one batch of each."""

    bare: float
    learning: float
    plain: float


async def measure(base_url: str, calls: int, rounds: int) -> list[Batch]:
    fixed = RateLimit(adaptive=False)
    async with (
        aiohttp.ClientSession() as session,
        BackupifyClient(StaticToken("token"), base_url=base_url) as learning,
        BackupifyClient(StaticToken("token"), base_url=base_url, rate_limit=fixed) as plain,
    ):
        kinds: tuple[Callable[[int], Awaitable[None]], ...] = (
            lambda count: bare(session, base_url, count),
            lambda count: ours(learning, count),
            lambda count: ours(plain, count),
        )
        for kind in kinds:
            await kind(500)
        batches = []
        for turn in range(rounds):
            costs = {}
            for index in range(turn, turn + len(kinds)):  # each comes first, second and last as often
                costs[index % len(kinds)] = await cpu_seconds(kinds[index % len(kinds)](calls))
            batches.append(Batch(costs[0], costs[1], costs[2]))
        return batches


def spread(ratios: Iterable[float]) -> str:
    """Their median and their range."""
    ordered = sorted(ratios)
    return f"{statistics.median(ordered):.2f} ({ordered[0]:.2f} to {ordered[-1]:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small batches: to see that it runs")
    quick = parser.parse_args().quick
    calls, rounds = (100, 3) if quick else (500, 99)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.raw_server"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        base_url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        try:
            batches = asyncio.run(measure(base_url, calls, rounds))
        finally:
            server.terminate()
    base = statistics.median(batch.bare for batch in batches) / calls
    print(f"{rounds} rounds of {calls} calls, {CONCURRENCY} at once; a bare call: {base * 1e6:.0f} µs of CPU")
    print(f"CPU of a get-active fan-out call over a bare one: {spread(b.learning / b.bare for b in batches)}")
    print(f"of which for learning the limit: {spread((b.learning - b.plain) / b.bare for b in batches)}")


if __name__ == "__main__":
    main()
