"""One value in one file: a header line with a checksum, then the bytes.

A file is written beside and renamed, without fsync: a machine that crashes can leave a torn file, which the
checksum notices, and what it held can be learned again.
"""

import contextlib
import errno
import logging
import os
import stat
import zlib
from datetime import UTC, datetime
from pathlib import Path

import attrs

from backupify_async._shared.directory import FileAccess
from backupify_async._shared.store import BadRecord

_LOGGER = logging.getLogger("backupify_async.shared")
_MAGIC = b"backupify_async/shared"
_VERSION = 1
_LONGEST = 1 << 20  # bytes: ours have some kilobytes
_KEPT_BROKEN = 3  # files for each name
_KEPT_BOOTS = 4
_READ = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


@attrs.frozen
class Content:
    """What a file holds.

    Attributes:
        value: The value.
        boots: The boots of the machine in which it was written, the latest one first.
        wall: When it was written, in seconds since 1970.
    """

    value: bytes
    boots: tuple[str, ...]
    wall: float


def encode(content: Content) -> bytes:
    """The bytes of a file."""
    boots = ",".join(content.boots[:_KEPT_BOOTS])
    rest = b"%.3f %b\n%b" % (content.wall, boots.encode("ascii"), content.value)
    return b"%b %d %08x %b" % (_MAGIC, _VERSION, zlib.crc32(rest), rest)


def decode(data: bytes) -> Content:
    """The inverse of `encode`.

    Raises:
        BadRecord: The file is torn, foreign, or of another version.
    """
    magic, _, after_magic = data.partition(b" ")
    version, _, after_version = after_magic.partition(b" ")
    if magic != _MAGIC or not version.isdigit() or len(version) > 9:
        raise BadRecord("it is not a file of backupify_async, or it is torn")
    if int(version) != _VERSION:
        raise BadRecord(f"its format has version {int(version)}", int(version))
    checksum, _, rest = after_version.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(rest):
        raise BadRecord("it is torn: its checksum is wrong")
    header, _, value = rest.partition(b"\n")
    wall, _, boots = header.partition(b" ")
    return Content(value, tuple(boots.decode("ascii").split(",")), float(wall))


def read(path: Path) -> Content | None:
    """What the file holds; None if there is none.

    Raises:
        BadRecord: It is torn, foreign, or of another version, or no regular file.
        OSError: It cannot be read.
    """
    try:
        fd = os.open(path, _READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EOPNOTSUPP):
            raise BadRecord("it is a symbolic link, or not a regular file") from None
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise BadRecord("it is not a regular file")
        data = os.read(fd, _LONGEST + 1)
    finally:
        os.close(fd)
    if len(data) > _LONGEST:
        raise BadRecord("it is too large")
    return decode(data)


def write(path: Path, content: Content, access: FileAccess) -> None:
    """Replace the file as a whole. Only one process at a time can do so: it holds the lock.

    Raises:
        OSError: The file is as it was.
    """
    beside = Path(f"{path}.new")
    try:
        try:
            fd = os.open(beside, _CREATE, access.mode)
        except FileExistsError:  # of a process that was killed
            beside.unlink()
            fd = os.open(beside, _CREATE, access.mode)
        try:
            access.grant_open(fd)
            data = memoryview(encode(content))
            while data:
                data = data[os.write(fd, data) :]
        finally:
            os.close(fd)
        beside.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def put_aside(path: Path, why: BadRecord) -> None:
    """Rename a file that cannot be read, and keep the latest such files for its owner to see.

    Raises:
        OSError: It cannot be renamed.
    """
    broken = f"{path}.broken-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    path.rename(broken)
    _LOGGER.warning("%s cannot be used: %s. It is kept as %s", path, why, broken)
    for old in sorted(path.parent.glob(f"{path.name}.broken-*"))[:-_KEPT_BROKEN]:
        with contextlib.suppress(OSError):
            old.unlink()
