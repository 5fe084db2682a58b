"""A second `JournalStore`: the protocol does not need SQLite."""

import asyncio
import fcntl
import json
import os
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from io import BufferedRandom
from pathlib import Path

from backupify_async import EntryState, JournalEntry, JournalError, SweepInfo

_BEGIN = b'{"format": "backupify journal in JSON lines", "version": 1}\n'


class JsonLinesStore:
    """A journal in a file of JSON lines: each write appends, and the last record of a number counts.

    It keeps all entries in memory, and its file grows with each write.

    Args:
        path: The file; it is created where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BufferedRandom
        self._sweep: SweepInfo
        self._entries: dict[int, JournalEntry] = {}

    @property
    def name(self) -> str:
        return str(self._path)

    async def open(self, sweep: str) -> None:
        await asyncio.to_thread(self._open, sweep)

    async def close(self) -> None:
        await asyncio.to_thread(self._file.close)  # which releases the lock

    async def read_sweep(self) -> SweepInfo:
        return self._sweep

    async def write_sweep(self, sweep: SweepInfo) -> None:
        await asyncio.to_thread(self._append, [sweep.to_record()])
        self._sweep = sweep

    async def read_entries(self) -> AsyncGenerator[JournalEntry, None]:
        for number in sorted(self._entries):
            yield self._entries[number]

    async def write_entries(self, entries: Sequence[JournalEntry]) -> None:
        await asyncio.to_thread(self._append, [entry.to_record() for entry in entries])
        self._entries.update({entry.number: entry for entry in entries})

    async def counts(self) -> Mapping[EntryState, int]:
        return Counter(entry.state for entry in self._entries.values())

    async def last_number(self) -> int:
        return max(self._entries, default=0)

    def _open(self, sweep: str) -> None:
        self._file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._read(sweep)
        except BlockingIOError:
            self._file.close()
            raise JournalError(f"{self.name} is in use: wait until the other sweep ends") from None
        except BaseException:
            self._file.close()
            raise

    def _read(self, sweep: str) -> None:
        self._entries = {}
        content = self._file.read()
        whole, _, _ = content.rpartition(b"\n")  # a line without an end is a write that did not finish
        lines = whole.splitlines()
        if _BEGIN.startswith(content) or lines == [_BEGIN.strip()]:  # new, or created in part
            self._sweep = SweepInfo(sweep, datetime.now(UTC))
            self._undo(0)
            self._file.write(_BEGIN)
            self._append([self._sweep.to_record()])
            return
        if not content.startswith(_BEGIN):
            raise JournalError(f"{self.name} is not a journal: choose another file")
        try:
            for line in lines[1:]:
                self._take(json.loads(line))
        except ValueError as error:
            raise JournalError(f"{self.name} is damaged: {error}") from None
        if sweep and sweep != self._sweep.name:
            raise JournalError(f"{self.name} is the journal of {self._sweep.name!r}, not of {sweep!r}")
        self._undo(len(whole) + 1)

    def _take(self, record: Mapping[str, object]) -> None:
        if "number" in record:
            entry = JournalEntry.from_record(record)
            self._entries[entry.number] = entry
        else:
            self._sweep = SweepInfo.from_record(record)

    def _append(self, records: Iterable[Mapping[str, object]]) -> None:
        end = self._file.tell()
        try:
            self._file.write(b"".join(json.dumps(record).encode() + b"\n" for record in records))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self._undo(end)  # otherwise a later write would follow half a line
            raise JournalError(f"{self.name} cannot be written: {error.strerror}") from None

    def _undo(self, end: int) -> None:
        self._file.truncate(end)
        self._file.seek(end)
