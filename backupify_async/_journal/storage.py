"""The file of a journal: an SQLite database in WAL mode. Nothing else speaks to aiosqlite.

WAL lets others look while a sweep writes. With synchronous=FULL, SQLite returns from a commit when the disk
has it (sqlite.org/pragma.html#pragma_synchronous), so what was committed outlives a power cut too.
"""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import aiosqlite

from backupify_async._journal.advice import told
from backupify_async._journal.files import has_rollback, holds_changes, is_file, read_header, stamp
from backupify_async._journal.lines import (
    UNSETTLED,
    Account,
    EntryState,
    JournalEntry,
    Sweep,
    from_row,
    sweep_from_row,
    to_row,
)
from backupify_async._journal.place import Place, identity, is_open_here
from backupify_async._journal.schema import APPLICATION, SCHEMA, VERSION, note, write_lines
from backupify_async.errors import JournalError

_AT_ONCE = 1_000  # lines read at a time: some 100 kB
_WRITTEN_AT_ONCE = 100  # lines: older SQLites take 999 values in a statement


class Storage:
    """The file of a journal. Every method raises `JournalError` where it cannot be read or written.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: aiosqlite.Connection
        self._epoch = 0
        self._place: Place | None = None
        self._seen: tuple[int, ...] | None = None

    def is_there(self) -> bool:
        """Whether there is a journal; False where nothing is. Anything else is an error, and left alone."""
        if not is_file(self._path) or has_rollback(self._path):
            return False
        if is_open_here(self._path):
            return True
        header = read_header(self._path)  # which was written before there was a log
        if header is not None:
            self._require_ours(header.application, header.version)
        return header is not None

    async def open(self, sweep: str) -> None:
        """Open a journal to write, or make it; and write to it, so that a full disk shows now.

        Args:
            sweep: What its sweep goes over; a journal of another is refused. "" takes any.
        """
        before = await asyncio.to_thread(identity, self._path)
        await self._connect(str(self._path))
        if not await self._is_journal():
            await self._make(sweep)
        await self.check_sweep(sweep)
        await self._set_up()
        await self._raise_epoch()
        place = await asyncio.to_thread(Place.of, self._path, before)
        place.hold()
        self._place = place
        await self._connection.create_function("in_place", 0, place.is_kept)

    async def look(self) -> None:
        """Open a journal to read, also one that is being written, or that may only be read.

        SQLite makes files beside a database in WAL mode to read it, and leaves them. It does without where it
        is told that nobody writes: so it is, where no write-ahead log is there.
        """
        target = f"{self._path.as_uri()}?mode=ro"
        if not await asyncio.to_thread(holds_changes, self._path):
            self._seen = await asyncio.to_thread(stamp, self._path)
            target += "&immutable=1"
        await self._connect(target, uri=True)
        try:
            await self._fetch("SELECT count(*) FROM sweep")
        except JournalError as error:
            if self._seen is not None:
                raise
            hint = (
                "where it may only be read, copy it with its -wal to where it may be written, and look there"
            )
            raise JournalError(f"{error}; {hint}") from None

    def require_unchanged(self) -> None:
        """Refuse what was read while a sweep began, or the file went."""
        if self._seen is not None and (stamp(self._path) != self._seen or holds_changes(self._path)):
            raise JournalError(
                f"a sweep began with {self._path} while it was looked at, or somebody moved it: look again"
            )

    async def close(self) -> None:
        """Close the file, also one that could not be opened whole."""
        try:
            with told(self._path):
                await self._connection.close()
        finally:
            if self._place is not None:
                self._place.leave()

    async def sweep(self) -> Sweep:
        """What it knows of its sweep as a whole."""
        rows = await self._fetch("SELECT name, begun_at, base_url, client_id, read_to_end, source FROM sweep")
        with told(self._path):
            (row,) = rows
            return sweep_from_row(row)  # type: ignore[arg-type] # the columns of a Row

    async def claim(self, account: Account) -> None:
        """Note whose sweep it is."""
        await self._change_held(note("base_url = ?, client_id = ?"), account.base_url, account.client_id)

    async def note_source(self, source: str) -> None:
        """Note what its ids are read from."""
        await self._change_held(note("source = ?"), source)

    async def mark_end(self) -> None:
        """Note that all ids of the source are in it."""
        await self._change_held(note("read_to_end = 1"))

    async def write(self, lines: Sequence[JournalEntry]) -> None:
        """Write lines, in the place of those of the same number; they are on disk when this returns."""
        with told(self._path):
            for begin in range(0, len(lines), _WRITTEN_AT_ONCE):
                rows = [to_row(line) for line in lines[begin : begin + _WRITTEN_AT_ONCE]]
                await self._change_held(write_lines(len(rows)), *chain.from_iterable(rows))

    async def last_number(self) -> int:
        """The highest number of a line; 0 where there is none."""
        ((number,),) = await self._fetch("SELECT coalesce(max(number), 0) FROM lines")
        return int(number)

    async def lines(self) -> AsyncGenerator[JournalEntry, None]:
        """The lines, in the order of reading; a bounded number of them is in memory."""
        last = 0
        while True:
            rows = await self._fetch(
                "SELECT * FROM lines WHERE number > ? ORDER BY number LIMIT ?", last, _AT_ONCE
            )
            with told(self._path):
                lines = [from_row(row) for row in rows]  # type: ignore[arg-type] # the columns of a Row
            for line in lines:
                yield line
            if len(lines) < _AT_ONCE:
                return
            last = lines[-1].number

    async def unsettled(self) -> list[JournalEntry]:
        """The lines of instances whose request may have left, and nobody knows what came of it."""
        rows = await self._fetch(
            f"SELECT * FROM lines WHERE state IN ({', '.join('?' * len(UNSETTLED))})",  # noqa: S608 - no input
            *(state.value for state in UNSETTLED),
        )
        with told(self._path):
            return [from_row(row) for row in rows]  # type: ignore[arg-type] # the columns of a Row

    async def counts(self) -> dict[EntryState, int]:
        """How many lines there are of each state; states without any are left out."""
        rows = await self._fetch("SELECT state, count(*) FROM lines GROUP BY state")
        with told(self._path):
            return {EntryState(state): number for state, number in rows}

    async def _connect(self, target: str, *, uri: bool = False) -> None:
        """Connect, and raise what came of it behind.

        Where its own connecting fails, aiosqlite lets its thread speak to an event loop that may be closed by
        then. So a file that cannot be opened is nothing in memory to it.
        """
        failure: sqlite3.Error | None = None

        def connect() -> sqlite3.Connection:
            nonlocal failure
            try:
                return sqlite3.connect(target, uri=uri, isolation_level=None)
            except sqlite3.Error as error:
                failure = error
                return sqlite3.connect(":memory:")

        self._connection = await (await asyncio.to_thread(_daemon, connect))
        with told(self._path):
            if failure is not None:
                raise failure

    async def _is_journal(self) -> bool:
        """Whether it is a journal of ours; False where it is new, an error where it is anything else."""
        ((application,),) = await self._fetch("PRAGMA application_id")
        ((version,),) = await self._fetch("PRAGMA user_version")
        ((tables,),) = await self._fetch("SELECT count(*) FROM sqlite_master")
        if application != APPLICATION and not tables:
            return False
        self._require_ours(application, version)
        return True

    def _require_ours(self, application: int, version: int) -> None:
        if application != APPLICATION:
            raise JournalError(f"{self._path} is a database of another program: name another file")
        if version != VERSION:
            raise JournalError(
                f"{self._path} was written by another version of this library (format {version}, "
                f"not {VERSION}): go on with that version, or begin a new sweep with a new file"
            )

    async def check_sweep(self, name: str) -> None:
        """Refuse the journal of another sweep than this; "" takes any."""
        known = (await self.sweep()).name
        if name and name != known:
            raise JournalError(
                f"{self._path} is the journal of another sweep ({known or 'one without a name'}, "
                f"and not {name}): a new sweep needs a new file"
            )

    async def _make(self, sweep: str) -> None:
        now = datetime.now(UTC).isoformat()
        await self._change("BEGIN IMMEDIATE")  # all of it is there, or nothing
        for statement in SCHEMA:
            await self._change(statement)
        await self._change("INSERT INTO sweep (name, begun_at, opened_at) VALUES (?, ?, ?)", sweep, now, now)
        await self._change("COMMIT")

    async def _set_up(self) -> None:
        ((mode,),) = await self._fetch("PRAGMA journal_mode = WAL")
        if mode != "wal":
            raise JournalError(f"{self._path} is where SQLite cannot write ahead: use a local disk")
        await self._connection.execute("PRAGMA synchronous = FULL")

    async def _raise_epoch(self) -> None:
        now = datetime.now(UTC).isoformat()
        await self._change("BEGIN IMMEDIATE")  # whoever else raises it does so before, or behind
        await self._change("UPDATE sweep SET epoch = epoch + 1, opened_at = ?", now)
        self._epoch = await self._read_epoch()
        await self._change("COMMIT")

    async def _read_epoch(self) -> int:
        ((epoch,),) = await self._fetch("SELECT epoch FROM sweep")
        return int(epoch)

    async def _change_held(self, sql: str, *values: object) -> None:
        """Change something in one transaction that finds its epoch, and its files where they were."""
        with told(self._path):
            cursor = await self._connection.execute(sql, [*values, self._epoch])
            if cursor.rowcount > 0:
                return
        if await self._read_epoch() != self._epoch:
            raise JournalError(
                f"another process has opened {self._path} since, and goes on with its sweep: nothing more is "
                "begun here; wait for its end, or look at it with `backupify journal show`"
            )
        raise JournalError(
            f"{self._path}, or its -wal or -shm, was moved, removed or replaced while a sweep wrote to it: "
            "nothing more is begun; put its files back together and resume, or look at what runs before you "
            "begin a new sweep with a new file"
        )

    async def _change(self, sql: str, *values: object) -> None:
        with told(self._path):
            await self._connection.execute(sql, values)

    async def _fetch(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with told(self._path):
            return list(await self._connection.execute_fetchall(sql, values))


def _daemon(connect: Callable[[], sqlite3.Connection]) -> aiosqlite.Connection:
    """A connection whose thread no interpreter waits for: a journal that nobody closed must not keep it.

    aiosqlite has no setting for that, but a thread is what the thread that makes it is (threading.Thread).
    """
    made: list[aiosqlite.Connection] = []
    maker = threading.Thread(target=lambda: made.append(aiosqlite.Connection(connect, _AT_ONCE)), daemon=True)
    maker.start()
    maker.join()
    (connection,) = made
    return connection
