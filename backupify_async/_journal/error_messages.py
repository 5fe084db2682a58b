"""Messages for errors of the operating system and of SQLite: what they mean for a journal, and what to do."""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from backupify_async.errors import JournalError

_BY_ERRNO = {
    errno.EMFILE: "this process has too many files open: raise its limit (ulimit -n), and try again",
    errno.ENFILE: "this machine has too many files open: close some, and try again",
    errno.ENOSPC: "the disk is full: free some space, and try again",
    errno.EDQUOT: "the quota is used up: free some space, and try again",
    errno.EROFS: "nothing can be written there: choose a file on another disk",
    errno.ENAMETOOLONG: "choose a shorter name",
}

_DAMAGED = "is damaged: check which backups are running before you begin a new sweep with a new file"
# By primary result code (sqlite.org/rescode.html).
_BY_SQLITE_CODE = {
    sqlite3.SQLITE_NOTADB: "is not a journal: choose another file",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_READONLY: "cannot be written: this user needs permission to write it and its directory",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: it must be a file in a directory that this user can use",
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full: free some space, and resume",
    sqlite3.SQLITE_IOERR: "cannot be written or read: check the disk, its quota and its limits, and resume",
    sqlite3.SQLITE_BUSY: "is locked by another program: wait until it ends",
}


def remedy_for(error: OSError, otherwise: str) -> str:
    """What a user can do about an error of the operating system.

    Args:
        error: The error.
        otherwise: What to do about any other error than those that are known here.
    """
    return _BY_ERRNO.get(error.errno or 0, otherwise)


@contextlib.contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Raise an error of SQLite, or a value that no journal has, as a `JournalError` that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        problem = _BY_SQLITE_CODE.get(code, "cannot be used")
        if code == sqlite3.SQLITE_CANTOPEN and (shortage := _shortage_of_files()):
            problem = f"cannot be opened: {shortage}"
        raise JournalError(f"{path} {problem} ({error})") from None
    except (ValueError, KeyError) as error:
        raise JournalError(f"{path} {_DAMAGED} ({error})") from None


def _shortage_of_files() -> str | None:
    """What to do where no file at all can be opened: SQLite only says that it could not open its own."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return remedy_for(error, "") or None
    return None
