"""A journal as a file: opened, locked, written and released."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from backupify_async._journal.entries import EntryState, JournalEntry, SweepAccount
from backupify_async._journal.journal import Journal
from backupify_async._journal.snapshot import open_snapshot
from backupify_async._journal.transitions import ambiguous, failed, intended, settled
from backupify_async.errors import ConfigurationError, JournalError
from backupify_async.models import Backup, SentTrigger, TriggerKind, TriggerResult
from tests.journal.examples import SENT, WHEN
from tests.support.files import (
    ACCOUNT,
    as_common_user,
    content,
    files_no_larger_than,
    read_only_directory,
    run_sql,
    write,
)

STARTED = TriggerResult(TriggerKind.STARTED, Backup(1007))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sweep.sqlite"


async def entries_of(path: Path) -> list[JournalEntry]:
    async with open_snapshot(path) as storage:
        return [entry async for entry in storage.read_entries()]


async def refusal(path: Path, *, sweep: str = "") -> str:
    """The message with which a journal refuses to open."""
    journal = Journal(path, sweep=sweep)
    with pytest.raises(JournalError) as raised:
        await journal.open()
    with pytest.raises(ConfigurationError, match="not open"):
        journal.add(42)
    return str(raised.value)


async def cancel_the_writer() -> None:
    """Cancel the writing task, like code that cancels all tasks of a loop."""
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

    async def test_stays_where_it_is_when_the_working_directory_changes(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(path.parent)
        async with Journal(path.name) as journal:
            monkeypatch.chdir("/")
            await journal.commit(journal.add(42))
            assert journal.path == path
        assert [entry.instance_id for entry in await entries_of(path)] == [42]

    async def test_continues_its_numbers_when_it_is_opened_again(self, path: Path) -> None:
        async with Journal(path) as journal:
            journal.add(42)
        async with journal:
            assert journal.add(43).number == 2
            assert [entry.instance_id async for entry in journal.read_entries()] == [42]

    async def test_has_any_number_of_entries_in_the_order_of_reading(self, path: Path) -> None:
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

    async def test_writes_an_entry_that_is_not_awaited_within_a_moment(self, path: Path) -> None:
        async with Journal(path) as journal:
            journal.add(42)
            async with asyncio.timeout(10):
                while not await entries_of(path):  # noqa: ASYNC110 - there is no event in a file
                    await asyncio.sleep(0)

    async def test_counts_its_entries_by_state(self, path: Path) -> None:
        async with Journal(path) as journal:
            journal.put(failed(journal.add(1), "403"))
            journal.add(2)
            await journal.mark_end()
            assert await journal.counts() == {EntryState.FAILED: 1, EntryState.READ: 1}

    async def test_knows_whose_sweep_it_is_and_that_all_ids_were_read(self, path: Path) -> None:
        async with Journal(path, sweep="nightly") as journal:
            before = await journal.begin(ACCOUNT)
            await journal.mark_end()
        async with Journal(path) as journal:
            after = await journal.begin(ACCOUNT)
        assert (before.name, before.account, before.read_to_end) == ("nightly", None, False)
        assert (after.name, after.account, after.read_to_end) == ("nightly", ACCOUNT, True)
        assert after.begun_at == before.begun_at

    async def test_has_a_rest_until_its_entries_are_taken_and_its_source_is_read(self, path: Path) -> None:
        async with Journal(path) as journal:
            await journal.begin(ACCOUNT)
            assert (journal.has_rest(of_source=True), journal.has_rest(of_source=False)) == (True, False)
            for instance_id in (1, 2):
                journal.add(instance_id)
            await journal.mark_end()
        async with journal:
            await journal.begin(ACCOUNT)
            left = [journal.has_rest(of_source=True) async for _ in journal.read_entries()]
        assert left == [True, False]

    async def test_can_be_closed_twice_and_not_opened_twice(self, path: Path) -> None:
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

    async def test_completes_other_commits_where_one_is_cancelled(self, path: Path) -> None:
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


class TestItsLoop:
    async def test_is_the_only_one_that_uses_and_closes_it(self, path: Path) -> None:
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

    async def test_with_all_tasks_cancelled_fails_commits_and_still_writes_when_it_closes(
        self, path: Path
    ) -> None:
        async with Journal(path) as journal:
            with pytest.raises(JournalError, match="writer was cancelled: close the journal, and resume"):
                await asyncio.gather(journal.commit(journal.add(1)), cancel_the_writer())
            journal.add(2)
            with pytest.raises(JournalError, match="writer was cancelled"):
                await journal.commit(journal.add(3))
        assert [entry.instance_id for entry in await entries_of(path)] == [1, 2, 3]

    async def test_with_all_tasks_cancelled_amid_a_commit_loses_no_entry(self, path: Path) -> None:
        async with Journal(path) as journal:
            waiting = asyncio.ensure_future(journal.commit(journal.add(1)))
            await asyncio.sleep(0)  # the commit waits
            await asyncio.sleep(0)  # its entry is being written
            await cancel_the_writer()
            with pytest.raises(JournalError, match="writer was cancelled"):
                await waiting
        assert [entry.instance_id for entry in await entries_of(path)] == [1]


class TestTwoWriters:
    async def test_the_second_is_refused(self, path: Path) -> None:
        async with Journal(path):
            assert f"{path} is in use: another process is sweeping with it" in await refusal(path)

    async def test_the_second_is_refused_under_another_name_of_the_file(self, path: Path) -> None:
        other = path.with_name("link.sqlite")
        other.symlink_to(path)
        async with Journal(path):
            assert "is in use" in await refusal(other)

    async def test_a_killed_process_releases_the_journal(self, path: Path) -> None:
        code = (
            "import asyncio, os, sys\n"
            "from backupify_async._journal.journal import Journal\n"
            "async def main():\n"
            "    journal = await Journal(sys.argv[1]).open()\n"
            "    await journal.commit(journal.add(42))\n"
            "    os.kill(os.getpid(), 9)\n"
            "asyncio.run(main())\n"
        )
        done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, str(path)], check=False)
        assert done.returncode == -9
        assert [entry.instance_id for entry in await entries_of(path)] == [42]
        async with Journal(path) as journal:
            assert journal.add(43).number == 2


class TestAnotherSweep:
    async def test_by_its_name_is_refused(self, path: Path) -> None:
        async with Journal(path, sweep="--all"):
            pass
        assert "another sweep (--all, and not --ids-file x): a new sweep needs a new file" in await refusal(
            path, sweep="--ids-file x"
        )

    async def test_with_a_name_where_the_first_had_none_is_refused(self, path: Path) -> None:
        async with Journal(path):
            pass
        assert "(one without a name, and not nightly)" in await refusal(path, sweep="nightly")

    @pytest.mark.parametrize(
        "other",
        [
            SweepAccount(ACCOUNT.base_url, "dev"),
            SweepAccount("https://b.example", "ops"),
            SweepAccount(ACCOUNT.base_url, None),
        ],
    )
    async def test_of_another_account_is_refused(self, path: Path, other: SweepAccount) -> None:
        async with Journal(path) as journal:
            await journal.begin(ACCOUNT)
        async with Journal(path) as journal:
            with pytest.raises(JournalError) as raised:
                await journal.begin(other)
        assert f"another account ({ACCOUNT}, and not {other})" in str(raised.value)


class TestAFileThatIsNotAJournal:
    async def test_a_text_is_refused_and_stays_as_it_is(self, path: Path) -> None:
        text = "42\n43\n" * 500
        write(path, text)
        assert "is not a journal: choose another file" in await refusal(path)
        assert content(path) == text.encode()

    async def test_another_programs_database_is_refused_and_stays_as_it_is(self, path: Path) -> None:
        run_sql(path, "CREATE TABLE theirs (a)")
        before = content(path)
        assert "is a database of another program: choose another file" in await refusal(path)
        assert content(path) == before

    async def test_another_versions_journal_is_refused(self, path: Path) -> None:
        async with Journal(path):
            pass
        run_sql(path, "PRAGMA user_version = 1")
        assert "another version of this library (format 1, not 3)" in await refusal(path)

    async def test_an_empty_file_becomes_a_journal(self, path: Path) -> None:
        write(path)
        async with Journal(path) as journal:
            await journal.commit(journal.add(42))
            assert [entry.instance_id for entry in await entries_of(path)] == [42]

    async def test_a_damaged_journal_is_refused(self, path: Path) -> None:
        async with Journal(path) as journal:
            journal.add(42)
        run_sql(path, "DELETE FROM sweep")
        assert "is damaged: check which backups are running before you begin a new sweep" in await refusal(
            path
        )

    async def test_an_entry_that_no_journal_has_is_reported(self, path: Path) -> None:
        async with Journal(path) as journal:
            journal.add(42)
        run_sql(path, "UPDATE lines SET state = 'paused'")
        with pytest.raises(JournalError, match="is damaged"):
            await entries_of(path)

    async def test_a_directory_is_refused(self, tmp_path: Path) -> None:
        assert f"{tmp_path} is a directory: choose a file" in await refusal(tmp_path)

    async def test_a_missing_directory_is_not_created(self, tmp_path: Path) -> None:
        path = tmp_path / "missing" / "sweep.sqlite"
        assert "its directory does not exist" in await refusal(path)
        assert not path.parent.exists()


class TestASnapshot:
    async def test_can_be_read_while_the_journal_is_open(self, path: Path) -> None:
        async with Journal(path, sweep="nightly") as journal:
            await journal.commit(journal.add(42))
            async with open_snapshot(path) as storage:
                assert (await storage.read_sweep()).name == "nightly"
                assert await storage.counts() == {EntryState.READ: 1}

    async def test_finds_the_entries_in_doubt(self, path: Path) -> None:
        async with Journal(path) as journal:
            lost, doubtful, done = (
                intended(journal.add(number), SentTrigger(number, WHEN)) for number in (1, 2, 3)
            )
            for entry in (
                lost,
                ambiguous(doubtful, SentTrigger(2, WHEN), "lost"),
                settled(done, STARTED),
                failed(journal.add(4), ""),
            ):
                journal.put(entry)
        async with open_snapshot(path) as storage:
            assert [entry.instance_id for entry in await storage.in_doubt()] == [1, 2]

    async def test_creates_no_file(self, path: Path) -> None:
        with pytest.raises(
            JournalError, match=f"no journal {path}: `backupify trigger --journal` creates one"
        ):
            await entries_of(path)
        assert content(path) is None

    async def test_of_an_empty_file_is_refused(self, path: Path) -> None:
        write(path)
        with pytest.raises(JournalError, match="is empty: no sweep was begun with it"):
            await entries_of(path)

    async def test_of_a_damaged_file_is_refused(self, path: Path) -> None:
        async with Journal(path):
            pass
        run_sql(path, "DROP TABLE sweep")
        with pytest.raises(JournalError, match=r"cannot be used \(no such table: sweep\)$"):
            await entries_of(path)

    async def test_of_what_is_not_a_journal_is_refused(self, path: Path) -> None:
        write(path, "42\n" * 500)
        with pytest.raises(JournalError, match="is not a journal"):
            await entries_of(path)


class TestAFullDisk:
    async def test_is_reported_when_a_journal_is_created(self, path: Path) -> None:
        with files_no_larger_than(2_048):
            assert "check the disk, its quota and its limits" in await refusal(path)
        async with Journal(path):
            pass

    async def test_is_reported_when_a_journal_is_opened_again(self, path: Path) -> None:
        async with Journal(path):
            pass
        with files_no_larger_than(2_048):
            assert "check the disk" in await refusal(path)

    async def test_fails_the_commits_that_meet_it_and_all_later_ones(self, path: Path) -> None:
        async with Journal(path) as journal:
            done = journal.add(1)
            await journal.commit(done)
            with files_no_larger_than(2_048):
                waiting = [journal.commit(journal.add(number)) for number in (2, 3)]
                for outcome in await asyncio.gather(*waiting, return_exceptions=True):
                    assert isinstance(outcome, JournalError)
            with pytest.raises(JournalError, match="check the disk"):
                await journal.commit(journal.add(4))
            assert await entries_of(path) == [done]
        assert [entry.number for entry in await entries_of(path)] == [1, 2, 3, 4]

    async def test_is_reported_when_the_journal_is_closed_and_the_lock_is_released(self, path: Path) -> None:
        journal = await Journal(path).open()
        journal.add(1)
        with (
            files_no_larger_than(2_048),
            pytest.raises(JournalError, match="outcomes that were not written: 1"),
        ):
            await journal.close()
        async with Journal(path) as journal:
            assert await journal.counts() == {}

    async def test_is_reported_with_what_to_do(self, path: Path) -> None:
        async with Journal(path) as journal:
            assert journal._file is not None
            await journal._file._database.execute("PRAGMA max_page_count = 1")
            with pytest.raises(JournalError, match="the disk is full: free some space, and resume"):
                await asyncio.gather(*(journal.commit(journal.add(f"{n:0500}")) for n in range(50)))
            await journal._file._database.execute("PRAGMA max_page_count = 1000")


class TestAReadOnly:
    async def test_directory_is_refused(self) -> None:
        with read_only_directory() as directory:
            directory.chmod(0o555)
            with as_common_user():
                assert "needs permission to write its directory" in await refusal(directory / "sweep.sqlite")

    async def test_directory_is_refused_where_the_lock_exists(self) -> None:
        with read_only_directory() as directory:
            write(directory / "sweep.sqlite.lock")
            (directory / "sweep.sqlite.lock").chmod(0o666)
            directory.chmod(0o555)
            with as_common_user():
                assert "cannot be opened: it must be a file in a directory that this user can use" in (
                    await refusal(directory / "sweep.sqlite")
                )

    async def test_file_is_refused(self) -> None:
        with read_only_directory() as directory:
            path = directory / "sweep.sqlite"
            async with Journal(path):
                pass
            path.chmod(0o444)
            path.with_name("sweep.sqlite.lock").chmod(0o666)
            directory.chmod(0o777)
            with as_common_user():
                assert "needs permission to write it and its directory" in await refusal(path)


async def test_an_unexpected_error_of_a_write_fails_the_commit(path: Path) -> None:
    async with Journal(path) as journal:
        assert journal._group_commit is not None

        async def fail(_lines: object) -> None:
            raise ZeroDivisionError

        write, journal._group_commit._write = journal._group_commit._write, fail
        with pytest.raises(JournalError, match="ZeroDivisionError"):
            await journal.commit(journal.add(1))
        journal._group_commit._write = write


@pytest.mark.parametrize("missing", ["aiosqlite", "filelock"])
def test_without_the_extra_a_journal_says_how_to_install_it(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigurationError, match=r"pip install '\.\[journal\]' in the checkout"):
        Journal("sweep.sqlite")
