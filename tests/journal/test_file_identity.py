"""One process writes a journal, and only while the path leads to the files that it opened."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backupify_async._journal.file_identity import identity
from backupify_async._journal.journal import Journal
from backupify_async._journal.snapshot import open_snapshot
from backupify_async._journal.transitions import intended
from backupify_async.errors import JournalError
from backupify_async.models import SentTrigger
from tests.journal.examples import WHEN
from tests.journal.journal_files import ids_of, remove_lock
from tests.support.files import ACCOUNT, link, move, write

OVERTAKEN = "another process has opened .* since, and continues its sweep: nothing more is triggered here"
MOVED = (
    "was moved, removed or replaced while a sweep wrote to it: nothing more is triggered; put its files back"
)


def remove(*paths: Path) -> None:
    for one in paths:
        one.unlink()


async def open_elsewhere(path: Path, sweep: str = "") -> int:
    """Open and close a journal in another process; returns its exit code, 1 if it was refused."""
    code = (
        "import asyncio, sys\n"
        "from backupify_async import JournalError\n"
        "from backupify_async._journal.journal import Journal\n"
        "async def main():\n"
        "    async with Journal(sys.argv[1], sweep=sys.argv[2]) as journal:\n"
        "        await journal.commit(journal.add('elsewhere'))\n"
        "try:\n"
        "    asyncio.run(main())\n"
        "except JournalError:\n"
        "    sys.exit(1)\n"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code, str(path), sweep], check=False, timeout=60
    )
    return done.returncode


class TestAJournalThatAnotherProcessHasOpened:
    async def test_writes_no_intent(self, path: Path) -> None:
        async with Journal(path) as journal:
            entry = journal.add(1)
            await journal.commit(entry)
            remove_lock(path)
            assert await open_elsewhere(path) == 0
            with pytest.raises(JournalError, match=OVERTAKEN):
                await journal.commit(intended(entry, SentTrigger(entry.instance_id, WHEN)))
            with pytest.raises(JournalError, match="outcomes that were not written: 1"):
                await journal.close()
        assert await ids_of(path) == [1, "elsewhere"]

    async def test_writes_no_outcome_and_reports_how_many_are_missing(self, path: Path) -> None:
        journal = await Journal(path).open()
        entries = [journal.add(1), journal.add(2)]
        await journal.commit(entries[0])
        remove_lock(path)
        assert await open_elsewhere(path) == 0
        for entry in entries:
            journal.put(intended(entry, SentTrigger(entry.instance_id, WHEN)))
        with pytest.raises(JournalError, match=f"{OVERTAKEN}.*; outcomes that were not written: 2"):
            await journal.close()
        assert await ids_of(path) == [1, 2, "elsewhere"]

    async def test_records_nothing_about_its_sweep(self, path: Path) -> None:
        async with Journal(path) as journal:
            remove_lock(path)
            assert await open_elsewhere(path) == 0
            for recording in (journal.begin(ACCOUNT), journal.mark_end(), journal.note_source("x")):
                with pytest.raises(JournalError, match=OVERTAKEN):
                    await recording
            async with open_snapshot(path) as storage:
                sweep = await storage.read_sweep()
        assert (sweep.account, sweep.read_to_end, sweep.source) == (None, False, None)

    async def test_writes_nothing_even_if_its_own_process_has_read_it(self, path: Path) -> None:
        async with Journal(path) as journal:
            await journal.commit(journal.add(1))
            assert await ids_of(path) == [1]
            with pytest.raises(JournalError, match="is in use"):
                await Journal(path).open()
            log = await asyncio.to_thread(identity, Path(f"{path}-wal"))
            remove_lock(path)
            assert await open_elsewhere(path) == 0
            # Otherwise SQLite dropped its lock, and the other process took the log for an abandoned one.
            assert await asyncio.to_thread(identity, Path(f"{path}-wal")) == log
            with pytest.raises(JournalError, match=OVERTAKEN):
                await journal.mark_end()

    async def test_continues_if_the_other_process_was_refused(self, path: Path) -> None:
        async with Journal(path, sweep="nightly") as journal:
            assert await open_elsewhere(path) == 1
            remove_lock(path)
            assert await open_elsewhere(path, "weekly") == 1
            await journal.commit(journal.add(1))
        assert await ids_of(path) == [1]

    async def test_can_be_reopened(self, path: Path) -> None:
        journal = await Journal(path).open()
        remove_lock(path)
        assert await open_elsewhere(path) == 0
        await journal.close()
        async with journal:
            assert journal.add(2).number == 2
        assert await ids_of(path) == ["elsewhere", 2]


def replace(path: Path) -> None:
    shutil.copy(path, f"{path}.copy")
    move(Path(f"{path}.copy"), str(path))


def move_directory(path: Path) -> None:
    move(path.parent, f"{path.parent}.moved")
    path.parent.mkdir()


class TestAJournalWhoseFiles:
    @pytest.mark.parametrize(
        "lose",
        [
            lambda path: remove(*path.parent.iterdir()),
            remove,
            lambda path: move(path, f"{path}.old"),
            replace,
            lambda path: remove(Path(f"{path}-wal")),
            lambda path: remove(Path(f"{path}-shm")),
            lambda path: recreate(Path(f"{path}-wal")),
            move_directory,
        ],
        ids=["all", "removed", "moved", "replaced", "log", "index", "log replaced", "directory"],
    )
    async def test_are_no_longer_in_place_triggers_nothing(
        self, tmp_path: Path, lose: Callable[[Path], None]
    ) -> None:
        (tmp_path / "of").mkdir()
        path = tmp_path / "of" / "sweep.sqlite"
        journal = await Journal(path).open()
        entry = journal.add(1)
        await journal.commit(entry)
        lose(path)
        with pytest.raises(JournalError, match=MOVED):
            await journal.commit(intended(entry, SentTrigger(entry.instance_id, WHEN)))
        with pytest.raises(JournalError, match=MOVED):
            await journal.mark_end()
        with pytest.raises(JournalError, match="outcomes that were not written: 1"):
            await journal.close()

    async def test_were_replaced_by_those_of_another_journal_does_not_change_them(self, path: Path) -> None:
        journal = await Journal(path).open()
        await journal.commit(journal.add(1))
        remove(*path.parent.iterdir())
        async with Journal(path) as other:
            await other.commit(other.add("other"))
            with pytest.raises(JournalError, match=MOVED):
                await journal.commit(journal.add(2))
            await other.commit(other.add("others"))
            with pytest.raises(JournalError, match=MOVED):
                await journal.close()
        assert await ids_of(path) == ["other", "others"]

    async def test_are_no_longer_the_target_of_its_link_triggers_nothing(self, path: Path) -> None:
        named = path.with_name("tonight")
        link(named, path)
        async with Journal(named) as journal:
            await journal.commit(journal.add(1))
            write(path.with_name("other"))
            remove(named)
            link(named, path.with_name("other"))
            with pytest.raises(JournalError, match=MOVED):
                await journal.commit(journal.add(2))
            remove(named)
            link(named, path)
        assert await ids_of(path) == [1, 2]

    async def test_were_put_back_writes_pending_entries_at_close(self, path: Path) -> None:
        async with Journal(path) as journal:
            await journal.commit(journal.add(1))
            move(path, f"{path}.old")
            with pytest.raises(JournalError, match=MOVED):
                await journal.commit(journal.add(2))
            move(Path(f"{path}.old"), str(path))
        assert await ids_of(path) == [1, 2]


def recreate(path: Path) -> None:
    remove(path)
    write(path)
