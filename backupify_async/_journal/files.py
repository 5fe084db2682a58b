"""What a file is that was named as a journal: told before SQLite opens it, or anything is made beside it."""

import errno
import os
import stat
from pathlib import Path

from backupify_async._escaping import printable
from backupify_async._journal.error_messages import remedy_for
from backupify_async.errors import JournalError

_BY_EFFECTIVE_ID = os.access in os.supports_effective_ids  # else by the real id, as on Windows
_LONGEST_BESIDE = ".ids.part"  # of what stands beside a journal, that with the longest name
_LONGEST_PATH = 512 - len("-journal")  # bytes: SQLite opens no longer ones (os_unix.c, MAX_PATHNAME)


def absolute(path: Path) -> Path:
    """A path that stays what it is, whatever the working directory becomes.

    Raises:
        JournalError: There is no working directory any more.
    """
    try:
        return path.absolute()
    except OSError as error:
        raise JournalError(
            f"{path} cannot be found ({error.strerror}): the working directory is gone; change to another, "
            "or name the file from the root"
        ) from None


def is_file(path: Path) -> bool:
    """Whether there is a file; False where nothing is, as behind a link to nothing.

    Raises:
        JournalError: There is something else, or what is there may not be known.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise JournalError(
            f"{path} cannot be used ({error.strerror}): {remedy_for(error, 'name another file')}"
        ) from None
    except ValueError:  # the interpreters' own words for it differ
        name = printable(os.fspath(path))
        raise JournalError(f"{name} cannot be used, for it holds a NUL: name another file") from None
    if not stat.S_ISREG(mode):
        raise JournalError(f"{path} is {'a directory' if stat.S_ISDIR(mode) else 'no file'}: name a file")
    return True


def require_room_for_names(path: Path) -> None:
    """Refuse a name that leaves no room for those of the files beside it.

    Raises:
        JournalError: So it is.
    """
    real = str(path.resolve())
    problem = "its path is" if len(os.fsencode(real)) >= _LONGEST_PATH else None
    try:
        os.lstat(f"{real}{_LONGEST_BESIDE}")
    except OSError as error:
        problem = "its name is" if error.errno == errno.ENAMETOOLONG else problem
    if problem is not None:
        raise JournalError(
            f"{path} cannot be used: {problem} too long, for files beside it have up to "
            f"{len(_LONGEST_BESIDE)} letters more: name a shorter one"
        )


def require_readable(path: Path) -> None:
    """Refuse a file that this user must not read.

    Raises:
        JournalError: It is one.
    """
    if not os.access(path, os.R_OK, effective_ids=_BY_EFFECTIVE_ID):
        raise JournalError(f"{path} cannot be read: this user must be allowed to read it")


def require_writable(path: Path) -> None:
    """Refuse a file that this user must not write: SQLite would create others beside it first.

    Raises:
        JournalError: It is one.
    """
    if not os.access(path, os.W_OK, effective_ids=_BY_EFFECTIVE_ID):
        raise JournalError(
            f"{path} cannot be written: this user must be allowed to write it and its directory"
        )


def holds_changes(path: Path) -> bool:
    """Whether a file beside a journal has what is not in it yet: a sweep is at it, or was killed."""
    return _has_beside(path, "-wal") or has_rollback(path)


def has_rollback(path: Path) -> bool:
    """Whether it was being made when its process was killed: SQLite undoes that, whatever it looks like."""
    return _has_beside(path, "-journal")


def _has_beside(path: Path, kind: str) -> bool:
    try:
        return Path(f"{path.resolve()}{kind}").stat().st_size > 0
    except OSError:  # where it may not be looked at, the journal itself cannot be read, and says so
        return False


def modification(path: Path) -> tuple[int, ...]:
    """When a file was last written, and how long it is; nothing where it is gone."""
    try:
        now = path.stat()
    except OSError:
        return ()
    return now.st_mtime_ns, now.st_size


def why_missing(path: Path) -> str:
    """Why there is no journal to read."""
    if has_rollback(path):
        return f"{path} was cut short while it was made: no sweep was begun with it"
    if path.exists():
        return f"{path} is empty: no sweep was begun with it"
    return f"there is no journal {path}: `backupify trigger --journal` makes one"
