"""Files of ids: read line by line; which of them can be read again, and whether one is what it was."""

import codecs
import hashlib
import os
import re
import stat
from collections.abc import AsyncIterator, Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

import attrs

from backupify_async._cli.output import write_all
from backupify_async._cli.reading import read_some
from backupify_async._cli.text import bare
from backupify_async._cli.threads import DaemonThread

STDIN = "-"

_LONGEST_LINE = 4_096  # bytes
_CHUNK = 65_536
_COMMENT = re.compile(r"\s#.*", re.DOTALL)
_MOST_LINKS = 40  # as Linux has it (path_resolution(7))


class ChangedFile(Exception):
    """A file is not what it was."""


@attrs.frozen
class Mark:
    """By what a file is known again, wherever it is and whenever it was written.

    Attributes:
        size: How many bytes it has.
        sha256: Their hash, as `sha256sum` writes it.
    """

    size: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.size} bytes with SHA-256 {self.sha256}"


class Reader:
    """Reads a plain file that is to be the same from the first to the last byte, and as it was marked.

    It is read twice: what is handed out by the second reading is what the first one had, chunk by chunk.
    One digest for each chunk is kept: a two-thousandth of the file.

    Args:
        descriptor: The file, at its beginning.
        known: The mark that it must have; None for any.

    Raises:
        ChangedFile: It has another, or is no plain file.
        OSError: It cannot be read.
    """

    def __init__(self, descriptor: int, known: str | None) -> None:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ChangedFile
        self._descriptor: Final = descriptor
        digests = []
        whole, size = hashlib.sha256(), 0
        while chunk := _read(descriptor):
            whole.update(chunk)
            size += len(chunk)
            digests += [hashlib.sha256(chunk).digest()]
        self.mark: Final = Mark(size, whole.hexdigest())
        if known not in (None, str(self.mark)):
            raise ChangedFile
        os.lseek(descriptor, 0, os.SEEK_SET)
        self._digests = chain(digests, [hashlib.sha256(b"").digest()])

    def __call__(self) -> bytes:
        """The next bytes; none at the end.

        Raises:
            ChangedFile: They are not what they were.
            OSError: It cannot be read.
        """
        chunk = _read(self._descriptor)
        if hashlib.sha256(chunk).digest() != next(self._digests):
            raise ChangedFile
        return chunk


def mark_of(path: str) -> Mark:
    """The mark of a plain file.

    Raises:
        ChangedFile: It is none.
        OSError: It cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # nobody may write to a pipe
    try:
        return Reader(descriptor, None).mark
    finally:
        os.close(descriptor)


def is_plain(path: str) -> bool:
    """Whether a name leads to a plain file, and will lead another process there too.

    /dev/stdin and /dev/fd/N lead to a plain file where one was redirected, and the next time to another one:
    what is open in this process already, by device and inode, counts as such.

    Raises:
        OSError: It leads nowhere, or may not be followed.
    """
    found = Path(path).stat()
    return (
        stat.S_ISREG(found.st_mode)
        and not any(_is_same(found, descriptor) for descriptor in _open_ones())
        and not _leads_through_a_descriptor(path)
    )


def _is_same(found: os.stat_result, descriptor: int) -> bool:
    try:
        return os.path.samestat(found, os.fstat(descriptor))
    except OSError:  # it was closed
        return False


def _open_ones() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/dev/fd")]  # noqa: PTH208 - its names are numbers
    except OSError:
        return [0]


def _leads_through_a_descriptor(path: str) -> bool:
    """Whether a name, link after link, leads through those of a process's open files."""
    name = Path.cwd() / path
    for _ in range(_MOST_LINKS):
        directory = name.parent.resolve()
        if directory == Path("/dev") or any(map(directory.is_relative_to, ("/dev/fd", "/proc"))):
            return True
        name = directory / name.name
        if not name.is_symlink():
            return False
        name = directory / name.readlink()
    return True


def _read(descriptor: int) -> bytes:
    """A whole chunk; less only at the end."""
    chunk = b""
    while len(chunk) < _CHUNK and (piece := os.read(descriptor, _CHUNK - len(chunk))):
        chunk += piece
    return chunk


def copy_bytes(source: str | int, writing: int) -> Mark:
    """Copy a file, or stdin, to its end.

    Args:
        source: Where it is, or "-"; or a file that is open, which is read from its beginning.
        writing: A descriptor to write to.

    Raises:
        OSError: It cannot be read, or written.
    """
    whole, size = hashlib.sha256(), 0
    reading = _opened(source)
    try:
        while chunk := read_some(reading, _CHUNK):
            write_all(writing, chunk)
            whole.update(chunk)
            size += len(chunk)
    finally:
        _close(reading, source)
    return Mark(size, whole.hexdigest())


def spool(path: str) -> int:
    """Copy what can be read only once to a file without a name; returns its descriptor.

    Raises:
        OSError: It cannot be read, or copied.
    """
    from tempfile import TemporaryFile  # noqa: PLC0415 - dear to import, and few commands need it

    with TemporaryFile(buffering=0) as file:
        copy_bytes(path, file.fileno())
        return os.dup(file.fileno())


def _opened(source: str | int) -> int:
    """A descriptor to read from."""
    if isinstance(source, int):
        os.lseek(source, 0, os.SEEK_SET)
        return source
    return 0 if source == STDIN else os.open(source, os.O_RDONLY)


def _close(descriptor: int, source: str | int) -> None:
    if isinstance(source, str) and source != STDIN:
        os.close(descriptor)


async def read_lines(source: str | int, known: str | None = None) -> AsyncIterator[bytes]:
    """The lines of a file or of stdin, without their ends, read in a thread.

    Args:
        source: Where it is, or "-"; or a file that is open, which is read from its beginning.
        known: The mark that it must have; None for any.

    Raises:
        ChangedFile: It has another.
        OSError: It cannot be read.
    """
    thread = DaemonThread("ids")
    descriptor: int | None = None
    try:
        descriptor = await thread.call(_opened, source)
        read: Callable[[], bytes] = partial(read_some, descriptor, _CHUNK)
        if known is not None:
            read = await thread.call(Reader, descriptor, known)
        rest = b""
        while chunk := await thread.call(read):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line
            if len(rest) > _LONGEST_LINE:
                yield rest  # no end in sight; whoever reads ids refuses it
        if rest:
            yield rest
    finally:
        if descriptor is not None:
            thread.submit(_close, descriptor, source)
        thread.close()


def text_on(line: bytes, *, first: bool) -> str:
    """What stands on a line, without white space around it and without a comment.

    Raises:
        ValueError: It is no UTF-8, or far too long.
    """
    if len(line) > _LONGEST_LINE:
        raise ValueError(f"longer than {_LONGEST_LINE} bytes")
    try:
        text = line.removeprefix(codecs.BOM_UTF8 if first else b"").decode()
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    text = bare(text)
    return "" if text.startswith("#") else bare(_COMMENT.sub("", text))
