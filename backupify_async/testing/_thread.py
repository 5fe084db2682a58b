"""A server in a thread of its own, for tests that have no event loop or another one."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from backupify_async.testing._server import SimulatedBackupify

_Started = Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]


@contextmanager
def running_in_thread(server: SimulatedBackupify) -> Iterator[SimulatedBackupify]:
    """Run a server on an event loop of its own in a thread, for the length of a `with` block.

    Args:
        server: not yet started.

    Yields:
        The same server, started; it is stopped and the thread has ended when the block is left.

    Raises:
        OSError: if its port is taken.
        RuntimeError: if it is running already.
    """
    started: _Started = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(server, started)), name="simulated-backupify")
    thread.start()
    try:
        loop, leaving = started.result()
        try:
            yield server
        finally:
            loop.call_soon_threadsafe(leaving.set)
    finally:
        thread.join()


async def _serve(server: SimulatedBackupify, started: _Started) -> None:
    leaving = asyncio.Event()
    try:
        await server.start()
    except Exception as error:  # noqa: BLE001 - whatever it is, the other thread waits for it
        started.set_exception(error)
        return
    started.set_result((asyncio.get_running_loop(), leaving))
    await leaving.wait()
    await server.stop()
