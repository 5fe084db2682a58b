"""Triggers: ours are sent over a connection of their own, so that a lost one is surely lost."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from functools import partial

import aiohttp

from backupify_async._fleet.fleet import Fleet
from tests.benchmarks.speed.measuring import Batch, Way, costs, ratio
from tests.benchmarks.speed.ours import CONCURRENCY, fan_out
from tests.benchmarks.speed.peers import HEADERS, work
from tests.benchmarks.speed.server import ACTIVE_ID, Server
from tests.benchmarks.speed.sizes import Size
from tests.benchmarks.speed.table import Row

_OURS, _KEPT, _FRESH = "ours", "kept connections", "fresh connections"


@contextlib.asynccontextmanager
async def bare_triggers(base_url: str, *, fresh: bool) -> AsyncIterator[Batch]:
    """Posts, and reads the answer as JSON."""
    connector = aiohttp.TCPConnector(force_close=fresh)
    async with aiohttp.ClientSession(headers=HEADERS, connector=connector) as session:

        async def call(instance: int) -> None:
            async with session.post(f"{base_url}/v1/backup_instances/{instance}/backups") as response:
                assert (await response.json())["id"] == ACTIVE_ID

        yield partial(work, call, CONCURRENCY)


def rows(server: Server, size: Size) -> Iterator[Row]:
    """Over bare aiohttp as it is, and over one that is as careful with its connections."""
    calls = max(1, size.calls // 10)
    ways = [
        Way(_KEPT, partial(bare_triggers, server.at(), fresh=False), calls),
        Way(_FRESH, partial(bare_triggers, server.at(), fresh=True), calls),
        Way(_OURS, partial(fan_out, server.at(), Fleet.trigger), calls),
    ]
    found = costs(ways, size.pairs)
    for over in (_FRESH, _KEPT):
        yield Row(f"CPU of a trigger, over bare aiohttp on {over}", ratio(found, _OURS, over))
