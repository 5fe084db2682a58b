"""A connection to the SQLite database of a journal. Only this module uses aiosqlite."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import aiosqlite

from backupify_async._journal.error_messages import translate_errors

_ROWS_PER_FETCH = 1_000  # as many as `SQLiteReader` asks for


class Database:
    """One connection. Every method raises `JournalError` where the file cannot be read or written.

    Args:
        path: The file, for messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: aiosqlite.Connection | None = None

    async def connect(self, target: str) -> None:
        """Connect to a path, or to a URI that begins with `file:` (sqlite.org/uri.html)."""
        # Where connecting fails, the thread of aiosqlite can call an event loop that is closed by then. So
        # it connects to an empty database in memory, and the error is raised here.
        failure: sqlite3.Error | None = None

        def connect() -> sqlite3.Connection:
            nonlocal failure
            try:
                return sqlite3.connect(target, uri=target.startswith("file:"), isolation_level=None)
            except sqlite3.Error as error:
                failure = error
                return sqlite3.connect(":memory:")

        self._connection = await (await asyncio.to_thread(_with_daemon_thread, connect))
        with translate_errors(self._path):
            if failure is not None:
                raise failure

    async def close(self) -> None:
        """Close the connection, where there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with translate_errors(self._path):
                await connection.close()

    async def fetch(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """The rows of a query."""
        with translate_errors(self._path):
            return list(await self._connected.execute_fetchall(sql, values))

    async def execute(self, sql: str, *values: object) -> int:
        """Run a statement; returns how many rows it changed."""
        with translate_errors(self._path):
            cursor = await self._connected.execute(sql, values)
            return cursor.rowcount

    async def define(self, name: str, function: Callable[[], bool]) -> None:
        """Let statements call a function without arguments."""
        with translate_errors(self._path):
            await self._connected.create_function(name, 0, function)

    @property
    def _connected(self) -> aiosqlite.Connection:
        assert self._connection is not None  # noqa: S101 - `connect` comes first
        return self._connection


def _with_daemon_thread(connect: Callable[[], sqlite3.Connection]) -> aiosqlite.Connection:
    """A connection whose thread does not keep the interpreter alive where a journal was never closed.

    aiosqlite has no setting for that, but a thread inherits `daemon` from the one that creates it.
    """
    made: list[aiosqlite.Connection] = []
    maker = threading.Thread(
        target=lambda: made.append(aiosqlite.Connection(connect, _ROWS_PER_FETCH)), daemon=True
    )
    maker.start()
    maker.join()
    (connection,) = made
    return connection
