"""A journal on a full disk."""

import asyncio
from pathlib import Path

import pytest

from backupify_async._journal.journal import Journal
from backupify_async.errors import JournalError
from tests.journal.journal_files import entries_of, refusal
from tests.support.files import files_no_larger_than


class TestAFullDisk:
    async def test_is_reported_when_a_journal_is_created(self, path: Path) -> None:
        with files_no_larger_than(2_048):
            assert "check the disk, its quota and its limits" in await refusal(path)
        async with Journal(path):
            pass

    async def test_is_reported_when_a_journal_is_reopened(self, path: Path) -> None:
        async with Journal(path):
            pass
        with files_no_larger_than(2_048):
            assert "check the disk" in await refusal(path)

    async def test_fails_the_commits_in_progress_and_all_later_ones(self, path: Path) -> None:
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

    async def test_is_reported_with_a_remedy(self, path: Path) -> None:
        async with Journal(path) as journal:
            assert journal._file is not None
            await journal._file._database.execute("PRAGMA max_page_count = 1")
            with pytest.raises(JournalError, match="the disk is full: free some space, and resume"):
                await asyncio.gather(*(journal.commit(journal.add(f"{n:0500}")) for n in range(50)))
            await journal._file._database.execute("PRAGMA max_page_count = 1000")
