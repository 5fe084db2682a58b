"""Lists: a page of typed backups, and 500 in 25 pages, over plain dicts from a bare aiohttp loop."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from functools import partial

import aiohttp

from backupify_async._fleet.fleet import Fleet
from tests.benchmarks.speed.measuring import Batch, Way, costs, ratio
from tests.benchmarks.speed.ours import CONCURRENCY, fan_out
from tests.benchmarks.speed.peers import HEADERS, work
from tests.benchmarks.speed.server import PER_PAGE, Server
from tests.benchmarks.speed.sizes import Size
from tests.benchmarks.speed.table import Row

_OURS, _BARE = "ours", "bare aiohttp"
_PAGES = 25


@contextlib.asynccontextmanager
async def bare_lists(base_url: str, pages: int) -> AsyncIterator[Batch]:
    """Follow aiohttp's own `response.links`, and collect plain dicts."""
    async with aiohttp.ClientSession(headers=HEADERS) as session:

        async def call(instance: int) -> None:
            url = f"{base_url}/v1/backup_instances/{instance}/backups"
            backups: list[object] = []
            while url:
                async with session.get(url) as response:
                    backups += await response.json()
                    url = str(response.links["next"]["url"]) if "next" in response.links else ""
            assert len(backups) == pages * PER_PAGE

        yield partial(work, call, CONCURRENCY)


def rows(server: Server, size: Size) -> Iterator[Row]:
    """One page, and many pages."""
    one = _costs(server, size, 1, max(1, size.calls // 2))
    yield Row("CPU of a page of 20 typed backups, over plain dicts", ratio(one, _OURS, _BARE), 1.1, 0.95)
    many = _costs(server, size, _PAGES, max(1, size.calls // 100))
    yield Row("CPU of listing 500 backups in 25 pages, over plain dicts", ratio(many, _OURS, _BARE))


def _costs(server: Server, size: Size, pages: int, instances: int) -> dict[str, list[float]]:
    base_url = server.at(pages=pages)
    ways = [
        Way(_BARE, partial(bare_lists, base_url, pages), instances),
        Way(_OURS, partial(fan_out, base_url, Fleet.list), instances),
    ]
    return costs(ways, size.pairs)
