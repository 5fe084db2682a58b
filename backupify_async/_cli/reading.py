"""Reads from files and streams, as little as the operating system lets it assume of them."""

import errno
import os
import select
import sys
from pathlib import Path

from backupify_async._cli.exit_codes import Exit, ExitCode


def read_some(number: int, size: int) -> bytes:
    """Read from a file descriptor as much as there is, also from one that is non-blocking; b"" at its end.

    Raises:
        OSError: It cannot be read from; so it is for stdin where this process was started without.
    """
    if number == 0 and sys.stdin is None:
        raise OSError(errno.EBADF, "it is closed")  # the number 0 may be a socket by now
    while True:
        try:
            return os.read(number, size)
        except BlockingIOError:  # stdin is shared with whoever started us, and so is its mode
            select.select([number], [], [])


def absolute(name: str) -> Path:
    """A file by its whole path.

    Raises:
        Exit: It has none, for the working directory is gone.
    """
    try:
        return Path(name).absolute()
    except OSError as error:
        raise Exit(
            ExitCode.USAGE,
            f"{name}: the working directory cannot be used ({error.strerror}): give the file's whole path",
        ) from None
