"""The files that a journal creates; a file that is not a journal stays unchanged, without files beside it."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from backupify_async._journal.journal import Journal
from backupify_async._journal.snapshot import open_snapshot
from backupify_async.errors import JournalError
from tests.journal.journal_files import ids_of, remove_lock
from tests.support.files import as_common_user, link, move, read_only_directory, run_sql, write


async def make_journal(path: Path, *ids: int, sweep: str = "nightly") -> None:
    async with Journal(path, sweep=sweep) as journal:
        for instance_id in ids:
            journal.add(instance_id)


def copy_in_use(path: Path, directory: Path, *kinds: str) -> Path:
    """Copy a journal as if its process was killed: its last entry is in the write-ahead log only."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("INSERT INTO lines SELECT 99, 'late', 0, 'read', NULL, NULL, NULL, '', NULL")
    for kind in ("", *kinds):
        shutil.copy(f"{path}{kind}", directory)
    connection.close()
    return directory / path.name


def names(path: Path) -> list[str]:
    return sorted(each.name.removeprefix(path.name) for each in path.parent.iterdir())


class TestNothingIsCreatedBeside:
    @pytest.mark.parametrize("content", ["42\n43\n" * 500, "42\n"])
    async def test_a_file_that_is_not_a_journal(self, path: Path, content: str) -> None:
        write(path, content)
        for refused in (Journal(path).open(), ids_of(path)):
            with pytest.raises(JournalError, match="is not a journal: choose another file"):
                await refused
        assert names(path) == [""]

    async def test_a_database_of_another_program(self, path: Path) -> None:
        run_sql(path, "CREATE TABLE theirs (a)")
        run_sql(path, "PRAGMA journal_mode = WAL")
        for refused in (Journal(path).open(), ids_of(path)):
            with pytest.raises(JournalError, match="is a database of another program"):
                await refused
        assert names(path) == [""]

    async def test_a_database_that_another_program_has_open(self, path: Path) -> None:
        run_sql(path, "CREATE TABLE theirs (a)")
        theirs = sqlite3.connect(path, isolation_level=None)
        theirs.execute("PRAGMA journal_mode = WAL")
        theirs.execute("INSERT INTO theirs VALUES (1)")
        for refused in (Journal(path).open(), ids_of(path)):
            with pytest.raises(JournalError, match="is a database of another program"):
                await refused
        assert names(path) == ["", "-shm", "-wal"]
        theirs.close()

    async def test_a_journal_of_another_version(self, path: Path) -> None:
        await make_journal(path)
        remove_lock(path)
        run_sql(path, "PRAGMA user_version = 1")
        for refused in (Journal(path).open(), ids_of(path)):
            with pytest.raises(JournalError, match="another version of this library"):
                await refused
        assert names(path) == [""]

    async def test_a_journal_of_another_sweep(self, path: Path) -> None:
        await make_journal(path, 42)
        remove_lock(path)
        with pytest.raises(JournalError, match="another sweep"):
            await Journal(path, sweep="weekly").open()
        assert names(path) == [""]

    async def test_a_journal_that_was_read(self, path: Path) -> None:
        await make_journal(path, 42)
        assert await ids_of(path) == [42]
        assert names(path) == ["", ".lock"]

    async def test_a_pipe(self, path: Path) -> None:
        os.mkfifo(path)
        for refused in (Journal(path).open(), ids_of(path)):
            with pytest.raises(JournalError, match=f"{path} is not a regular file: choose a file"):
                await refused
        assert names(path) == [""]

    async def test_a_pipe_with_a_rollback_journal(self, path: Path) -> None:
        os.mkfifo(path)
        write(Path(f"{path}-journal"), "of another program")
        for refused in (Journal(path).open(), ids_of(path)):
            with pytest.raises(JournalError, match=f"{path} is not a regular file: choose a file"):
                await refused
        assert names(path) == ["", "-journal"]

    async def test_a_link_to_itself(self, path: Path) -> None:
        link(path, path)
        for refused in (Journal(path).open(), ids_of(path)):
            with pytest.raises(JournalError, match=r"cannot be used \(Too many levels of symbolic links\)"):
                await refused
        assert names(path) == [""]

    async def test_a_name_that_is_too_long_for_a_file(self, path: Path) -> None:
        path = path.with_name(300 * "x")
        for refused in (Journal(path).open(), ids_of(path)):
            with pytest.raises(JournalError, match=r"cannot be used \(File name too long\): choose a sho"):
                await refused

    async def test_a_journal_that_this_user_cannot_write(self) -> None:
        with read_only_directory() as directory:
            path = directory / "sweep.sqlite"
            await make_journal(path, 42)
            remove_lock(path)
            path.chmod(0o444)
            directory.chmod(0o777)
            with as_common_user(), pytest.raises(JournalError, match="cannot be written: this user needs"):
                await Journal(path).open()
            assert names(path) == [""]


