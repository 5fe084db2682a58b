"""A journal that cannot be used says what the problem is and what to do."""

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
from tests.support.files import as_common_user, content, link, read_only_directory, write

LONGEST = 255 - len(".ids.part")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sweep.sqlite"


@contextlib.contextmanager
def files_left_to_open(more: int) -> Iterator[None]:
    """Let this process open a number of files more, and not one beyond that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY)]
    highest = max(int(each.name) for each in Path("/dev/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + more, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken += [os.open(os.devnull, os.O_RDONLY)]
        for _ in range(more):
            os.close(taken.pop())
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for one in taken:
            os.close(one)


async def refusal(path: Path) -> str:
    with pytest.raises(JournalError) as raised:
        await Journal(path).open()
    return str(raised.value)


class TestALock:
    async def test_of_another_user_is_named(self) -> None:
        with read_only_directory() as directory:
            path = directory / "sweep.sqlite"
            async with Journal(path):
                pass
            directory.chmod(0o777)
            path.chmod(0o666)
            with as_common_user():
                said = await refusal(path)
        assert said == (
            f"{path} cannot be locked (Permission denied): its lock {path}.lock is another user's: "
            "this user needs permission to write it"
        )

    @pytest.mark.parametrize("make", [Path.mkdir, lambda lock: link(lock, lock.with_name("precious"))])
    async def test_that_is_something_else_is_named_and_left_alone(self, path: Path, make: object) -> None:
        lock, precious = Path(f"{path}.lock"), path.with_name("precious")
        write(precious, "precious")
        assert callable(make)
        make(lock)
        assert f"{lock} is where its lock belongs, and not a regular file: remove it" in await refusal(path)
        assert content(precious) == b"precious"
        assert content(path) is None


class TestAName:
    @pytest.mark.parametrize("letters", [LONGEST + 1, 249, 252, 255])
    async def test_that_leaves_no_room_for_the_names_beside_it_is_refused(
        self, path: Path, letters: int
    ) -> None:
        path = path.with_name("x" * letters)
        assert "its name is too long: files beside it have up to 9 letters more" in await refusal(path)
        assert list(path.parent.iterdir()) == []

    async def test_of_the_greatest_length_works(self, path: Path) -> None:
        longest = path.with_name("x" * LONGEST)
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


async def test_a_working_directory_that_is_gone_is_reported(
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
    def test_are_reported_by_each_way_to_open_a_file(self, path: Path) -> None:
        raise_limit = "this process has too many files open: raise its limit"
        write(path, "x" * 100)
        with files_left_to_open(0):
            with pytest.raises(JournalError, match=raise_limit):
                is_journal(path)
            with pytest.raises(JournalError, match=raise_limit):
                take_lock(path)
            with pytest.raises(JournalError, match=raise_limit), translate_errors(path):
                sqlite3.connect(path)
        assert is_file(path)

    @pytest.mark.parametrize("left", range(4))
    async def test_are_reported_at_each_step_of_opening_a_journal(self, path: Path, left: int) -> None:
        async with Journal(path):
            pass
        with files_left_to_open(left):
            said = await refusal(path)
        assert "too many files open: raise its limit (ulimit -n), and try again" in said
        async with Journal(path) as journal:
            await journal.commit(journal.add(1))


@pytest.mark.parametrize(
    ("number", "advice"),
    [("ENOSPC", "free some space"), ("EDQUOT", "free some space"), ("EROFS", "on another disk")],
)
def test_an_error_of_the_operating_system_has_its_own_remedy(number: str, advice: str) -> None:
    assert advice in remedy_for(OSError(getattr(errno, number), number), "otherwise")
    assert remedy_for(OSError(errno.EIO, "I/O"), "otherwise") == "otherwise"
