"""Waits for tasks until they end, even when the waiting task is cancelled."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


def is_callers_cancellation(error: BaseException) -> bool:
    """Whether this task itself is cancelled, and not only something that it awaits."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling() > 0)


def cancellations() -> int:
    """How often this task was cancelled."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


async def cancel_and_wait(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and wait until all of them have ended, however long that takes.

    Raises:
        asyncio.CancelledError: The waiting task was cancelled meanwhile; by then all tasks have ended.
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
    """Run work that takes no longer than a disk does to its end; a cancellation is raised afterwards."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        task.exception()  # mark it as retrieved: the cancellation takes precedence
        raise cancelled
    task.result()


def forget_frames(error: BaseException) -> None:
    """Drop the tracebacks of an error and of its causes: 16 kB of frames, a million times."""
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is not None and link.__traceback__ is not None:
            link.__traceback__ = None
            links += [link.__cause__, link.__context__]
