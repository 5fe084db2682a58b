"""Calls that may block for as long as they like, off the event loop and in nobody's way.

A read from a terminal, and a write to a pipe into a pager, end when a person pleases. asyncio's own executor
waits for its threads at the program's end, and so Ctrl-C would hang; a daemon thread is left behind.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DaemonThread:
    """A thread that makes calls one after the other.

    Whoever gives it calls that block uses file descriptors and no buffered files: their locks, still held
    when the interpreter ends, would abort it.

    Args:
        name: The thread's name.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call and wait for its end; cancelled, it leaves a call that has begun to itself."""
        return await asyncio.wrap_future(self.submit(function, *args, **kwargs))

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Make a call, and do not wait for it."""
        future: Future[T] = Future()
        self._jobs.put((future, partial(function, *args, **kwargs)))
        return future

    def close(self) -> None:
        """Let the thread end behind the calls that it was given."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, function = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
                future.set_exception(error)


async def in_thread(name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Make one call in a thread of its own, as `DaemonThread.call` does."""
    thread = DaemonThread(name)
    try:
        return await thread.call(function, *args, **kwargs)
    finally:
        thread.close()
