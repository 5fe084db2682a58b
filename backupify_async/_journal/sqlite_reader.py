"""What can be read from a journal in an SQLite file."""

from collections.abc import AsyncGenerator
from pathlib import Path

from backupify_async._journal.database import Database
from backupify_async._journal.entries import (
    ENTRY_FIELDS,
    IN_DOUBT,
    SWEEP_FIELDS,
    EntryState,
    JournalEntry,
    SweepInfo,
)
from backupify_async._journal.error_messages import translate_errors

_ROWS_PER_QUERY = 1_000  # some 100 kB


class SQLiteReader:
    """Reads a journal. Every method raises `JournalError` where the file cannot be read.

    Args:
        path: The file.
        database: A connection to it.
    """

    def __init__(self, path: Path, database: Database) -> None:
        self._path = path
        self._database = database

    async def read_sweep(self) -> SweepInfo:
        """What is known of the sweep as a whole."""
        rows = await self._database.fetch(f"SELECT {', '.join(SWEEP_FIELDS)} FROM sweep")  # noqa: S608
        with translate_errors(self._path):
            (row,) = rows
            return SweepInfo.from_record(dict(zip(SWEEP_FIELDS, row, strict=True)))

    async def read_entries(self) -> AsyncGenerator[JournalEntry, None]:
        """All entries in the order of their numbers; `_ROWS_PER_QUERY` of them are in memory."""
        last = 0
        while True:
            entries = await self._select("number > ? ORDER BY number LIMIT ?", last, _ROWS_PER_QUERY)
            for entry in entries:
                yield entry
            if len(entries) < _ROWS_PER_QUERY:
                return
            last = entries[-1].number

    async def in_doubt(self) -> list[JournalEntry]:
        """The entries of instances whose request may have been sent, with its outcome in doubt."""
        states = [state.value for state in IN_DOUBT]
        return await self._select(f"state IN ({', '.join('?' * len(states))})", *states)

    async def counts(self) -> dict[EntryState, int]:
        """How many entries are in each state; a state without entries is left out."""
        rows = await self._database.fetch("SELECT state, count(*) FROM lines GROUP BY state")
        with translate_errors(self._path):
            return {EntryState(state): number for state, number in rows}

    async def last_number(self) -> int:
        """The highest number of an entry; 0 where there is none."""
        ((number,),) = await self._database.fetch("SELECT coalesce(max(number), 0) FROM lines")
        return int(number)

    async def _select(self, condition: str, *values: object) -> list[JournalEntry]:
        columns = ", ".join(ENTRY_FIELDS)
        rows = await self._database.fetch(
            f"SELECT {columns} FROM lines WHERE {condition}",  # noqa: S608 - no input
            *values,
        )
        with translate_errors(self._path):
            return [JournalEntry.from_record(dict(zip(ENTRY_FIELDS, row, strict=True))) for row in rows]
