"""Groups of members, each with a gate, over a store in memory, and their calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backupify_async import RateLimit, RetryPolicy
from backupify_async._shared.limiter import SharedLimiter
from backupify_async._transport.gate import Gate
from backupify_async._transport.rate import CallOutcome, Observation
from tests.support.faulty_store import FaultyStore, Memory
from tests.support.scripted import now

TEN_A_SECOND = RateLimit(10, burst=1)


def limiter(memory: Memory, limit: RateLimit | None = None, max_concurrency: int = 64) -> SharedLimiter:
    return SharedLimiter(
        FaultyStore(memory), RateLimit(None) if limit is None else limit, RetryPolicy(), max_concurrency
    )


@asynccontextmanager
async def members(
    memory: Memory, count: int, limit: RateLimit | None = None
) -> AsyncIterator[list[tuple[SharedLimiter, Gate]]]:
    """Members of a group, each at its gate."""
    limiters = [limiter(memory, limit) for _ in range(count)]
    gates = [Gate(one, 64) for one in limiters]
    for one in limiters:
        await one.open()
    try:
        yield list(zip(limiters, gates, strict=True))
    finally:
        for one, gate in zip(limiters, gates, strict=True):
            await gate.close()
            await one.close()


async def call(gate: Gate, *, takes: float = 0.05) -> float:
    """Send a call; return when it was sent."""
    ticket = await gate.acquire()
    sent = now()
    await asyncio.sleep(takes)
    gate.on_response(now(), ticket, 200, {})
    gate.release(ticket)
    return sent


async def refused_call(gate: Gate, retry_after: float) -> None:
    """Send a call that is refused for so long."""
    ticket, sent = await gate.acquire(), now()
    await asyncio.sleep(0.05)
    over_cap = retry_after > RetryPolicy().max_retry_after
    ticket.outcome = CallOutcome.REFUSED
    gate._limiter.on_response(ticket, Observation(sent, now(), 429, retry_after, None, over_cap))
    gate.release(ticket)


async def calls(gate: Gate, count: int) -> list[float]:
    """Send calls, all at once."""
    return list(await asyncio.gather(*(call(gate) for _ in range(count))))
