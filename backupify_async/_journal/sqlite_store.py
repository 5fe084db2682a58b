"""`SQLiteStore`: a journal in an SQLite file.

The database is in WAL mode, so that it can be read while a sweep writes. With synchronous=FULL a commit
returns when the disk has the data (sqlite.org/pragma.html#pragma_synchronous), so it outlives a power cut.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from filelock import FileLock

from backupify_async._journal.database import Database
from backupify_async._journal.entries import JournalEntry, SweepInfo
from backupify_async._journal.error_messages import translate_errors
from backupify_async._journal.file_format import is_journal, require_ours
from backupify_async._journal.file_identity import OpenFiles, identity
from backupify_async._journal.files import absolute, require_room_for_names, require_writable
from backupify_async._journal.locking import lock_of, take_lock
from backupify_async._journal.schema import (
    APPLICATION,
    CREATE_SWEEP,
    RAISE_EPOCH,
    SCHEMA,
    WRITE_SWEEP,
    write_entries,
)
from backupify_async._journal.snapshot import open_snapshot
from backupify_async._journal.sqlite_reader import SQLiteReader
from backupify_async.errors import JournalError

_ENTRIES_PER_STATEMENT = 100  # older SQLites take 999 values in a statement


class SQLiteStore(SQLiteReader):
    """A journal in an SQLite file; see `JournalStore` for what its methods promise.

    Args:
        path: The file; it is created where it is missing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, Database(path))
        self._epoch = 0
        self._files: OpenFiles | None = None
        self._lock: FileLock | None = None

    @property
    def name(self) -> str:
        """The path."""
        return str(self._path)

    @property
    def path(self) -> Path:
        """The file; absolute once it was opened."""
        return self._path

    async def open(self, sweep: str) -> None:
        """Lock the file against other processes, and open it or create it.

        It is written to at once, so that a full disk shows now. Nothing is created beside a file that is
        refused.
        """
        self._path = await asyncio.to_thread(absolute, self._path)
        self._database = Database(self._path)
        try:
            if await asyncio.to_thread(_is_without_lock, self._path):
                async with open_snapshot(self._path) as snapshot:
                    self._require_name(await snapshot.read_sweep(), sweep)
            self._lock = await asyncio.to_thread(take_lock, self._path)
            await self._open_database(sweep)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the file and unlock it."""
        lock, self._lock = self._lock, None
        files, self._files = self._files, None
        async with contextlib.AsyncExitStack() as ends:  # in reverse, each of them whatever another raises
            if lock is not None:
                ends.push_async_callback(asyncio.to_thread, lock.release)
            if files is not None:
                ends.callback(files.unregister)
            ends.push_async_callback(self._database.close)

    async def write_sweep(self, sweep: SweepInfo) -> None:
        """Replace what is known of the sweep; on disk on return."""
        await self._write(WRITE_SWEEP, *sweep.to_record().values())

    async def write_entries(self, entries: Sequence[JournalEntry]) -> None:
        """Write entries, each in place of one with the same number; on disk on return."""
        for begin in range(0, len(entries), _ENTRIES_PER_STATEMENT):
            with translate_errors(self._path):
                rows = [
                    entry.to_record().values() for entry in entries[begin : begin + _ENTRIES_PER_STATEMENT]
                ]
            await self._write(write_entries(len(rows)), *chain.from_iterable(rows))

    async def _open_database(self, sweep: str) -> None:
        before = await asyncio.to_thread(identity, self._path)
        await self._database.connect(str(self._path))
        if not await self._is_journal():
            await self._create(sweep)
        self._require_name(await self.read_sweep(), sweep)
        ((mode,),) = await self._database.fetch("PRAGMA journal_mode = WAL")
        if mode != "wal":
            raise JournalError(f"{self._path} is where SQLite cannot write ahead: use a local disk")
        await self._database.execute("PRAGMA synchronous = FULL")
        await self._raise_epoch()
        files = await asyncio.to_thread(OpenFiles.of, self._path, before)
        files.register()
        self._files = files
        await self._database.define("in_place", files.are_in_place)

    async def _is_journal(self) -> bool:
        """Whether it is a journal of this format; False for a new file, an error for anything else."""
        ((application,),) = await self._database.fetch("PRAGMA application_id")
        ((version,),) = await self._database.fetch("PRAGMA user_version")
        ((tables,),) = await self._database.fetch("SELECT count(*) FROM sqlite_master")
        if application != APPLICATION and not tables:
            return False
        require_ours(self._path, application, version)
        return True

    def _require_name(self, known: SweepInfo, sweep: str) -> None:
        if sweep and sweep != known.name:
            raise JournalError(
                f"{self._path} is the journal of another sweep ({known.name or 'one without a name'}, "
                f"and not {sweep}): a new sweep needs a new file"
            )

    async def _create(self, sweep: str) -> None:
        now = datetime.now(UTC).isoformat()
        await self._database.execute("BEGIN IMMEDIATE")  # all of it is created, or nothing
        for statement in SCHEMA:
            await self._database.execute(statement)
        await self._database.execute(CREATE_SWEEP, sweep, now, now)
        await self._database.execute("COMMIT")

    async def _raise_epoch(self) -> None:
        await self._database.execute("BEGIN IMMEDIATE")  # no other writer reads the epoch in between
        await self._database.execute(RAISE_EPOCH, datetime.now(UTC).isoformat())
        self._epoch = await self._read_epoch()
        await self._database.execute("COMMIT")

    async def _read_epoch(self) -> int:
        ((epoch,),) = await self._database.fetch("SELECT epoch FROM sweep")
        return int(epoch)

    async def _write(self, sql: str, *values: object) -> None:
        """Write in one transaction that checks the epoch, and that the files are where they were."""
        if await self._database.execute(sql, *values, self._epoch) > 0:
            return
        if await self._read_epoch() != self._epoch:
            raise JournalError(
                f"another process has opened {self._path} since, and continues its sweep: nothing more is "
                "triggered here; wait until it ends, or inspect it with `backupify journal show`"
            )
        raise JournalError(
            f"{self._path}, or its -wal or -shm, was moved, removed or replaced while a sweep wrote to it: "
            "nothing more is triggered; put its files back together and resume, or check which backups are "
            "running before you begin a new sweep with a new file"
        )


def _is_without_lock(path: Path) -> bool:
    """Whether it is a journal without a lock beside it; refuses what cannot be opened as a journal."""
    exists = is_journal(path)
    require_room_for_names(path)
    if exists:
        require_writable(path)
        return not lock_of(path).exists()
    if not path.resolve().parent.is_dir():
        raise JournalError(f"{path} cannot be created: its directory does not exist: choose a file")
    return False
