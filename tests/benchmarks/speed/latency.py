"""How much longer a call takes than a bare one, and whether two fleets of one client get equal shares.

The server responds after 250 ms, so that 512 calls in flight are some 2,000 a second, which a loop can
handle. The round trip is the median of the bare calls, with their own queueing.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator

import aiohttp
import attrs

from backupify_async import BackupifyClient
from tests.benchmarks.speed.measuring import Figure
from tests.benchmarks.speed.ours import client_at
from tests.benchmarks.speed.peers import HEADERS, active, work
from tests.benchmarks.speed.server import Server
from tests.benchmarks.speed.sizes import Size
from tests.benchmarks.speed.table import Row

_WAIT = 250  # milliseconds
_WARM = 3  # calls of each worker that are not counted: connections are opened, and the limiter learns
_WAVES = 4  # calls of each worker that are counted
_TARGETS = {("p99", 512): (10.0, 5.0)}
_MOST_PAIRS = 5


@attrs.frozen
class _Waits:
    """Seconds that calls took: the median, and the 99th percentile."""

    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: list[float]) -> "_Waits":
        cuts = statistics.quantiles(seconds, n=100, method="inclusive")
        return cls(cuts[49], cuts[98])


def rows(server: Server, size: Size) -> Iterator[Row]:
    """Added latency in percent of the round trip, and fairness."""
    with asyncio.Runner() as runner:
        for in_flight in size.in_flight:
            rounds = min(size.pairs, _MOST_PAIRS)
            pairs = [runner.run(_pair(server.at(wait=_WAIT), in_flight)) for _ in range(rounds)]
            for name in ("p50", "p99"):
                added = Figure.of(
                    100 * (getattr(ours, name) - getattr(bare, name)) / bare.p50 for bare, ours in pairs
                )
                must, goal = _TARGETS.get((name, in_flight), (None, None))
                yield Row(f"{name} of added latency, {in_flight:,} in flight", added, must, goal, "%")
            shares = Figure.of(runner.run(_share(server.at(), in_flight)) for _ in range(rounds))
            yield Row(
                f"share of the slower of two equal fleets, {in_flight:,} in flight", shares, unit="shares"
            )


async def _pair(base_url: str, in_flight: int) -> tuple[_Waits, _Waits]:
    return await _bare(base_url, in_flight), await _ours(base_url, in_flight)


async def _bare(base_url: str, in_flight: int) -> _Waits:
    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(headers=HEADERS, connector=connector) as session:

        async def call(instance: int) -> None:
            async with session.get(active(base_url, instance)) as response:
                await response.json()

        return await _timed(call, in_flight)


async def _ours(base_url: str, in_flight: int) -> _Waits:
    async with client_at(base_url, in_flight) as client:

        async def call(instance: int) -> None:
            await client.backups.get_active(instance)

        return await _timed(call, in_flight)


async def _timed(call: Callable[[int], Awaitable[object]], in_flight: int) -> _Waits:
    """How long calls take with this number in flight at all times."""
    seconds: list[float] = []

    async def timed(_: int) -> None:
        began = time.perf_counter()
        await call(42)
        seconds.append(time.perf_counter() - began)

    await work(timed, in_flight, in_flight * _WARM)
    seconds.clear()
    await work(timed, in_flight, in_flight * _WAVES)
    return _Waits.of(seconds)


async def _share(base_url: str, in_flight: int) -> float:
    """How many outcomes the slower fleet has when the faster one is done, over those of the faster one."""
    async with client_at(base_url, in_flight) as client:
        keys = in_flight * _WAVES
        done = [0, 0]
        halves = [asyncio.create_task(_sweep(client, keys, in_flight, done, at)) for at in range(2)]
        await asyncio.wait(halves, return_when=asyncio.FIRST_COMPLETED)
        share = min(done) / max(done)
        await asyncio.gather(*halves)
        return share


async def _sweep(client: BackupifyClient, keys: int, in_flight: int, done: list[int], at: int) -> None:
    async with client.fleet(range(keys), concurrency=in_flight).get_active() as outcomes:
        async for _ in outcomes:
            done[at] += 1
