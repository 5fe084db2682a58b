"""Runs blocking calls in daemon threads.

Reading from a terminal and writing to a pager take as long as a person likes. At exit the interpreter waits
for the threads of asyncio's own executor (`asyncio.to_thread`), so Ctrl-C would hang; it does not wait for a
daemon thread.
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
    """A thread that runs calls one after another.

    Calls that can block must use file descriptors and not buffered files: a buffered file's lock that is
    still held when the interpreter exits would abort the process.

    Args:
        name: The thread's name.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call and wait for its result; when cancelled, a call that has started is left running."""
        return await asyncio.wrap_future(self.submit(function, *args, **kwargs))

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a call without waiting for it."""
        future: Future[T] = Future()
        self._jobs.put((future, partial(function, *args, **kwargs)))
        return future

    def close(self) -> None:
        """End the thread after the calls that it was given."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, function = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - raised where the future is awaited
                future.set_exception(error)


async def in_daemon_thread(name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one call in a thread of its own, as `DaemonThread.call` does."""
    thread = DaemonThread(name)
    try:
        return await thread.call(function, *args, **kwargs)
    finally:
        thread.close()
