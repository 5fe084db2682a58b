"""Snapshots, which read a journal without its lock."""

from pathlib import Path

import pytest

from backupify_async._journal.entries import EntryState
from backupify_async._journal.journal import Journal
from backupify_async._journal.snapshot import open_snapshot
from backupify_async._journal.transitions import ambiguous, failed, intended, settled
from backupify_async.errors import JournalError
from backupify_async.models import SentTrigger
from tests.journal.examples import STARTED, WHEN
from tests.journal.journal_files import entries_of
from tests.support.files import content, run_sql, write


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

    async def test_of_a_file_that_is_not_a_journal_is_refused(self, path: Path) -> None:
        write(path, "42\n" * 500)
        with pytest.raises(JournalError, match="is not a journal"):
            await entries_of(path)
