"""Which methods of its store a journal calls at the same time, and which it does not."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from datetime import UTC, datetime

import pytest

from backupify_async import ConfigurationError, EntryState, Journal, JournalEntry, SweepAccount, SweepInfo

pytestmark = pytest.mark.looptime


class SlowStore:
    """A store whose methods take a second each, and that records which overlap."""

    name = "memory"

    def __init__(self) -> None:
        self.running: list[str] = []
        self.together: set[tuple[str, str]] = set()
        self.sweep = SweepInfo("nightly", datetime(2026, 1, 1, tzinfo=UTC))
        self.closed = False

    async def _run(self, method: str) -> None:
        assert not self.closed
        self.together |= {(min(method, other), max(method, other)) for other in self.running}
        self.running.append(method)
        await asyncio.sleep(1)
        self.running.remove(method)

    async def open(self, sweep: str) -> None:
        await self._run("open")

    async def close(self) -> None:
        await self._run("close")
        self.closed = True

    async def read_sweep(self) -> SweepInfo:
        await self._run("read_sweep")
        return self.sweep

    async def write_sweep(self, sweep: SweepInfo) -> None:
        await self._run("write_sweep")
        self.sweep = sweep

    async def read_entries(self) -> AsyncGenerator[JournalEntry, None]:
        await self._run("read_entries")
        yield JournalEntry(1, 42)

    async def write_entries(self, _entries: Sequence[JournalEntry]) -> None:
        await self._run("write_entries")

    async def counts(self) -> Mapping[EntryState, int]:
        await self._run("counts")
        return {}

    async def last_number(self) -> int:
        await self._run("last_number")
        return 0


async def read(journal: Journal) -> None:
    async for _ in journal.read_entries():
        pass


async def run_at_once(*work: Awaitable[object]) -> None:
    await asyncio.gather(*work)


async def test_entries_and_the_sweep_are_written_and_read_at_the_same_time() -> None:
    store = SlowStore()
    async with Journal.on(store) as journal:
        await run_at_once(
            journal.commit(JournalEntry(1, 42)), journal.note_source("ids"), read(journal), journal.counts()
        )
    assert {("write_entries", "write_sweep"), ("read_entries", "write_entries")} <= store.together


async def test_no_method_that_writes_runs_twice_at_once() -> None:
    store = SlowStore()
    async with Journal.on(store) as journal:
        await run_at_once(
            *[journal.commit(JournalEntry(number, number)) for number in range(1, 4)],
            *[journal.note_source(source) for source in "abc"],
            journal.begin(SweepAccount("https://api.example.com", None)),
        )
    assert not {("write_entries", "write_entries"), ("write_sweep", "write_sweep")} & store.together
    assert store.sweep.source == "c"


async def test_closing_waits_for_the_record_of_the_sweep() -> None:
    store = SlowStore()
    journal = await Journal.on(store).open()
    notes = [asyncio.create_task(journal.note_source(source)) for source in "ab"]
    await asyncio.sleep(0.5)
    await journal.close()
    await asyncio.wait(notes)
    assert ("close", "write_sweep") not in store.together
    assert store.sweep.source == "a"
    assert isinstance(notes[1].exception(), ConfigurationError)
