"""A journal: its entries, its event loop, and its errors."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from backupify_async._journal.entries import EntryState, JournalEntry
from backupify_async._journal.journal import Journal
from backupify_async._journal.transitions import failed, intended, settled
from backupify_async.errors import ConfigurationError, JournalError
from tests.journal.examples import SENT, STARTED
from tests.journal.journal_files import entries_of
from tests.support.files import ACCOUNT


async def cancel_the_writer() -> None:
    """Cancel the task that writes, as code does that cancels all tasks of a loop."""
    (writer,) = (task for task in asyncio.all_tasks() if task.get_name() == "backupify_async journal")
    writer.cancel()
    await asyncio.wait([writer])


class TestAJournal:
    async def test_has_its_entries_after_it_was_closed(self, path: Path) -> None:
        async with Journal(path) as journal:
            one, two = journal.add(42), journal.add("a/b")
            await journal.commit(intended(one, SENT))
            journal.put(settled(intended(one, SENT), STARTED))
        assert await entries_of(path) == [settled(intended(one, SENT), STARTED), two]

    async def test_keeps_its_path_when_the_working_directory_changes(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(path.parent)
        async with Journal(path.name) as journal:
            monkeypatch.chdir("/")
            await journal.commit(journal.add(42))
            assert journal.path == path
        assert [entry.instance_id for entry in await entries_of(path)] == [42]

    async def test_continues_its_numbers_when_it_is_reopened(self, path: Path) -> None:
        async with Journal(path) as journal:
            journal.add(42)
        async with journal:
            assert journal.add(43).number == 2
            assert [entry.instance_id async for entry in journal.read_entries()] == [42]

    async def test_keeps_any_number_of_entries_in_the_order_of_reading(self, path: Path) -> None:
        async with Journal(path) as journal:
            for number in range(2_500):
                journal.add(5_000 - number)
            await journal.mark_end()
            numbers = [entry.instance_id async for entry in journal.read_entries()]
        assert numbers == list(range(5_000, 2_500, -1))

    async def test_has_an_entry_on_disk_when_its_commit_returns(self, path: Path) -> None:
        async with Journal(path) as journal:
            await journal.commit(journal.add(42))
            assert [entry.instance_id for entry in await entries_of(path)] == [42]

    async def test_soon_writes_an_entry_that_is_not_committed(self, path: Path) -> None:
        async with Journal(path) as journal:
            entry = journal.add(42)
            async with asyncio.timeout(10):
                while not await entries_of(path):  # noqa: ASYNC110 - a file has no event
                    await asyncio.sleep(0)
            assert await entries_of(path) == [entry]

    async def test_counts_its_entries_by_state(self, path: Path) -> None:
        async with Journal(path) as journal:
            journal.put(failed(journal.add(1), "403"))
            journal.add(2)
            await journal.mark_end()
            assert await journal.counts() == {EntryState.FAILED: 1, EntryState.READ: 1}

    async def test_records_the_account_of_its_sweep_and_that_all_ids_were_read(self, path: Path) -> None:
        async with Journal(path, sweep="nightly") as journal:
            before = await journal.begin(ACCOUNT)
            await journal.mark_end()
        async with Journal(path) as journal:
            after = await journal.begin(ACCOUNT)
        assert (before.name, before.account, before.read_to_end) == ("nightly", None, False)
        assert (after.name, after.account, after.read_to_end) == ("nightly", ACCOUNT, True)
        assert after.begun_at == before.begun_at

    async def test_has_a_rest_until_its_entries_and_its_source_are_read(self, path: Path) -> None:
        async with Journal(path) as journal:
            await journal.begin(ACCOUNT)
            assert (journal.has_rest(of_source=True), journal.has_rest(of_source=False)) == (True, False)
            for instance_id in (1, 2):
                journal.add(instance_id)
            await journal.mark_end()
        async with journal:
            await journal.begin(ACCOUNT)
            rest = [journal.has_rest(of_source=True) async for _ in journal.read_entries()]
        assert rest == [True, False]

    async def test_can_be_closed_twice_but_not_opened_twice(self, path: Path) -> None:
        async with Journal(path) as journal:
            with pytest.raises(ConfigurationError, match="open already"):
                await journal.open()
            await journal.close()
        assert journal.path == path

    async def test_serves_one_sweep_at_a_time(self, path: Path) -> None:
        async with Journal(path) as journal:
            await journal.begin(ACCOUNT)
            with pytest.raises(JournalError, match="one sweep at a time"):
                await journal.begin(ACCOUNT)

    async def test_that_is_cancelled_while_it_opens_releases_its_file(self, path: Path) -> None:
        opening = asyncio.create_task(Journal(path).open())
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        async with Journal(path):
            pass

    async def test_that_is_cancelled_while_it_closes_is_closed(self, path: Path) -> None:
        journal = await Journal(path).open()
        entry = journal.add(42)
        closing = asyncio.create_task(journal.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert await entries_of(path) == [entry]
        async with Journal(path):
            pass

    async def test_completes_other_commits_if_one_is_cancelled(self, path: Path) -> None:
        async with Journal(path) as journal:
            first = asyncio.create_task(journal.commit(journal.add(1)))
            second = asyncio.create_task(journal.commit(journal.add(2)))
            await asyncio.sleep(0)
            first.cancel()
            await second
            assert len(await entries_of(path)) == 2


async def test_a_journal_that_is_not_closed_does_not_keep_the_program_alive(path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from backupify_async._journal.journal import Journal\n"
        "async def main():\n"
        "    journal = await Journal(sys.argv[1]).open()\n"
        "    await journal.commit(journal.add(42))\n"
        "    sys.exit(3)\n"
        "asyncio.run(main())\n"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code, str(path)], check=False, timeout=30
    )
    assert done.returncode == 3
    assert [entry.instance_id for entry in await entries_of(path)] == [42]


class TestItsEventLoop:
    async def test_is_the_only_one_in_which_it_can_be_used_or_closed(self, path: Path) -> None:
        async def use() -> None:
            with pytest.raises(ConfigurationError, match="opened in another event loop: open it in the one"):
                await journal.begin(ACCOUNT)
            with pytest.raises(ConfigurationError, match="opened in another event loop: open it in the one"):
                await journal.commit(JournalEntry(1, 42))
            with pytest.raises(ConfigurationError, match="opened in another event loop: close it there"):
                await journal.close()

        async with Journal(path) as journal:
            await asyncio.to_thread(asyncio.run, use())
            await journal.commit(journal.add(42))
        assert [entry.instance_id for entry in await entries_of(path)] == [42]

    async def test_with_all_tasks_cancelled_fails_commits_but_writes_entries_at_close(
        self, path: Path
    ) -> None:
        async with Journal(path) as journal:
            with pytest.raises(JournalError, match="writer was cancelled: close the journal, and resume"):
                await asyncio.gather(journal.commit(journal.add(1)), cancel_the_writer())
            journal.add(2)
            with pytest.raises(JournalError, match="writer was cancelled"):
                await journal.commit(journal.add(3))
        assert [entry.instance_id for entry in await entries_of(path)] == [1, 2, 3]

    async def test_with_all_tasks_cancelled_during_a_commit_loses_no_entry(self, path: Path) -> None:
        async with Journal(path) as journal:
            waiting = asyncio.ensure_future(journal.commit(journal.add(1)))
            await asyncio.sleep(0)  # the commit waits
            await asyncio.sleep(0)  # its entry is being written
            await cancel_the_writer()
            with pytest.raises(JournalError, match="writer was cancelled"):
                await waiting
        assert [entry.instance_id for entry in await entries_of(path)] == [1]


async def test_an_unexpected_error_of_a_write_fails_the_commit(path: Path) -> None:
    async with Journal(path) as journal:
        assert journal._group_commit is not None

        async def fail(_entries: object) -> None:
            raise ZeroDivisionError

        write, journal._group_commit._write = journal._group_commit._write, fail
        with pytest.raises(JournalError, match="ZeroDivisionError"):
            await journal.commit(journal.add(1))
        journal._group_commit._write = write


@pytest.mark.parametrize("missing", ["aiosqlite", "filelock"])
def test_without_its_extra_the_error_says_how_to_install_it(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigurationError, match=r"pip install '\.\[journal\]' in the checkout"):
        Journal("sweep.sqlite")
