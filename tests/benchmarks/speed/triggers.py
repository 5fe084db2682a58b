"""Triggers: each of ours has a new connection, so that nothing sends it a second time."""

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

_OURS, _KEPT, _NEW = "ours", "kept connections", "new connections"


@contextlib.asynccontextmanager
async def bare_triggers(base_url: str, *, new: bool) -> AsyncIterator[Batch]:
    """Send triggers, and read the responses as JSON."""
    connector = aiohttp.TCPConnector(force_close=new)
    async with aiohttp.ClientSession(headers=HEADERS, connector=connector) as session:

        async def call(instance: int) -> None:
            async with session.post(f"{base_url}/v1/backup_instances/{instance}/backups") as response:
                assert (await response.json())["id"] == ACTIVE_ID

        yield partial(work, call, CONCURRENCY)


def rows(server: Server, size: Size) -> Iterator[Row]:
    """Over bare aiohttp with its defaults, and with new connections as ours has."""
    calls = max(1, size.calls // 10)
    ways = [
        Way(_KEPT, partial(bare_triggers, server.at(), new=False), calls),
        Way(_NEW, partial(bare_triggers, server.at(), new=True), calls),
        Way(_OURS, partial(fan_out, server.at(), Fleet.trigger), calls),
    ]
    found = costs(ways, size.pairs)
    for over in (_NEW, _KEPT):
        yield Row(f"CPU of a trigger, over bare aiohttp on {over}", ratio(found, _OURS, over))
