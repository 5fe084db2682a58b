"""Checks of a file that is named as a journal, before SQLite opens it."""

import errno
import os
import stat
from pathlib import Path

from backupify_async._escaping import printable
from backupify_async._journal.error_messages import remedy_for
from backupify_async.errors import JournalError

_BY_EFFECTIVE_ID = os.access in os.supports_effective_ids  # else by the real id, as on Windows
_LONGEST_SUFFIX = ".ids.part"  # of the files beside a journal
_LONGEST_PATH = 512 - len("-journal")  # bytes; the limit of SQLite (os_unix.c, MAX_PATHNAME)


def absolute(path: Path) -> Path:
    """The absolute path, which a change of the working directory does not affect.

    Raises:
        JournalError: The working directory does not exist any more.
    """
    try:
        return path.absolute()
    except OSError as error:
        raise JournalError(
            f"{path} cannot be found ({error.strerror}): the working directory is gone; change to another, "
            "or give its absolute path"
        ) from None


def is_file(path: Path) -> bool:
    """Whether there is a file; False where there is nothing, or a link to nothing.

    Raises:
        JournalError: There is something else, or this user has no permission to find out.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise JournalError(
            f"{path} cannot be used ({error.strerror}): {remedy_for(error, 'choose another file')}"
        ) from None
    except ValueError:  # its message depends on the interpreter
        name = printable(os.fspath(path))
        raise JournalError(f"{name} cannot be used: it contains a NUL: choose another file") from None
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
        raise JournalError(f"{path} is {kind}: choose a file")
    return True


def require_room_for_names(path: Path) -> None:
    """Refuse a name that is too long for the names of the files beside it.

    Raises:
        JournalError: It is too long.
    """
    real = str(path.resolve())
    problem = "its path is" if len(os.fsencode(real)) >= _LONGEST_PATH else None
    try:
        os.lstat(f"{real}{_LONGEST_SUFFIX}")
    except OSError as error:
        problem = "its name is" if error.errno == errno.ENAMETOOLONG else problem
    if problem is not None:
        raise JournalError(
            f"{path} cannot be used: {problem} too long: files beside it have up to "
            f"{len(_LONGEST_SUFFIX)} letters more: choose a shorter one"
        )


def require_readable(path: Path) -> None:
    """Refuse a file that this user cannot read.

    Raises:
        JournalError: This user has no permission.
    """
    if not os.access(path, os.R_OK, effective_ids=_BY_EFFECTIVE_ID):
        raise JournalError(f"{path} cannot be read: this user needs permission to read it")


def require_writable(path: Path) -> None:
    """Refuse a file that this user cannot write, before SQLite creates others beside it.

    Raises:
        JournalError: This user has no permission.
    """
    if not os.access(path, os.W_OK, effective_ids=_BY_EFFECTIVE_ID):
        raise JournalError(
            f"{path} cannot be written: this user needs permission to write it and its directory"
        )


def holds_changes(path: Path) -> bool:
    """Whether changes beside a journal are not in it yet: a sweep is running, or was killed."""
    return _has_beside(path, "-wal") or has_rollback(path)


def has_rollback(path: Path) -> bool:
    """Whether a process was killed while it created the journal. SQLite rolls that back."""
    return _has_beside(path, "-journal")


def _has_beside(path: Path, kind: str) -> bool:
    try:
        return Path(f"{path.resolve()}{kind}").stat().st_size > 0
    except OSError:  # without permission the journal cannot be read either, which raises
        return False


def modification(path: Path) -> tuple[int, ...]:
    """When a file was last written, and its size; empty where it is gone."""
    try:
        now = path.stat()
    except OSError:
        return ()
    return now.st_mtime_ns, now.st_size


def why_missing(path: Path) -> str:
    """Why there is no journal to read."""
    if has_rollback(path):
        return f"{path} was only half created: no sweep was begun with it"
    if path.exists():
        return f"{path} is empty: no sweep was begun with it"
    return f"there is no journal {path}: `backupify trigger --journal` creates one"