class TestASnapshotInAReadOnlyDirectory:
    async def test_shows_a_closed_journal(self) -> None:
        with read_only_directory() as directory:
            await make_journal(directory / "sweep.sqlite", 42, 43)
            (directory / "sweep.sqlite").chmod(0o444)
            directory.chmod(0o555)
            with as_common_user():
                assert await ids_of(directory / "sweep.sqlite") == [42, 43]

    async def test_shows_an_open_journal_with_all_its_files(self, path: Path) -> None:
        await make_journal(path, 42)
        with read_only_directory() as directory:
            copied = copy_in_use(path, directory, "-wal", "-shm")
            directory.chmod(0o555)
            with as_common_user():
                assert await ids_of(copied) == [42, "late"]

    async def test_is_refused_if_it_would_be_incomplete(self, path: Path) -> None:
        await make_journal(path, 42)
        with read_only_directory() as directory:
            copied = copy_in_use(path, directory, "-wal")
            directory.chmod(0o555)
            with as_common_user(), pytest.raises(JournalError, match="copy it with its -wal to a directory"):
                await ids_of(copied)

    async def test_is_refused_if_the_file_cannot_be_read(self) -> None:
        with read_only_directory() as directory:
            await make_journal(directory / "sweep.sqlite", 42)
            (directory / "sweep.sqlite").chmod(0)
            directory.chmod(0o755)
            with (
                as_common_user(),
                pytest.raises(JournalError, match="cannot be read: this user needs permission to read it"),
            ):
                await ids_of(directory / "sweep.sqlite")
            (directory / "locked").mkdir(mode=0)
            with (
                as_common_user(),
                pytest.raises(JournalError, match=r"used \(Permission denied\): choose an"),
            ):
                await Journal(directory / "locked" / "below" / "sweep.sqlite").open()


async def test_a_half_created_journal_is_created_anew(path: Path) -> None:
    code = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA cache_size = 1')\n"  # write what does not fit before the commit
        "connection.execute('BEGIN IMMEDIATE')\n"
        "connection.execute('CREATE TABLE half (a)')\n"
        "connection.execute('INSERT INTO half VALUES (zeroblob(99999))')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, str(path)], check=False)
    assert names(path) == ["", "-journal"]
    with pytest.raises(JournalError, match="was only half created: no sweep was begun with it"):
        await ids_of(path)
    await make_journal(path, 43)
    assert await ids_of(path) == [43]


async def test_a_sweep_that_begins_during_a_snapshot_is_reported(path: Path) -> None:
    await make_journal(path, 42)
    with pytest.raises(JournalError, match=f"a sweep began with {path} while it was read"):
        async with open_snapshot(path):
            await make_journal(path, 43)
    assert await ids_of(path) == [42, 43]


async def test_a_sweep_that_begins_during_a_snapshot_is_not_reported_as_damage(path: Path) -> None:
    async def read_damage() -> None:
        async with open_snapshot(path):
            await make_journal(path, 43)
            raise JournalError("is damaged")

    await make_journal(path, 42)
    with pytest.raises(JournalError, match="while it was read, or the file was moved: read it again"):
        await read_damage()


async def test_a_journal_that_is_moved_during_a_snapshot_is_reported(path: Path) -> None:
    await make_journal(path, 42)
    with pytest.raises(JournalError, match="or the file was moved: read it again"):
        async with open_snapshot(path):
            move(path, f"{path}.moved")


async def test_a_journal_that_was_copied_with_only_its_log_has_all_entries(
    path: Path, tmp_path: Path
) -> None:
    await make_journal(path, 42)
    (tmp_path / "elsewhere").mkdir()
    copied = copy_in_use(path, tmp_path / "elsewhere", "-wal")
    assert await ids_of(copied) == [42, "late"]
    async with Journal(copied) as journal:
        assert journal.add(44).number == 100
