"""Calls that wait for one result."""

import asyncio
import copy

from backupify_async.errors import BackupifyError

Waiters = dict[asyncio.Future[BackupifyError | None], None]
"""The futures of the calls, in their order; a result is the error that the call raises, or None."""


async def wait_among(waiters: Waiters) -> None:
    """Wait until one's own future among them gets a result; raise the error that is that result."""
    waiter: asyncio.Future[BackupifyError | None] = asyncio.get_running_loop().create_future()
    waiters[waiter] = None
    try:
        error = await waiter
    finally:
        del waiters[waiter]
    if error is not None:
        # A copy for each: an exception that is shared collects the tracebacks of all tasks.
        raise copy.copy(error) from error.__cause__
