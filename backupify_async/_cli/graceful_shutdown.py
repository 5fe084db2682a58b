"""Ends triggers gracefully: the first signal lets those in flight complete, the second does not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backupify_async._cli.output import Output
from backupify_async._cli.shutdown import Shutdown
from backupify_async.client import BackupifyClient

DRAIN_SECONDS = 60.0
"""Twice what a lost response takes to be settled; systemd waits for up to 90 s before it kills a service."""
_DUPLICATE_SECONDS = 0.05  # a second signal within this time is the same request: `timeout` sends each twice


@asynccontextmanager
async def graceful_shutdown(
    shutdown: Shutdown, client: BackupifyClient, output: Output
) -> AsyncIterator[None]:
    """Within it, the first signal drains the client."""
    draining: list[asyncio.Task[None]] = []
    shutdown.graceful = lambda: draining.append(asyncio.create_task(_drain(shutdown, client, output)))
    try:
        yield
    finally:
        shutdown.graceful = None
        for task in draining:
            task.cancel()
        if draining:
            await asyncio.wait(draining)


async def _drain(shutdown: Shutdown, client: BackupifyClient, output: Output) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_announce(shutdown, output))
        await client.drain(DRAIN_SECONDS)
    shutdown.cancel()


async def _announce(shutdown: Shutdown, output: Output) -> None:
    why, shutdown.message = shutdown.message or "stdout has no reader", ""
    await asyncio.sleep(_DUPLICATE_SECONDS)
    shutdown.announced = True  # before the line is written: its reader can be quick
    output.message(
        f"{why}: no more backups are triggered; waiting for the triggers in flight, for at most "
        f"{DRAIN_SECONDS:g} s; a second signal ends this at once"
    )
