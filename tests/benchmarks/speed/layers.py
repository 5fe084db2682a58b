"""What each layer of our client costs, from the least that aiohttp needs upwards."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec

import aiohttp
import orjson
from yarl import URL

from backupify_async import Settings, StaticToken
from backupify_async._endpoints.backups import active_request
from backupify_async._fleet.fleet import Fleet
from backupify_async._transport.aiohttp_transport import AiohttpTransport
from backupify_async._transport.session import Session
from backupify_async._transport.transport import PreparedRequest
from tests.benchmarks.speed import peers
from tests.benchmarks.speed.calls import new_uvloop
from tests.benchmarks.speed.measuring import Batch, Way, costs, ratio
from tests.benchmarks.speed.ours import CONCURRENCY, client_at, fan_out
from tests.benchmarks.speed.server import ACTIVE_ID, Server
from tests.benchmarks.speed.sizes import Size
from tests.benchmarks.speed.table import Row

_BARE, _LEAN_FAST = "bare", "lean aiohttp on uvloop, the floor of [fast]"


@contextlib.asynccontextmanager
async def _lean(base_url: str) -> AsyncIterator[Batch]:
    """aiohttp with all its public options that save time, and nothing of ours."""
    origin = URL(base_url)
    async with aiohttp.ClientSession(
        headers=peers.HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None),
    ) as session:

        async def call(instance: int) -> None:
            async with session.get(_active(origin, instance), allow_redirects=False) as response:
                assert orjson.loads(await response.read())["id"] == ACTIVE_ID

        yield partial(peers.work, call, CONCURRENCY)


@contextlib.asynccontextmanager
async def _transport(base_url: str) -> AsyncIterator[Batch]:
    """aiohttp with our caps, time-outs and errors."""
    transport = AiohttpTransport()
    await transport.open(_settings(base_url))
    loop, origin = asyncio.get_running_loop(), URL(base_url)

    async def call(instance: int) -> None:
        url = _active(origin, instance)
        request = PreparedRequest(
            "GET", url, peers.HEADERS, None, datetime.now(UTC), ("token",), sent_time=loop.time()
        )
        assert orjson.loads((await transport(request)).body)["id"] == ACTIVE_ID

    yield partial(peers.work, call, CONCURRENCY)
    await transport.close()


@contextlib.asynccontextmanager
async def _session(base_url: str) -> AsyncIterator[Batch]:
    """With token, gate, limiter, retries and the total time-out too."""
    settings = _settings(base_url)
    session = Session(settings, AiohttpTransport())
    await session.open()

    async def call(instance: int) -> None:
        assert orjson.loads((await session.send(active_request(instance))).body)["id"] == ACTIVE_ID

    yield partial(peers.work, call, CONCURRENCY)
    await session.close()


@contextlib.asynccontextmanager
async def _resource(base_url: str) -> AsyncIterator[Batch]:
    """With types too."""
    async with client_at(base_url) as client:

        async def call(instance: int) -> None:
            assert await client.backups.get_active(instance)

        yield partial(peers.work, call, CONCURRENCY)


def _active(origin: URL, instance: int) -> URL:
    """The URL of get-active, made as cheaply as possible."""
    return origin.with_path(peers.active(origin.raw_path, instance), encoded=True)


def _settings(base_url: str) -> Settings:
    return Settings(credentials=StaticToken("token"), base_url=base_url, max_concurrency=CONCURRENCY)


def rows(server: Server, size: Size) -> Iterator[Row]:
    """Each layer over bare aiohttp."""
    base_url, calls = server.at(), size.calls
    layers: dict[str, Callable[[str], AbstractAsyncContextManager[Batch]]] = {
        "lean aiohttp, the floor": _lean,
        "our transport (caps, time-outs, errors)": _transport,
        "`Session.send` (token, gate, limiter, retries)": _session,
        "`backups.get_active` (types)": _resource,
        "`fleet.get_active` (outcomes)": partial(fan_out, sweep=Fleet.get_active),
    }
    ways = [Way(name, partial(ready, base_url), calls) for name, ready in layers.items()]
    if find_spec("uvloop") is not None:
        ways.append(Way(_LEAN_FAST, partial(_lean, base_url), calls, new_uvloop))
    found = costs([Way(_BARE, partial(peers.bare_aiohttp, base_url), calls), *ways], size.pairs)
    for way in ways:
        yield Row(f"CPU of {way.name}, over bare aiohttp", ratio(found, way.name, _BARE))
