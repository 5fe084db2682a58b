"""Our client with all features on: caps, retries, the adaptive limiter, typed errors, outcomes."""

import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from backupify_async import BackupifyClient, FanOut, RateLimit, StaticToken
from backupify_async._fleet.fleet import Fleet
from tests.benchmarks.speed.measuring import Batch

CONCURRENCY = 64


LEARNING = RateLimit(None, adaptive=True)
PLAIN = RateLimit(None, adaptive=False)


def client_at(
    base_url: str, in_flight: int = CONCURRENCY, rate_limit: RateLimit = LEARNING
) -> BackupifyClient:
    """A client without a rate limit; by default its limiter adapts to the server."""
    return BackupifyClient(
        StaticToken("token"), base_url=base_url, rate_limit=rate_limit, max_concurrency=in_flight
    )


Sweep = Callable[[Fleet], FanOut[int | str, Any]]


@contextlib.asynccontextmanager
async def fan_out(
    base_url: str, sweep: Sweep, in_flight: int = CONCURRENCY, rate_limit: RateLimit = LEARNING
) -> AsyncIterator[Batch]:
    """A fan-out of a fleet, its outcomes consumed one by one."""
    async with client_at(base_url, in_flight, rate_limit) as client:
        yield partial(_consume, client, sweep, in_flight)


async def _consume(client: BackupifyClient, sweep: Sweep, in_flight: int, calls: int) -> None:
    done = 0
    async with sweep(client.fleet(range(calls), concurrency=in_flight)) as outcomes:
        async for outcome in outcomes:
            assert outcome.value
            done += 1
    assert done == calls
