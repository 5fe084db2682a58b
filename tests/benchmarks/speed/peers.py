"""The same calls with other libraries, as a user would write them, each in the cheapest way of its library:
workers that share an iterator, warm connections, the token in the session's headers.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import local
from typing import Any

import aiohttp
import tenacity

from tests.benchmarks.speed.measuring import Batch
from tests.benchmarks.speed.ours import CONCURRENCY
from tests.benchmarks.speed.server import ACTIVE_ID

HEADERS = {"Authorization": "Bearer token"}
_THREADS = 16


async def work(call: Callable[[int], Awaitable[None]], workers: int, calls: int) -> None:
    """Call with each id, with this many workers."""
    ids = iter(range(calls))

    async def worker() -> None:
        for instance in ids:
            await call(instance)

    await asyncio.gather(*(worker() for _ in range(workers)))


def active(base_url: str, instance: int) -> str:
    """The URL of get-active."""
    return f"{base_url}/v1/backup_instances/{instance}/backups/active"


@contextlib.asynccontextmanager
async def bare_aiohttp(base_url: str, in_flight: int = CONCURRENCY) -> AsyncIterator[Batch]:
    """`ClientSession`, a few workers, `await response.json()`."""
    connector = aiohttp.TCPConnector(limit=max(in_flight, 100))
    async with aiohttp.ClientSession(headers=HEADERS, connector=connector) as session:

        async def call(instance: int) -> None:
            async with session.get(active(base_url, instance)) as response:
                assert (await response.json())["id"] == ACTIVE_ID

        yield partial(work, call, in_flight)


@contextlib.asynccontextmanager
async def aiohttp_with_tools(base_url: str) -> AsyncIterator[Batch]:
    """aiohttp with tenacity, a semaphore and aiolimiter, as in tutorials."""
    from aiolimiter import AsyncLimiter

    semaphore = asyncio.Semaphore(CONCURRENCY)
    limiter = AsyncLimiter(1_000_000, 1)
    async with aiohttp.ClientSession(headers=HEADERS) as session:

        @tenacity.retry(
            stop=tenacity.stop_after_attempt(4),
            wait=tenacity.wait_random_exponential(0.5, 8),
            retry=tenacity.retry_if_exception_type((aiohttp.ClientError, TimeoutError)),
        )
        async def get(instance: int) -> Any:
            async with limiter, session.get(active(base_url, instance)) as response:
                response.raise_for_status()
                return await response.json()

        async def call(instance: int) -> None:
            async with semaphore:
                assert (await get(instance))["id"] == ACTIVE_ID

        async def gather(calls: int) -> None:
            await asyncio.gather(*map(call, range(calls)))

        yield gather


@contextlib.asynccontextmanager
async def aiohttp_retry(base_url: str) -> AsyncIterator[Batch]:
    """aiohttp-retry's client."""
    from aiohttp_retry import ExponentialRetry, RetryClient

    async with aiohttp.ClientSession(headers=HEADERS) as session:
        client = RetryClient(session, retry_options=ExponentialRetry(attempts=4))

        async def call(instance: int) -> None:
            async with client.get(active(base_url, instance)) as response:
                assert (await response.json())["id"] == ACTIVE_ID

        yield partial(work, call, CONCURRENCY)


@contextlib.asynccontextmanager
async def httpx(base_url: str) -> AsyncIterator[Batch]:
    """httpx's asynchronous client."""
    from httpx import AsyncClient, Limits

    limits = Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    async with AsyncClient(headers=HEADERS, limits=limits, trust_env=False) as client:

        async def call(instance: int) -> None:
            assert (await client.get(active(base_url, instance))).json()["id"] == ACTIVE_ID

        yield partial(work, call, CONCURRENCY)


@contextlib.asynccontextmanager
async def niquests(base_url: str) -> AsyncIterator[Batch]:
    """niquests' asynchronous session."""
    from niquests import AsyncSession

    async with AsyncSession(pool_connections=CONCURRENCY, pool_maxsize=CONCURRENCY) as session:
        session.headers["Authorization"] = HEADERS["Authorization"]
        session.trust_env = False

        async def call(instance: int) -> None:
            assert (await session.get(active(base_url, instance))).json()["id"] == ACTIVE_ID

        yield partial(work, call, CONCURRENCY)


@contextlib.asynccontextmanager
async def requests_in_threads(base_url: str) -> AsyncIterator[Batch]:
    """requests, with a session for each thread of a pool."""
    from requests import Session

    held = local()
    sessions: list[Session] = []

    def session() -> Session:
        if not hasattr(held, "session"):
            held.session = Session()
            held.session.headers["Authorization"] = HEADERS["Authorization"]
            held.session.trust_env = False
            sessions.append(held.session)
        current: Session = held.session
        return current

    def call(instance: int) -> None:
        assert session().get(active(base_url, instance)).json()["id"] == ACTIVE_ID

    with ThreadPoolExecutor(_THREADS) as pool:

        async def batch(calls: int) -> None:
            for _ in pool.map(call, range(calls)):
                pass

        yield batch
    for each in sessions:
        each.close()
