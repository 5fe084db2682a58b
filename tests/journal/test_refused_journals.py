"""Journals that do not open: in use, of another sweep, not a journal, or read-only."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from backupify_async._journal.entries import SweepAccount
from backupify_async._journal.journal import Journal
from backupify_async.errors import JournalError
from tests.journal.journal_files import entries_of, refusal
from tests.support.files import ACCOUNT, as_common_user, content, read_only_directory, run_sql, write


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
    async def test_with_another_name_is_refused(self, path: Path) -> None:
        async with Journal(path, sweep="--all"):
            pass
        assert "another sweep (--all, and not --ids-file x): a new sweep needs a new file" in await refusal(
            path, sweep="--ids-file x"
        )

    async def test_with_a_name_is_refused_if_the_first_had_none(self, path: Path) -> None:
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
    async def test_a_text_file_is_refused_and_unchanged(self, path: Path) -> None:
        text = "42\n43\n" * 500
        write(path, text)
        assert "is not a journal: choose another file" in await refusal(path)
        assert content(path) == text.encode()

    async def test_another_programs_database_is_refused_and_unchanged(self, path: Path) -> None:
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

    async def test_an_entry_with_an_unknown_state_is_reported(self, path: Path) -> None:
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


class TestAReadOnly:
    async def test_directory_is_refused(self) -> None:
        with read_only_directory() as directory:
            directory.chmod(0o555)
            with as_common_user():
                assert "needs permission to write its directory" in await refusal(directory / "sweep.sqlite")

    async def test_directory_with_a_lock_is_refused(self) -> None:
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
