"""The contract of `JournalStore`. To check your own store, add it to `STORES` in tests/journal/stores.py."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

from backupify_async import (
    Backup,
    EntryState,
    Journal,
    JournalEntry,
    JournalError,
    JournalStore,
    SentTrigger,
    SweepAccount,
)
from tests.journal.examples import WHEN
from tests.journal.stores import STORES, Factory

ENTRIES = [
    JournalEntry(1, 42),
    JournalEntry(2, "042/ä", EntryState.FAILED, problem="403: no permission\n"),
    JournalEntry(3, 2**80, EntryState.INTENDED, SentTrigger(2**80, WHEN, "7")),
    JournalEntry(
        4,
        "a",
        EntryState.STARTED,
        SentTrigger("a", WHEN, None),
        Backup(7, status="active", created_at=WHEN, extra={"a": [1]}),
    ),
    JournalEntry(5, "b", EntryState.AMBIGUOUS, SentTrigger("b", WHEN), problem="the connection was lost"),
]


@pytest.fixture(params=STORES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(name: str) -> Factory:
    return STORES[name]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@asynccontextmanager
async def opened(store: JournalStore, sweep: str = "") -> AsyncIterator[JournalStore]:
    await store.open(sweep)
    try:
        yield store
    finally:
        await store.close()


async def entries_of(store: JournalStore) -> list[JournalEntry]:
    return [entry async for entry in store.read_entries()]


async def run_in_another_process(name: str, path: Path, then: str) -> int:
    """Open a store in another process, write the entries and run a statement; returns the exit code."""
    code = (
        "import asyncio, os, sys\n"
        "from pathlib import Path\n"
        "from backupify_async import JournalError\n"
        f"from {__name__} import ENTRIES\n"
        "from tests.journal.stores import STORES\n"
        "async def main():\n"
        "    store = STORES[sys.argv[1]](Path(sys.argv[2]))\n"
        "    try:\n"
        "        await store.open('')\n"
        "    except JournalError:\n"
        "        sys.exit(1)\n"
        "    await store.write_entries(ENTRIES)\n"
        f"    {then}\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, name, str(path))
    return await process.wait()


class TestANewJournal:
    async def test_has_the_name_of_its_sweep_and_the_time_of_its_creation(
        self, make: Factory, path: Path
    ) -> None:
        before = datetime.now(UTC)
        async with opened(make(path), "nightly") as store:
            sweep = await store.read_sweep()
        assert (sweep.name, sweep.account, sweep.read_to_end, sweep.source) == ("nightly", None, False, None)
        assert before <= sweep.begun_at <= datetime.now(UTC)

    async def test_has_no_entries(self, make: Factory, path: Path) -> None:
        async with opened(make(path)) as store:
            assert await entries_of(store) == []
            assert (await store.counts(), await store.last_number()) == ({}, 0)

    async def test_has_a_name_for_messages(self, make: Factory, path: Path) -> None:
        assert make(path).name


class TestEntries:
    async def test_are_read_back_with_every_field_in_the_order_of_their_numbers(
        self, make: Factory, path: Path
    ) -> None:
        async with opened(make(path)) as store:
            await store.write_entries(ENTRIES[::-1])
            assert await entries_of(store) == ENTRIES

    async def test_outlive_the_store(self, make: Factory, path: Path) -> None:
        async with opened(make(path)) as store:
            await store.write_entries(ENTRIES)
        async with opened(make(path)) as store:
            assert await entries_of(store) == ENTRIES

    async def test_outlive_a_process_that_is_killed_after_the_write(
        self, name: str, make: Factory, path: Path
    ) -> None:
        assert await run_in_another_process(name, path, "os.kill(os.getpid(), 9)") == -9
        async with opened(make(path)) as store:
            assert await entries_of(store) == ENTRIES

    async def test_replace_those_with_the_same_number(self, make: Factory, path: Path) -> None:
        newer = [
            attrs.evolve(ENTRIES[0], state=EntryState.INTENDED, trigger=SentTrigger(42, WHEN)),
            JournalEntry(6, "c"),
        ]
        async with opened(make(path)) as store:
            await store.write_entries(ENTRIES)
            await store.write_entries(newer)
            assert await entries_of(store) == [newer[0], *ENTRIES[1:], newer[1]]
        async with opened(make(path)) as store:
            assert await entries_of(store) == [newer[0], *ENTRIES[1:], newer[1]]

    async def test_can_be_written_while_they_are_read(self, make: Factory, path: Path) -> None:
        async with opened(make(path)) as store:
            await store.write_entries(ENTRIES)
            read = []
            async for entry in store.read_entries():
                read.append(entry)
                await store.write_entries([attrs.evolve(entry, problem="rewritten")])
            assert [entry.number for entry in read] == [1, 2, 3, 4, 5]
            assert {entry.problem for entry in await entries_of(store)} == {"rewritten"}

    async def test_can_be_thousands(self, make: Factory, path: Path) -> None:
        many = [JournalEntry(number, number) for number in range(1, 2_502)]
        async with opened(make(path)) as store:
            await store.write_entries(many)
            assert await entries_of(store) == many

    async def test_are_counted_by_state(self, make: Factory, path: Path) -> None:
        async with opened(make(path)) as store:
            await store.write_entries([*ENTRIES, JournalEntry(6, "c")])
            counts = await store.counts()
            assert await store.last_number() == 6
        assert counts == dict.fromkeys((entry.state for entry in ENTRIES), 1) | {EntryState.READ: 2}


class TestTheRecordOfTheSweep:
    async def test_is_replaced_and_outlives_the_store(self, make: Factory, path: Path) -> None:
        async with opened(make(path), "nightly") as store:
            sweep = attrs.evolve(
                await store.read_sweep(),
                account=SweepAccount("https://api.example.com", "ops"),
                read_to_end=True,
                source="sha256:1",
            )
            await store.write_sweep(sweep)
            assert await store.read_sweep() == sweep
        async with opened(make(path)) as store:
            assert await store.read_sweep() == sweep

    async def test_is_written_without_a_change_to_the_entries(self, make: Factory, path: Path) -> None:
        async with opened(make(path)) as store:
            await store.write_entries(ENTRIES)
            await store.write_sweep(attrs.evolve(await store.read_sweep(), read_to_end=True))
            assert await entries_of(store) == ENTRIES

    async def test_is_written_while_entries_are_written_and_counted(self, make: Factory, path: Path) -> None:
        async with opened(make(path)) as store:
            sweep = attrs.evolve(await store.read_sweep(), source="sha256:1")
            await asyncio.gather(
                store.write_entries(ENTRIES), store.write_sweep(sweep), store.counts(), store.last_number()
            )
        async with opened(make(path)) as store:
            assert (await store.read_sweep(), await entries_of(store)) == (sweep, ENTRIES)


class TestOpening:
    async def test_is_refused_while_another_writer_has_it_open(self, make: Factory, path: Path) -> None:
        async with opened(make(path)) as store:
            with pytest.raises(JournalError):
                await make(path).open("")
            await store.write_entries(ENTRIES)
        async with opened(make(path)) as store:
            assert await entries_of(store) == ENTRIES

    async def test_is_refused_while_another_process_has_it_open(
        self, name: str, make: Factory, path: Path
    ) -> None:
        async with opened(make(path)):
            assert await run_in_another_process(name, path, "sys.exit(0)") == 1
        assert await run_in_another_process(name, path, "await store.close()") == 0

    async def test_is_refused_if_the_journal_is_of_another_sweep(self, make: Factory, path: Path) -> None:
        async with opened(make(path), "nightly") as store:
            await store.write_entries(ENTRIES)
        with pytest.raises(JournalError):
            await make(path).open("weekly")
        for sweep in ("nightly", ""):
            async with opened(make(path), sweep) as store:
                assert (await store.read_sweep()).name == "nightly"
                assert await entries_of(store) == ENTRIES

    async def test_is_refused_if_another_file_is_in_its_place_and_leaves_it_unchanged(
        self, make: Factory, path: Path
    ) -> None:
        await asyncio.to_thread(path.write_text, "42\n43\n")
        with pytest.raises(JournalError):
            await make(path).open("")
        assert await asyncio.to_thread(path.read_text) == "42\n43\n"

    async def test_works_again_after_a_close(self, make: Factory, path: Path) -> None:
        store = make(path)
        for entry in ENTRIES:
            async with opened(store):
                await store.write_entries([entry])
        async with opened(store):
            assert await entries_of(store) == ENTRIES


class TestAJournalOnTheStore:
    async def test_continues_its_numbers_and_has_entries_on_disk_after_a_commit(
        self, make: Factory, path: Path
    ) -> None:
        async with Journal.on(make(path)) as journal:
            await journal.commit(journal.add(42))
        async with Journal.on(make(path)) as journal:
            assert journal.add(43).number == 2
        async with opened(make(path)) as store:
            assert await entries_of(store) == [JournalEntry(1, 42), JournalEntry(2, 43)]

    async def test_is_done_once_all_ids_are_read_and_each_entry_is_done(
        self, make: Factory, path: Path
    ) -> None:
        async with Journal.on(make(path), sweep="nightly") as journal:
            await journal.begin(SweepAccount("https://api.example.com", "ops"))
            entry = journal.add(42)
            await journal.mark_end()
            assert not await journal.is_done()
            journal.put(attrs.evolve(entry, state=EntryState.STARTED))
            assert await journal.is_done()
        async with Journal.on(make(path), sweep="nightly") as journal:
            assert await journal.is_done()
