"""Files of ids: reading their lines, and recognising a file that must not change between two runs."""

import hashlib
import os
import stat
from collections.abc import AsyncIterator, Callable
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

import attrs

from backupify_async._cli.daemon_threads import DaemonThread
from backupify_async._cli.descriptors import read_some, write_all
from backupify_async._cli.id_syntax import MAX_LINE

STDIN = "-"
_CHUNK = 65_536  # bytes


class ChangedFile(Exception):
    """A file has other content than expected."""


@attrs.frozen
class Fingerprint:
    """Identifies a file by its content, wherever it is and whenever it was written.

    Attributes:
        size: Its size in bytes.
        sha256: Its SHA-256 in hexadecimal, as `sha256sum` prints it.
    """

    size: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.size} bytes with SHA-256 {self.sha256}"


class VerifiedReader:
    """Reads a regular file, and makes sure that its content stays the same from the first byte to the last.

    A sweep can read its ids over hours. The file is read twice: first whole, for its fingerprint and a digest
    of each chunk (1/2000 of its size in memory), then chunk by chunk, each compared with its digest.

    Args:
        descriptor: The file, at its beginning.
        expected: The fingerprint that it must have; None for any.

    Raises:
        ChangedFile: It has another fingerprint, or is not a regular file.
        OSError: It cannot be read.
    """

    def __init__(self, descriptor: int, expected: str | None) -> None:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ChangedFile
        self._descriptor: Final = descriptor
        digests = []
        whole, size = hashlib.sha256(), 0
        while chunk := _read_chunk(descriptor):
            whole.update(chunk)
            size += len(chunk)
            digests += [hashlib.sha256(chunk).digest()]
        self.fingerprint: Final = Fingerprint(size, whole.hexdigest())
        if expected not in (None, str(self.fingerprint)):
            raise ChangedFile
        os.lseek(descriptor, 0, os.SEEK_SET)
        self._digests = chain(digests, [hashlib.sha256(b"").digest()])

    def __call__(self) -> bytes:
        """The next bytes; b"" at the end.

        Raises:
            ChangedFile: The file was changed since its fingerprint was taken.
            OSError: It cannot be read.
        """
        chunk = _read_chunk(self._descriptor)
        if hashlib.sha256(chunk).digest() != next(self._digests):
            raise ChangedFile
        return chunk


def fingerprint_of(path: str) -> Fingerprint:
    """The fingerprint of a regular file.

    Raises:
        ChangedFile: It is not a regular file.
        OSError: It cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe without a writer blocks
    try:
        return VerifiedReader(descriptor, None).fingerprint
    finally:
        os.close(descriptor)


def is_rereadable(path: str) -> bool:
    """Whether a path names a regular file, and names the same one in another process.

    /dev/stdin, /dev/fd/N and links to them are regular files where a file was redirected, but another file in
    the next process. They are recognised by device and inode: the file is open in this process already.

    Raises:
        OSError: The file does not exist, or is not accessible.
    """
    found = Path(path).stat()
    return (
        stat.S_ISREG(found.st_mode)
        and not any(_is_same(found, descriptor) for descriptor in _open_descriptors())
        and not Path(path).absolute().is_relative_to("/proc")  # /proc/PID/fd/N of another process
    )


def _is_same(found: os.stat_result, descriptor: int) -> bool:
    try:
        return os.path.samestat(found, os.fstat(descriptor))
    except OSError:  # closed meanwhile, as that of the listing itself
        return False


def _open_descriptors() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/dev/fd")]  # noqa: PTH208 - the names are numbers
    except OSError:
        return [0]


def _read_chunk(descriptor: int) -> bytes:
    """A full chunk; less only at the end of the file."""
    chunk = b""
    while len(chunk) < _CHUNK and (piece := os.read(descriptor, _CHUNK - len(chunk))):
        chunk += piece
    return chunk


def copy_bytes(source: str | int, target: int) -> Fingerprint:
    """Copy a file, or stdin, to its end.

    Args:
        source: The path, or "-"; or the descriptor of an open file, which is read from its beginning.
        target: The descriptor to write to.

    Raises:
        OSError: It cannot be read or written.
    """
    whole, size = hashlib.sha256(), 0
    descriptor = _open(source)
    try:
        while chunk := read_some(descriptor, _CHUNK):
            write_all(target, chunk)
            whole.update(chunk)
            size += len(chunk)
    finally:
        _close(descriptor, source)
    return Fingerprint(size, whole.hexdigest())


def spool(path: str) -> int:
    """Copy what can be read only once to an unnamed temporary file; returns its descriptor.

    Raises:
        OSError: It cannot be read or copied.
    """
    with TemporaryFile(buffering=0) as file:
        copy_bytes(path, file.fileno())
        return os.dup(file.fileno())


def _open(source: str | int) -> int:
    if isinstance(source, int):
        os.lseek(source, 0, os.SEEK_SET)
        return source
    return 0 if source == STDIN else os.open(source, os.O_RDONLY)


def _close(descriptor: int, source: str | int) -> None:
    if isinstance(source, str) and source != STDIN:
        os.close(descriptor)


async def read_lines(source: str | int, expected: str | None = None) -> AsyncIterator[bytes]:
    """The lines of a file or of stdin, without their ends, read in a thread.

    Args:
        source: The path, or "-"; or the descriptor of an open file, which is read from its beginning.
        expected: The fingerprint that it must have; None for any.

    Raises:
        ChangedFile: It has another fingerprint.
        OSError: It cannot be read.
    """
    thread = DaemonThread("ids")
    descriptor: int | None = None
    try:
        descriptor = await thread.call(_open, source)
        read: Callable[[], bytes] = partial(read_some, descriptor, _CHUNK)
        if expected is not None:
            read = await thread.call(VerifiedReader, descriptor, expected)
        rest = b""
        while chunk := await thread.call(read):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line
            if len(rest) > MAX_LINE:
                yield rest  # without an end so far; refused as too long
        if rest:
            yield rest
    finally:
        if descriptor is not None:
            thread.submit(_close, descriptor, source)
        thread.close()
