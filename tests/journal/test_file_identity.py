"""One process writes a journal, and only while its names lead to the files that it opened."""

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
from tests.support.files import ACCOUNT, link, move, write

OVERTAKEN = "another process has opened .* since, and continues its sweep: nothing more is triggered here"
MOVED = (
    "was moved, removed or replaced while a sweep wrote to it: nothing more is triggered; put its files back"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sweep.sqlite"


def forget_lock(path: Path) -> None:
    """Remove the lock file, like a clean-up of empty files."""
    Path(f"{path}.lock").unlink()


def remove(*paths: Path) -> None:
    for one in paths:
        one.unlink()


async def open_elsewhere(path: Path, sweep: str = "") -> int:
    """Another process opens it and closes it; the exit code, 1 where it was refused."""
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


async def ids_of(path: Path) -> list[int | str]:
    async with open_snapshot(path) as storage:
        return [entry.instance_id async for entry in storage.read_entries()]


class TestAJournalThatAnotherProcessOpenedSince:
    async def test_writes_no_intent(self, path: Path) -> None:
        async with Journal(path) as journal:
            entry = journal.add(1)
            await journal.commit(entry)
            forget_lock(path)
            assert await open_elsewhere(path) == 0
            with pytest.raises(JournalError, match=OVERTAKEN):
                await journal.commit(intended(entry, SentTrigger(entry.instance_id, WHEN)))
            with pytest.raises(JournalError, match="outcomes that were not written: 1"):
                await journal.close()
        assert await ids_of(path) == [1, "elsewhere"]

    async def test_writes_no_outcome_and_says_how_many_are_missing(self, path: Path) -> None:
        journal = await Journal(path).open()
        entries = [journal.add(1), journal.add(2)]
        await journal.commit(entries[0])
        forget_lock(path)
        assert await open_elsewhere(path) == 0
        for entry in entries:
            journal.put(intended(entry, SentTrigger(entry.instance_id, WHEN)))
        with pytest.raises(JournalError, match=f"{OVERTAKEN}.*; outcomes that were not written: 2"):
            await journal.close()
        assert await ids_of(path) == [1, 2, "elsewhere"]

    async def test_records_nothing_about_its_sweep(self, path: Path) -> None:
        async with Journal(path) as journal:
            forget_lock(path)
            assert await open_elsewhere(path) == 0
            for noting in (journal.begin(ACCOUNT), journal.mark_end(), journal.note_source("x")):
                with pytest.raises(JournalError, match=OVERTAKEN):
                    await noting
            async with open_snapshot(path) as storage:
                sweep = await storage.read_sweep()
        assert (sweep.account, sweep.read_to_end, sweep.source) == (None, False, None)

    async def test_gives_way_though_its_own_process_read_it(self, path: Path) -> None:
        async with Journal(path) as journal:
            await journal.commit(journal.add(1))
            assert await ids_of(path) == [1]
            with pytest.raises(JournalError, match="is in use"):
                await Journal(path).open()
            log = await asyncio.to_thread(identity, Path(f"{path}-wal"))
            forget_lock(path)
            assert await open_elsewhere(path) == 0
            # Otherwise SQLite's lock was dropped, and the other process took the log for an abandoned one.
            assert await asyncio.to_thread(identity, Path(f"{path}-wal")) == log
            with pytest.raises(JournalError, match=OVERTAKEN):
                await journal.mark_end()

    async def test_goes_on_where_the_other_process_was_refused(self, path: Path) -> None:
        async with Journal(path, sweep="nightly") as journal:
            assert await open_elsewhere(path) == 1
            forget_lock(path)
            assert await open_elsewhere(path, "weekly") == 1
            await journal.commit(journal.add(1))
        assert await ids_of(path) == [1]

    async def test_can_be_opened_again(self, path: Path) -> None:
        journal = await Journal(path).open()
        forget_lock(path)
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
            lambda path: write_anew(Path(f"{path}-wal")),
            move_directory,
        ],
        ids=["all", "removed", "moved", "replaced", "log", "index", "log replaced", "directory"],
    )
    async def test_are_not_where_they_were_triggers_nothing(
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

    async def test_were_replaced_by_those_of_another_journal_leaves_them_alone(self, path: Path) -> None:
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

    async def test_are_named_by_a_link_that_leads_elsewhere_triggers_nothing(self, path: Path) -> None:
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

    async def test_were_put_back_writes_what_is_pending_when_it_is_closed(self, path: Path) -> None:
        async with Journal(path) as journal:
            await journal.commit(journal.add(1))
            move(path, f"{path}.old")
            with pytest.raises(JournalError, match=MOVED):
                await journal.commit(journal.add(2))
            move(Path(f"{path}.old"), str(path))
        assert await ids_of(path) == [1, 2]


def write_anew(path: Path) -> None:
    remove(path)
    write(path)
