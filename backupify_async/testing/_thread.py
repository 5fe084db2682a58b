"""A server in its own thread, for tests without an event loop or with another one."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from backupify_async.testing._server import SimulatedBackupify

_Started = Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]


@contextmanager
def running_in_thread(server: SimulatedBackupify) -> Iterator[SimulatedBackupify]:
    """Run a server on its own event loop in a thread, for the duration of a `with` block.

    Args:
        server: A server that is not running.

    Yields:
        The same server, running. At the end of the block it is stopped, and the thread has ended.

    Raises:
        OSError: The port is in use.
        RuntimeError: The server is already running.
    """
    started: _Started = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(server, started)), name="simulated-backupify")
    thread.start()
    try:
        loop, stopping = started.result()
        try:
            yield server
        finally:
            loop.call_soon_threadsafe(stopping.set)
    finally:
        thread.join()


async def _serve(server: SimulatedBackupify, started: _Started) -> None:
    stopping = asyncio.Event()
    try:
        await server.start()
    except Exception as error:  # noqa: BLE001 - the other thread waits for it
        started.set_exception(error)
        return
    started.set_result((asyncio.get_running_loop(), stopping))
    await stopping.wait()
    await server.stop()
