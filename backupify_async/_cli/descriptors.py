"""Reads and writes file descriptors, also those that are non-blocking.

stdin and stdout are shared with the process that started this one, and with them their mode.
"""

import errno
import os
import select
import sys
from typing import TextIO


def descriptor(stream: TextIO | None) -> int:
    """The file descriptor of a standard stream; of the null device where the process has no such stream.

    A process that was started with its stdout closed has None for it, and descriptor 1 may be a socket by
    now.
    """
    return os.open(os.devnull, os.O_WRONLY) if stream is None else stream.fileno()


def read_some(number: int, size: int) -> bytes:
    """Wait until there is something to read, and read up to `size` bytes; b"" at the end.

    Raises:
        OSError: It cannot be read; also where it is stdin, and this process was started without one.
    """
    if number == 0 and sys.stdin is None:
        raise OSError(errno.EBADF, "it is closed")  # descriptor 0 may be a socket by now
    while True:
        try:
            return os.read(number, size)
        except BlockingIOError:
            select.select([number], [], [])


def write_all(number: int, data: bytes) -> None:
    """Write all of the data.

    Raises:
        OSError: It cannot be written.
    """
    remaining = memoryview(data)
    while remaining:
        try:
            remaining = remaining[os.write(number, remaining) :]
        except BlockingIOError:
            select.select([], [number], [])
