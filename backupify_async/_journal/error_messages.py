"""What an error of the operating system or of SQLite means for a journal, and what to do: true words only."""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from backupify_async.errors import JournalError

NO_JOURNAL = "is no journal but some other file: name another"
OTHERS_DIRECTORY = "this user must be allowed to write its directory"

_OF_THE_SYSTEM = {
    errno.EMFILE: "this process has too many files open: raise its limit (ulimit -n), and try again",
    errno.ENFILE: "this machine has too many files open: close some, and try again",
    errno.ENOSPC: "the disk is full: make room, and try again",
    errno.EDQUOT: "the quota is used up: make room, and try again",
    errno.EROFS: "nothing can be written there: name a file on another disk",
    errno.ENAMETOOLONG: "name another file, with a shorter name",
}

# By primary result code (sqlite.org/rescode.html).
_OF_SQLITE = {
    sqlite3.SQLITE_NOTADB: NO_JOURNAL,
    sqlite3.SQLITE_CORRUPT: "is damaged: look at what runs before you begin a new sweep with a new file",
    sqlite3.SQLITE_READONLY: "cannot be written: this user must be allowed to write it and its directory",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: it must be a file in a directory that this user may use",
    sqlite3.SQLITE_FULL: "cannot grow, for the disk is full: make room, and resume",
    sqlite3.SQLITE_IOERR: "cannot be written or read: look at the disk, its quota and its limits, and resume",
    sqlite3.SQLITE_BUSY: "is locked by another program: wait for its end",
}


def remedy_for(error: OSError, otherwise: str) -> str:
    """What a person can do about an error of the operating system.

    Args:
        error: The error.
        otherwise: What to do where its kind does not say.
    """
    return _OF_THE_SYSTEM.get(error.errno or 0, otherwise)


@contextlib.contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Say what an error of SQLite's means, and what to do; and so where a file holds what no journal has."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        advice = _OF_SQLITE.get(code, "cannot be used")
        if code == sqlite3.SQLITE_CANTOPEN and (shortage := _shortage()):
            advice = f"cannot be opened: {shortage}"
        raise JournalError(f"{path} {advice} ({error})") from None
    except (ValueError, KeyError) as error:
        raise JournalError(f"{path} {_OF_SQLITE[sqlite3.SQLITE_CORRUPT]} ({error})") from None


def _shortage() -> str | None:
    """What to do where no file can be opened at all, of which SQLite tells no more than that it failed."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return remedy_for(error, "") or None
    return None
