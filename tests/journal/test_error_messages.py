"""The error of a journal that cannot be used states the problem and the remedy."""

import contextlib
import errno
import os
import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from backupify_async._journal.error_messages import remedy_for, translate_errors
from backupify_async._journal.file_format import is_journal
from backupify_async._journal.files import is_file
from backupify_async._journal.journal import Journal
from backupify_async._journal.locking import take_lock
from backupify_async._journal.snapshot import open_snapshot
from backupify_async.errors import JournalError
from tests.journal.journal_files import refusal
from tests.support.files import as_common_user, content, link, read_only_directory, write

LONGEST_NAME = 255 - len(".ids.part")


@contextlib.contextmanager
def openable_files(count: int) -> Iterator[None]:
    """Limit how many more files this process can open to `count`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY)]
    highest = max(int(each.name) for each in Path("/dev/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + count, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken += [os.open(os.devnull, os.O_RDONLY)]
        for _ in range(count):
            os.close(taken.pop())
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for one in taken:
            os.close(one)


class TestALock:
    async def test_of_another_user_is_reported(self) -> None:
        with read_only_directory() as directory:
            path = directory / "sweep.sqlite"
            async with Journal(path):
                pass
            directory.chmod(0o777)
            path.chmod(0o666)
            with as_common_user():
                message = await refusal(path)
        assert message == (
            f"{path} cannot be locked (Permission denied): its lock {path}.lock is another user's: "
            "this user needs permission to write it"
        )

    @pytest.mark.parametrize("make", [Path.mkdir, lambda lock: link(lock, lock.with_name("precious"))])
    async def test_that_is_not_a_regular_file_is_reported_and_unchanged(
        self, path: Path, make: object
    ) -> None:
        lock, precious = Path(f"{path}.lock"), path.with_name("precious")
        write(precious, "precious")
        assert callable(make)
        make(lock)
        assert f"{lock} is where its lock belongs, and not a regular file: remove it" in await refusal(path)
        assert content(precious) == b"precious"
        assert content(path) is None


class TestAName:
    @pytest.mark.parametrize("letters", [LONGEST_NAME + 1, 249, 252, 255])
    async def test_that_is_too_long_for_its_accompanying_files_is_refused(
        self, path: Path, letters: int
    ) -> None:
        path = path.with_name("x" * letters)
        assert "its name is too long: files beside it have up to 9 letters more" in await refusal(path)
        assert list(path.parent.iterdir()) == []

    async def test_of_the_greatest_length_is_accepted(self, path: Path) -> None:
        longest = path.with_name("x" * LONGEST_NAME)
        async with Journal(longest) as journal:
            await journal.commit(journal.add(1))
        assert longest.is_file()

    async def test_with_a_path_that_is_too_long_for_sqlite_is_refused(self, tmp_path: Path) -> None:
        directory = tmp_path.joinpath(*(["d" * 60] * 8))
        directory.mkdir(parents=True)
        assert "its path is too long" in await refusal(directory / "sweep.sqlite")
        assert list(directory.iterdir()) == []

    async def test_with_a_nul_is_refused(self, tmp_path: Path) -> None:
        message = await refusal(tmp_path / "a\0b")
        assert "cannot be used: it contains a NUL: choose another file" in message
        assert message.isprintable()


async def test_a_removed_working_directory_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert "the working directory is gone; change to another" in await refusal(Path("sweep.sqlite"))
    with pytest.raises(JournalError, match="the working directory is gone"):
        async with open_snapshot("sweep.sqlite"):
            pass


class TestTooManyOpenFiles:
    def test_are_reported_by_each_function_that_opens_a_file(self, path: Path) -> None:
        raise_limit = "this process has too many files open: raise its limit"
        write(path, "x" * 100)
        with openable_files(0):
            with pytest.raises(JournalError, match=raise_limit):
                is_journal(path)
            with pytest.raises(JournalError, match=raise_limit):
                take_lock(path)
            with pytest.raises(JournalError, match=raise_limit), translate_errors(path):
                sqlite3.connect(path)
        assert is_file(path)

    @pytest.mark.parametrize("openable", range(4))
    async def test_are_reported_at_each_step_of_opening_a_journal(self, path: Path, openable: int) -> None:
        async with Journal(path):
            pass
        with openable_files(openable):
            message = await refusal(path)
        assert "too many files open: raise its limit (ulimit -n), and try again" in message
        async with Journal(path) as journal:
            await journal.commit(journal.add(1))


@pytest.mark.parametrize(
    ("number", "advice"),
    [("ENOSPC", "free some space"), ("EDQUOT", "free some space"), ("EROFS", "on another disk")],
)
def test_an_error_of_the_operating_system_has_its_own_remedy(number: str, advice: str) -> None:
    assert advice in remedy_for(OSError(getattr(errno, number), number), "otherwise")
    assert remedy_for(OSError(errno.EIO, "I/O"), "otherwise") == "otherwise"
