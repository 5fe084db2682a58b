"""One value in one file, of which a process that is killed while it writes leaves the old value.

A file has two slots. A write goes to the one that does not hold the latest value, in place, since on a disk a
file that is renamed over another costs ten times as much. A slot is a header of 40 bytes, then the boots and
the value:

    8 bytes   magic
    u32       version of this format
    u32       CRC-32 of all that follows
    u64       sequence number, from 1: the latest value has the highest; odd ones are in the first slot
    f64       when it was written, in seconds since 1970
    u32       length of the boots, ASCII, separated by commas
    u32       length of the value

There is no fsync: a machine that crashes can leave two torn slots, which the checksum notices, and what they
held can be learned again.
"""

import contextlib
import errno
import logging
import os
import stat
import struct
import zlib
from datetime import UTC, datetime
from pathlib import Path

import attrs

from backupify_async._shared.directory import FileAccess
from backupify_async._shared.store import BadRecord

_LOGGER = logging.getLogger("backupify_async.shared")
_MAGIC = b"bkpshare"
_VERSION = 1
_HEAD = struct.Struct(">8sII")  # up to the checksum, which covers the rest
_REST = struct.Struct(">QdII")
_HEADER = _HEAD.size + _REST.size
_SLOT = 1 << 20  # bytes, most of which are never written and take no space
_USUAL = 1 << 14  # bytes that are read at once
_KEPT_BROKEN = 3  # files for each name
_KEPT_BOOTS = 4
_LAST = 2**63  # sequence number: one that is not reached
_OPEN = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


@attrs.frozen
class Content:
    """What a slot holds.

    Attributes:
        value: The value.
        boots: The boots of the machine in which it was written, the latest one first.
        wall: When it was written, in seconds since 1970.
        sequence: How many values were written before it, and itself.
    """

    value: bytes
    boots: tuple[str, ...]
    wall: float
    sequence: int = 1


def encode(content: Content) -> bytes:
    """The bytes of a slot."""
    boots = ",".join(content.boots[:_KEPT_BOOTS]).encode("ascii")
    rest = _REST.pack(content.sequence, content.wall, len(boots), len(content.value)) + boots + content.value
    return _HEAD.pack(_MAGIC, _VERSION, zlib.crc32(rest)) + rest


def decode(data: bytes) -> Content | None:
    """The inverse of `encode`; None if nothing was ever written.

    Raises:
        BadRecord: The slot is torn, foreign, or of another version.
    """
    if not data.strip(b"\0"):
        return None
    if len(data) < _HEADER or not data.startswith(_MAGIC):
        raise BadRecord("it is not a file of backupify_async, or it is torn")
    _, version, checksum = _HEAD.unpack_from(data)
    if version != _VERSION:
        raise BadRecord(f"its format has version {version}", version)
    sequence, wall, boots, value = _REST.unpack_from(data, _HEAD.size)
    end = _HEADER + boots + value
    if len(data) < end or checksum != zlib.crc32(memoryview(data)[_HEAD.size : end]):
        raise BadRecord("it is torn: its checksum is wrong")
    names = data[_HEADER : _HEADER + boots]
    if not names.isascii() or sequence >= _LAST:
        raise BadRecord("it says nothing that this package writes")
    return Content(data[_HEADER + boots : end], tuple(names.decode().split(",")), wall, sequence)


class ValueFile:
    """An open file; only the process that holds the lock opens it.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def read(self) -> Content | None:
        """The latest value; None if there is none.

        Raises:
            BadRecord: It is torn, foreign, or of another version, or no regular file.
            OSError: It cannot be read.
        """
        try:
            self._fd = os.open(self._path, _OPEN)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
                raise BadRecord("it is a symbolic link, or not a regular file") from None
            raise
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            raise BadRecord("it is not a regular file")
        found, bad = [], None
        for start in (0, _SLOT):
            try:
                found.append(decode(self._slot(start)))
            except BadRecord as error:
                bad = error
        contents = [content for content in found if content is not None]
        if bad is not None and (bad.version is not None or not contents):
            raise bad
        if status.st_size > 0 and not contents:
            raise BadRecord("it is torn: it is all zeros")
        return max(contents, key=lambda content: content.sequence, default=None)

    def write(self, content: Content, access: FileAccess) -> None:
        """Write a value beside the latest one, which had the sequence number before.

        Raises:
            ValueError: It is longer than a megabyte.
            OSError: The latest value is as it was.
        """
        data = memoryview(encode(content))
        if len(data) > _SLOT:
            raise ValueError("a shared value of more than a megabyte")
        if self._fd < 0:
            self._fd = os.open(self._path, _OPEN | os.O_CREAT | os.O_EXCL, access.mode)
            access.grant_open(self._fd)
        start = (content.sequence + 1) % 2 * _SLOT
        while data:
            written = os.pwrite(self._fd, data, start)
            data, start = data[written:], start + written

    def put_aside(self, why: BadRecord) -> None:
        """Rename a file that cannot be read, and keep the latest such files for its owner to see.

        Raises:
            OSError: It cannot be renamed.
        """
        self.close()
        broken = f"{self._path}.broken-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        self._path.rename(broken)
        _LOGGER.warning("%s cannot be used: %s. It is kept as %s", self._path, why, broken)
        for old in sorted(self._path.parent.glob(f"{self._path.name}.broken-*"))[:-_KEPT_BROKEN]:
            with contextlib.suppress(OSError):
                old.unlink()

    def close(self) -> None:
        """Close it."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _slot(self, start: int) -> bytes:
        data = os.pread(self._fd, _USUAL, start)
        if len(data) < _USUAL or not data.startswith(_MAGIC):
            return data
        _, _, boots, value = _REST.unpack_from(data, _HEAD.size)
        missing = min(_HEADER + boots + value, _SLOT) - len(data)
        return data if missing <= 0 else data + os.pread(self._fd, missing, start + len(data))
