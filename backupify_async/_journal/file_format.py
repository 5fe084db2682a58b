"""Whether a file is a journal. This is checked before anything is created beside it."""

import contextlib
import sqlite3
from pathlib import Path

from backupify_async._journal.error_messages import translate_errors
from backupify_async._journal.file_identity import is_open_here
from backupify_async._journal.files import has_rollback, is_file, require_readable
from backupify_async._journal.schema import APPLICATION, VERSION
from backupify_async.errors import JournalError


def is_journal(path: Path) -> bool:
    """Whether there is a journal; False where there is nothing yet.

    Raises:
        JournalError: There is something else, which is left alone.
    """
    if not is_file(path) or has_rollback(path):
        return False
    if is_open_here(path):
        return True
    require_readable(path)
    try:
        if path.stat().st_size == 0:
            return False
    except FileNotFoundError:  # removed meanwhile
        return False
    require_ours(path, *_read_format(path))
    return True


def require_ours(path: Path, application: int, version: int) -> None:
    """Refuse a database of another program, or of another version of this library.

    Raises:
        JournalError: It is another format.
    """
    if application != APPLICATION:
        raise JournalError(f"{path} is a database of another program: choose another file")
    if version != VERSION:
        raise JournalError(
            f"{path} was written by another version of this library (format {version}, "
            f"not {VERSION}): go on with that version, or begin a new sweep with a new file"
        )


def _read_format(path: Path) -> tuple[int, int]:
    """The application id and the format version of a database.

    With `immutable` SQLite reads the file alone, and neither locks it nor creates others beside it. That is
    enough: a journal has both numbers before it has a write-ahead log.
    """
    with (
        translate_errors(path),
        contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as database,
    ):
        ((application,),) = database.execute("PRAGMA application_id")
        ((version,),) = database.execute("PRAGMA user_version")
        return application, version
