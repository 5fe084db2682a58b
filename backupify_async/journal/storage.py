"""The file of a journal: an SQLite database in WAL mode. Nothing else here speaks SQL, or to aiosqlite.

WAL lets others look while a sweep writes. With synchronous=FULL, SQLite returns from a commit when the disk
has it (sqlite.org/pragma.html#pragma_synchronous), so what was committed outlives a power cut too.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import aiosqlite

from backupify_async.errors import JournalError
from backupify_async.journal.files import NO_JOURNAL, has_rollback, holds_changes, is_file, read_header, stamp
from backupify_async.journal.lines import UNSETTLED, Account, Line, LineState, Sweep, from_row, to_row

_APPLICATION = 0x424B4A4C  # "BKJL": what tells a journal from any other database
_VERSION = 2
_AT_ONCE = 1_000  # lines read at a time: some 100 kB

_SCHEMA = (
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_VERSION}",
    """CREATE TABLE sweep (
        name TEXT NOT NULL,
        begun_at TEXT NOT NULL,
        opened_at TEXT NOT NULL,
        base_url TEXT,
        client_id TEXT,
        read_to_end INTEGER NOT NULL DEFAULT 0
    )""",
    """CREATE TABLE lines (
        number INTEGER PRIMARY KEY,
        instance_id TEXT NOT NULL UNIQUE,
        is_number INTEGER NOT NULL,
        state TEXT NOT NULL,
        sent_at TEXT,
        baseline TEXT,
        backup TEXT,
        problem TEXT NOT NULL,
        evidence TEXT
    )""",
)

# One statement for many lines is there whole or not at all, and is on disk when it returns.
_WRITE, _ROW = "INSERT OR REPLACE INTO lines VALUES ", "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
_WRITTEN_AT_ONCE = 100  # lines: older SQLites take 999 values in a statement

# By primary result code (sqlite.org/rescode.html).
_WHAT_TO_DO = {
    sqlite3.SQLITE_NOTADB: NO_JOURNAL,
    sqlite3.SQLITE_CORRUPT: "is damaged: look at what runs before you begin a new sweep with a new file",
    sqlite3.SQLITE_READONLY: "cannot be written: this user must be allowed to write it and its directory",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: it must be a file in a directory that this user may use",
    sqlite3.SQLITE_FULL: "cannot grow, for the disk is full: make room, and resume",
    sqlite3.SQLITE_IOERR: "cannot be written or read: look at the disk, its quota and its limits, and resume",
    sqlite3.SQLITE_BUSY: "is locked by another program: wait for its end",
}


class Storage:
    """The file of a journal. Every method raises `JournalError` where it cannot be read or written.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: aiosqlite.Connection
        self._seen: tuple[int, ...] | None = None

    def is_there(self) -> bool:
        """Whether there is a journal; False where nothing is. Anything else is an error, and left alone."""
        if not is_file(self._path) or has_rollback(self._path):
            return False
        header = read_header(self._path)  # which was written before there was a log
        if header is not None:
            self._require_ours(header.application, header.version)
        return header is not None

    async def open(self, sweep: str) -> None:
        """Open a journal to write, or make it; and write to it, so that a full disk shows now.

        Args:
            sweep: What its sweep goes over; a journal of another is refused. "" takes any.
        """
        await self._connect(str(self._path))
        if not await self._is_journal():
            await self._make(sweep)
        await self.check_sweep(sweep)
        await self._set_up()

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
        with _told(self._path):
            await self._connection.close()

    async def sweep(self) -> Sweep:
        """What it knows of its sweep as a whole."""
        rows = await self._fetch("SELECT name, begun_at, base_url, client_id, read_to_end FROM sweep")
        with _told(self._path):
            ((name, begun_at, base_url, client_id, read_to_end),) = rows
            account = None if base_url is None else Account(base_url, client_id)
            return Sweep(name, datetime.fromisoformat(begun_at), account, bool(read_to_end))

    async def claim(self, account: Account) -> None:
        """Note whose sweep it is."""
        await self._change(
            "UPDATE sweep SET base_url = ?, client_id = ?", account.base_url, account.client_id
        )

    async def mark_end(self) -> None:
        """Note that all ids of the source are in it."""
        await self._change("UPDATE sweep SET read_to_end = 1")

    async def write(self, lines: Sequence[Line]) -> None:
        """Write lines, in the place of those of the same number; they are on disk when this returns."""
        with _told(self._path):
            for begin in range(0, len(lines), _WRITTEN_AT_ONCE):
                rows = [to_row(line) for line in lines[begin : begin + _WRITTEN_AT_ONCE]]
                sql = _WRITE + ", ".join([_ROW] * len(rows))
                await self._connection.execute(sql, list(chain.from_iterable(rows)))

    async def last_number(self) -> int:
        """The highest number of a line; 0 where there is none."""
        ((number,),) = await self._fetch("SELECT coalesce(max(number), 0) FROM lines")
        return int(number)

    async def lines(self) -> AsyncGenerator[Line, None]:
        """The lines, in the order of reading; a bounded number of them is in memory."""
        last = 0
        while True:
            rows = await self._fetch(
                "SELECT * FROM lines WHERE number > ? ORDER BY number LIMIT ?", last, _AT_ONCE
            )
            with _told(self._path):
                lines = [from_row(row) for row in rows]  # type: ignore[arg-type] # the columns of a Row
            for line in lines:
                yield line
            if len(lines) < _AT_ONCE:
                return
            last = lines[-1].number

    async def unsettled(self) -> list[Line]:
        """The lines of instances whose request may have left, and nobody knows what came of it."""
        rows = await self._fetch(
            f"SELECT * FROM lines WHERE state IN ({', '.join('?' * len(UNSETTLED))})",  # noqa: S608 - no input
            *(state.value for state in UNSETTLED),
        )
        with _told(self._path):
            return [from_row(row) for row in rows]  # type: ignore[arg-type] # the columns of a Row

    async def counts(self) -> dict[LineState, int]:
        """How many lines there are of each state; states without any are left out."""
        rows = await self._fetch("SELECT state, count(*) FROM lines GROUP BY state")
        with _told(self._path):
            return {LineState(state): number for state, number in rows}

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
        with _told(self._path):
            if failure is not None:
                raise failure

    async def _is_journal(self) -> bool:
        """Whether it is a journal of ours; False where it is new, an error where it is anything else."""
        ((application,),) = await self._fetch("PRAGMA application_id")
        ((version,),) = await self._fetch("PRAGMA user_version")
        ((tables,),) = await self._fetch("SELECT count(*) FROM sqlite_master")
        if application != _APPLICATION and not tables:
            return False
        self._require_ours(application, version)
        return True

    def _require_ours(self, application: int, version: int) -> None:
        if application != _APPLICATION:
            raise JournalError(f"{self._path} is a database of another program: name another file")
        if version != _VERSION:
            raise JournalError(
                f"{self._path} was written by another version of this library (format {version}, "
                f"not {_VERSION}): go on with that version, or begin a new sweep with a new file"
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
        for statement in _SCHEMA:
            await self._change(statement)
        await self._change("INSERT INTO sweep (name, begun_at, opened_at) VALUES (?, ?, ?)", sweep, now, now)
        await self._change("COMMIT")

    async def _set_up(self) -> None:
        ((mode,),) = await self._fetch("PRAGMA journal_mode = WAL")
        if mode != "wal":
            raise JournalError(f"{self._path} is where SQLite cannot write ahead: use a local disk")
        await self._connection.execute("PRAGMA synchronous = FULL")
        await self._change("UPDATE sweep SET opened_at = ?", datetime.now(UTC).isoformat())

    async def _change(self, sql: str, *values: object) -> None:
        with _told(self._path):
            await self._connection.execute(sql, values)

    async def _fetch(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with _told(self._path):
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


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what an error of SQLite's means, and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        advice = _WHAT_TO_DO.get(code, "cannot be used")
        raise JournalError(f"{path} {advice} ({error})") from None
    except (ValueError, KeyError) as error:
        raise JournalError(f"{path} {_WHAT_TO_DO[sqlite3.SQLITE_CORRUPT]} ({error})") from None
