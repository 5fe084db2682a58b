"""How the members of a file store wake each other."""

import asyncio
import logging
import os
import socket
import sys
import time
from pathlib import Path

import pytest

from backupify_async._shared import wakeups
from backupify_async._shared.directory import FileAccess
from backupify_async._shared.file_store import FileStore
from backupify_async._shared.wakeups import Wakeups
from tests.shared.members import Wake, opened
from tests.shared.stores import KEY, increment

PRIVATE = FileAccess(0o600, -1, -1)


@pytest.fixture
def members(tmp_path: Path) -> Path:
    path = tmp_path / "members"
    path.mkdir()
    return path


def abandoned(members: Path, *, seconds_ago: float) -> Path:
    """A socket that a killed member left behind."""
    path = members / "1-dead.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(path))
    os.utime(path, (time.time() - seconds_ago,) * 2)
    return path


class TestAMember:
    async def test_is_woken_once_for_many_datagrams_at_a_time(self, members: Path) -> None:
        wake = Wake()
        mine, theirs = Wakeups(members, (), Wake()), Wakeups(members, (), wake)
        mine.open(PRIVATE)
        theirs.open(PRIVATE)
        for _ in range(5_000):  # its buffer holds fewer
            mine.wake_others()
        await wake.arrived()
        assert wake.count == 1
        mine.close()
        theirs.close()

    async def test_is_woken_though_it_came_when_the_directory_was_already_read(self, members: Path) -> None:
        mine = Wakeups(members, (), Wake())
        mine.open(PRIVATE)
        mine.wake_others()
        for _ in range(3):
            wake = Wake()
            theirs = Wakeups(members, (), wake)
            theirs.open(PRIVATE)
            mine.wake_others()
            await wake.arrived()
            assert wake.count == 1
            theirs.close()
        mine.close()

    async def test_leaves_no_socket_when_it_closes(self, members: Path) -> None:
        member = Wakeups(members, (), Wake())
        member.open(PRIVATE)
        member.close()
        member.close()
        assert [*members.iterdir()] == []

    async def test_whose_socket_was_removed_says_so(self, members: Path) -> None:
        member = Wakeups(members, (), Wake())
        member.open(PRIVATE)
        for path in members.iterdir():
            path.unlink()
        with pytest.raises(FileNotFoundError):
            member.wake_others()
        member.close()


class TestTheDirectoryOfMembers:
    async def test_is_read_only_after_a_member_has_come_or_gone(
        self, members: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        readings: list[Path] = []
        glob = Path.glob

        def count(path: Path, pattern: str) -> object:
            readings.append(path)
            return glob(path, pattern)

        monkeypatch.setattr(Path, "glob", count)
        monkeypatch.setattr(wakeups, "_CLOCK_TICK", 0)
        mine, theirs = Wakeups(members, (), Wake()), Wakeups(members, (), Wake())
        mine.open(PRIVATE)
        theirs.open(PRIVATE)
        readings.clear()
        for _ in range(10):
            mine.wake_others()
        assert len(readings) == 1
        mine.close()
        theirs.close()


class TestASocketThatAKilledMemberLeft:
    @pytest.mark.parametrize(("age", "stays"), [(60.0, False), (0.0, True)])
    async def test_is_removed_by_one_that_comes_unless_it_is_young(
        self, members: Path, age: float, stays: bool
    ) -> None:
        path = abandoned(members, seconds_ago=age)
        member = Wakeups(members, (), Wake())
        member.open(PRIVATE)
        assert path.exists() is stays
        member.close()

    async def test_is_removed_by_one_that_announces(self, members: Path) -> None:
        member = Wakeups(members, (), Wake())
        member.open(PRIVATE)
        path = abandoned(members, seconds_ago=60.0)
        member.wake_others()
        assert not path.exists()
        member.close()

    async def test_is_not_taken_for_that_of_a_member_which_lives(self, members: Path) -> None:
        wake = Wake()
        theirs = Wakeups(members, (), wake)
        theirs.open(PRIVATE)
        (path,) = members.iterdir()
        os.utime(path, (0.0, 0.0))
        mine = Wakeups(members, (), Wake())
        mine.open(PRIVATE)
        assert path.exists()
        assert wake.count == 0
        mine.close()
        theirs.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
class TestAPathThatIsTooLongForASocket:
    async def test_is_reached_by_way_of_proc(self, tmp_path: Path) -> None:
        directory = tmp_path / ("long" * 20) / ("longer" * 20)
        mine, theirs, wake = FileStore(directory, KEY), FileStore(directory, KEY), Wake()
        async with opened(mine), opened(theirs, wake=wake):
            await mine.announce()
            await wake.arrived()
        assert [*(directory / f"{KEY}.members").iterdir()] == []


class TestWhereThereCanBeNoSocket:
    @pytest.fixture(autouse=True)
    def no_sockets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr(wakeups, "_POLL_EVERY", 0.005)
        monkeypatch.setattr(Wakeups, "_bind", refuse)

    async def test_a_member_looks_at_the_files_and_says_so(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        mine, theirs, wake = FileStore(tmp_path, KEY), FileStore(tmp_path, KEY), Wake()
        with caplog.at_level(logging.WARNING, "backupify_async.shared"):
            async with opened(mine), opened(theirs, wake=wake):
                await mine.turn("limit", increment)
                await mine.announce()
                await wake.arrived()
                await mine.turn("token", increment)
                await wake.arrived()
        assert "no socket can be made" in caplog.text

    async def test_a_member_is_not_woken_by_what_it_writes_itself(self, tmp_path: Path) -> None:
        mine, theirs = FileStore(tmp_path, KEY), FileStore(tmp_path, KEY)
        own, others = Wake(), Wake()
        async with opened(mine, wake=own), opened(theirs, wake=others):
            await mine.turn("limit", increment)
            await others.arrived()
            await asyncio.sleep(0.02)
            assert own.count == 0
