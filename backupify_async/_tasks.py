"""Tasks that are waited for to their end, whatever comes meanwhile."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def cancel_and_wait(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and wait until the last one has ended, whatever it takes and however it ends.

    Raises:
        asyncio.CancelledError: Whoever waits was cancelled meanwhile; by then all tasks have ended.
    """
    pending = {task for task in tasks if not task.done()}
    for task in pending:
        task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while pending:
        try:
            _, pending = await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = error
            pending = {task for task in pending if not task.done()}
    if cancelled is not None:
        raise cancelled


async def to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await what takes no longer than a disk does, to its end; a cancellation is raised behind it."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        task.exception()  # it was seen, and the cancellation stands above it
        raise cancelled
    task.result()


def forget_frames(error: BaseException) -> None:
    """Drop the tracebacks of an error and of what led to it: they hold 16 kB of frames, a million times."""
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is not None and link.__traceback__ is not None:
            link.__traceback__ = None
            links += [link.__cause__, link.__context__]
