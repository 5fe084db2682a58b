"""Ends triggers gently: the first signal lets those that have left come to their end, the second does not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backupify_async._cli.interrupts import Stop
from backupify_async._cli.output import Output
from backupify_async.client import BackupifyClient

DRAIN_SECONDS = 60.0
"""A lost answer takes half of it to settle; who stops services waits for up to 90 (systemd)."""
_AT_ONCE = 0.05  # seconds in which a second signal is still the first: `timeout` sends each twice


@asynccontextmanager
async def drained(stop: Stop, client: BackupifyClient, output: Output) -> AsyncIterator[None]:
    """Within it, the first signal drains the client."""
    draining: list[asyncio.Task[None]] = []
    stop.gently = lambda: draining.append(asyncio.create_task(_drain(stop, client, output)))
    try:
        yield
    finally:
        stop.gently = None
        for task in draining:
            task.cancel()
        if draining:
            await asyncio.wait(draining)


async def _drain(stop: Stop, client: BackupifyClient, output: Output) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_answer(stop, output))
        await client.drain(DRAIN_SECONDS)
    stop.now()


async def _answer(stop: Stop, output: Output) -> None:
    why, stop.message = stop.message or "nobody reads stdout", ""
    await asyncio.sleep(_AT_ONCE)
    stop.answered = True  # before the line is there: whoever reads it may be quick
    output.say(
        f"{why}: nothing more is triggered; what has left is followed to its end, for "
        f"{DRAIN_SECONDS:g} s at most, or until the next signal"
    )
