"""The event loop of the command line."""

import asyncio
import contextlib
import errno
import importlib
import os
import sys

_UVLOOP_FILES = 10  # seven for a loop, two for its signals, and one to spare
_ASYNCIO_FILES = 3  # a selector and a pair of sockets


def new_runner() -> asyncio.Runner:
    """Runs coroutines in a new event loop, as `asyncio.run` does."""
    return asyncio.Runner(loop_factory=new_event_loop)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Create uvloop's event loop where the extra `fast` is installed, else asyncio's.

    asyncio's too where a standard stream is closed (libuv aborts once a connection gets a descriptor below
    3), and where the process can open only a few more files (uvloop aborts, or leaves a loop that cannot be
    closed).

    Raises:
        OSError: The process can open no more files. asyncio's loop would add a traceback.
    """
    free = _free_descriptors(_UVLOOP_FILES)
    if free < _ASYNCIO_FILES:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    if free < _UVLOOP_FILES or None in (sys.stdin, sys.stdout, sys.stderr):
        return asyncio.new_event_loop()
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _free_descriptors(most: int) -> int:
    """The number of file descriptors that this process can still open; `most` at most."""
    taken: list[int] = []
    with contextlib.suppress(OSError):
        taken.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(most))
    for descriptor in taken:
        os.close(descriptor)
    return len(taken)
