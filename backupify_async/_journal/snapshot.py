"""Reading a journal without opening it to write, also while a sweep writes to it."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from backupify_async._journal.extra import require_extra
from backupify_async._journal.files import absolute, holds_changes, modification, why_missing
from backupify_async._tasks import to_its_end
from backupify_async.errors import JournalError

if TYPE_CHECKING:
    from backupify_async._journal.database import Database
    from backupify_async._journal.sqlite_reader import SQLiteReader


@contextlib.asynccontextmanager
async def open_snapshot(path: str | os.PathLike[str]) -> AsyncIterator["SQLiteReader"]:
    """Open a journal to read.

    Raises:
        ConfigurationError: The extra `journal` is not installed.
        JournalError: It is not a journal, cannot be read, or a sweep began meanwhile.
    """
    require_extra()
    from backupify_async._journal.database import Database  # noqa: PLC0415 - needs the extra
    from backupify_async._journal.file_format import is_journal  # noqa: PLC0415 - as above
    from backupify_async._journal.sqlite_reader import SQLiteReader  # noqa: PLC0415 - as above

    path = await asyncio.to_thread(absolute, Path(path))
    if not await asyncio.to_thread(is_journal, path):
        raise JournalError(await asyncio.to_thread(why_missing, path))
    # SQLite creates files beside a database in WAL mode to read it, and leaves them there. With `immutable`
    # it does not. That is safe while there is no write-ahead log; `_require_unchanged` checks it afterwards.
    unchanged = None
    if not await asyncio.to_thread(holds_changes, path):
        unchanged = await asyncio.to_thread(modification, path)
    database = Database(path)
    try:
        await to_its_end(_connect(database, path, immutable=unchanged is not None))
        yield SQLiteReader(path, database)
        await asyncio.to_thread(_require_unchanged, path, unchanged)
    except JournalError:  # a mix of old and new pages looks like damage
        await asyncio.to_thread(_require_unchanged, path, unchanged)
        raise
    finally:
        await to_its_end(database.close())


async def _connect(database: "Database", path: Path, *, immutable: bool) -> None:
    await database.connect(f"{path.as_uri()}?mode=ro{'&immutable=1' if immutable else ''}")
    try:
        await database.fetch("SELECT count(*) FROM sweep")
    except JournalError as error:
        if immutable:
            raise
        raise JournalError(
            f"{error}; where it can only be read, copy it with its -wal to a directory that can be written, "
            "and read it there"
        ) from None


def _require_unchanged(path: Path, unchanged: tuple[int, ...] | None) -> None:
    if unchanged is not None and (modification(path) != unchanged or holds_changes(path)):
        raise JournalError(
            f"a sweep began with {path} while it was read, or the file was moved: read it again"
        )
