"""A directory that is shared by the processes of one machine."""

import asyncio
import fcntl
import logging
import os
import signal
import struct
import sys
import time
import zlib
from pathlib import Path

import pytest

from backupify_async import ConfigurationError
from backupify_async._shared import file_store, machine, value_file
from backupify_async._shared.file_store import FileStore
from backupify_async._shared.store import StoreMisused, StoreUnavailable
from backupify_async._shared.value_file import Content
from tests.shared.file_stores import in_another_process
from tests.shared.members import Wake, Writing, opened, read
from tests.shared.stores import KEY, increment


class TestAFileThatCannotBeRead:
    @pytest.mark.parametrize(
        "data",
        [b"{}", b"\0" * 4096, value_file.encode(Content(b"value", ("a",), 0.0))[:-1], b"x" * (2 << 20)],
        ids=["foreign", "zeros", "torn", "large"],
    )
    async def test_is_put_aside_with_a_warning(
        self, directory: Path, limit: Path, data: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = FileStore(directory, KEY)
        async with opened(store):
            limit.write_bytes(data)
            with caplog.at_level(logging.WARNING, "backupify_async.shared"):
                await store.turn("limit", increment)
            assert (await read(store)).value == b"1"
        (broken,) = directory.glob(f"{KEY}.limit.broken-*")
        assert broken.read_bytes() == data
        assert str(broken) in caplog.text

    @pytest.mark.parametrize(
        ("sequence", "boots"), [(1, b"\xff"), (2**64 - 1, b"boot")], ids=["no boots", "no next one"]
    )
    async def test_is_put_aside_though_its_checksum_is_right(
        self, directory: Path, limit: Path, sequence: int, boots: bytes
    ) -> None:
        directory.mkdir(0o700)
        rest = struct.pack(">QdII", sequence, 0.0, len(boots), 1) + boots + b"1"
        limit.write_bytes(struct.pack(">8sII", b"bkpshare", 1, zlib.crc32(rest)) + rest)
        store = FileStore(directory, KEY)
        async with opened(store):
            await store.turn("limit", increment)
            assert (await read(store)).value == b"1"

    async def test_is_put_aside_though_it_is_a_link_and_what_it_leads_to_is_untouched(
        self, directory: Path, limit: Path, tmp_path: Path
    ) -> None:
        victim = tmp_path / "victim"
        victim.write_text("precious")
        store = FileStore(directory, KEY)
        async with opened(store):
            limit.symlink_to(victim)
            await store.turn("limit", increment)
            assert (await read(store)).value == b"1"
        assert victim.read_text() == "precious"

    @pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "directory"])
    async def test_is_put_aside_though_it_is_no_file(
        self, directory: Path, limit: Path, make: object
    ) -> None:
        store = FileStore(directory, KEY)
        async with opened(store):
            make(limit)  # type: ignore[operator]
            await store.turn("limit", increment)
            assert (await read(store)).value == b"1"

    async def test_is_kept_with_the_latest_such_files(self, directory: Path, limit: Path) -> None:
        store = FileStore(directory, KEY)
        async with opened(store):
            for number in range(6):
                limit.write_text(f"broken {number}")
                await store.turn("limit", increment)
        kept = sorted(path.read_text() for path in directory.glob("*.broken-*"))
        assert kept == ["broken 3", "broken 4", "broken 5"]

    async def test_and_is_of_a_later_format_means_two_versions_when_it_comes_back(
        self, directory: Path, limit: Path
    ) -> None:
        data = value_file.encode(Content(b"value", ("a",), 0.0))
        later = data[:11] + b"\2" + data[12:]
        store = FileStore(directory, KEY)
        async with opened(store):
            limit.write_bytes(later)
            await store.turn("limit", increment)
            limit.write_bytes(later)
            with pytest.raises(StoreMisused, match="two versions of backupify_async share this store"):
                await store.turn("limit", increment)


class TestAProcessThatIsKilledWhileItWrites:
    @pytest.mark.parametrize("turns", [2, 3])
    async def test_leaves_the_value_before(self, directory: Path, limit: Path, turns: int) -> None:
        store = FileStore(directory, KEY)
        async with opened(store):
            for _ in range(turns):
                await store.turn("limit", increment)
            latest = b"%d" % turns
            data = limit.read_bytes()
            torn = data.rindex(latest) if turns % 2 == 0 else data.index(latest, 40)
            limit.write_bytes(data[:torn] + b"?" + data[torn + 1 :])
            assert (await read(store)).value == b"%d" % (turns - 1)
            await store.turn("limit", increment)
            assert (await read(store)).value == latest
        assert [*directory.glob("*.broken-*")] == []

    async def test_before_it_wrote_anything_leaves_a_new_store(self, directory: Path, limit: Path) -> None:
        store = FileStore(directory, KEY)
        async with opened(store):
            limit.write_bytes(b"")
            await store.turn("limit", increment)
            assert (await read(store)).value == b"1"
        assert [*directory.glob("*.broken-*")] == []


class TestTheMachine:
    async def test_can_be_booted_again(self, directory: Path) -> None:
        for boot in ("a", "b", "c", "d", "e", "f"):
            store = FileStore(directory, KEY, boot=boot)
            async with opened(store):
                await store.turn("limit", increment)
                stored = await read(store)
        assert (stored.value, stored.epoch) == (b"6", "f")

    async def test_is_not_the_only_one_if_two_boots_write_by_turns(self, directory: Path) -> None:
        mine, theirs = FileStore(directory, KEY, boot="a"), FileStore(directory, KEY, boot="b")
        async with opened(mine, theirs):
            await mine.turn("limit", increment)
            await theirs.turn("limit", increment)
            with pytest.raises(StoreMisused, match="the path is on a network disk"):
                await mine.turn("limit", increment)
            await theirs.turn("limit", increment)  # one of them can go on
        with pytest.raises(ConfigurationError, match="the path is on a network disk"):
            await FileStore(directory, KEY, boot="a").open(Wake())

    async def test_has_the_directory_to_itself_once_the_other_has_not_written_for_a_minute(
        self, directory: Path, limit: Path
    ) -> None:
        store = FileStore(directory, KEY, boot="a")
        async with opened(store):
            limit.write_bytes(value_file.encode(Content(b"41", ("b", "a"), time.time() - 61.0)))
            await store.turn("limit", increment)
            assert (await read(store)).value == b"42"

    @pytest.mark.skipif(sys.platform != "linux", reason="macOS always says")
    async def test_that_does_not_say_when_it_was_booted_has_no_store(
        self, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(machine, "_LINUX_BOOT_ID", tmp_path / "nothing")
        machine.boot_id.cache_clear()
        with pytest.raises(ConfigurationError, match="does not say when it was booted"):
            await FileStore(directory, KEY).open(Wake())

    async def test_has_a_boot_id(self, directory: Path) -> None:
        store = FileStore(directory, KEY)
        async with opened(store):
            assert len((await read(store)).epoch) == 36


class TestTheLock:
    async def test_that_another_process_never_releases_makes_the_store_unavailable(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(file_store, "_PATIENCE", 0.05)
        store = FileStore(directory, KEY)
        async with opened(store):
            with (directory / f"{KEY}.lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                with pytest.raises(StoreUnavailable, match="locked by other processes"):
                    await store.turn("limit", increment)
            await store.turn("limit", increment)
            assert (await read(store)).value == b"1"

    async def test_is_waited_for(self, directory: Path) -> None:
        store = FileStore(directory, KEY)
        async with opened(store):
            with (directory / f"{KEY}.lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                turn = asyncio.create_task(store.turn("limit", increment))
                await asyncio.sleep(0.0)
                assert not turn.done()
            await turn
            assert (await read(store)).value == b"1"

    async def test_is_not_held_by_a_turn_that_is_cancelled_while_it_waits(self, directory: Path) -> None:
        store, other = FileStore(directory, KEY), FileStore(directory, KEY)
        async with opened(store, other):
            with (directory / f"{KEY}.lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                turn = asyncio.create_task(store.turn("limit", increment))
                await asyncio.sleep(0.0)
                turn.cancel()
                await asyncio.wait([turn])
            await other.turn("limit", increment)
            assert (await read(other)).value == b"1"

    @pytest.mark.slow
    async def test_is_released_by_a_process_that_is_killed_during_its_turn(
        self, directory: Path, limit: Path
    ) -> None:
        store = FileStore(directory, KEY)
        async with opened(store):
            await store.turn("limit", increment)
            code = "await store.turn('limit', lambda stored: os.kill(os.getpid(), signal.SIGKILL))"
            assert await in_another_process(code, directory) == (-signal.SIGKILL, "")
            await store.turn("limit", increment)
            assert (await read(store)).value == b"2"

    async def test_that_was_replaced_is_not_believed(self, directory: Path) -> None:
        mine, theirs = FileStore(directory, KEY), FileStore(directory, KEY)
        async with opened(mine):
            (directory / f"{KEY}.lock").unlink()
            async with opened(theirs):
                for store in (mine, theirs) * 3:
                    await store.turn("limit", increment)
                assert (await read(mine)).value == b"6"


class TestADiskThat:
    @pytest.mark.parametrize("fault", [28, 30, 5], ids=["is full", "is read-only", "fails"])
    async def test_fails_makes_the_store_unavailable_until_it_works_again(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, fault: int
    ) -> None:
        def fail(fd: int, data: bytes, start: int) -> int:
            raise OSError(fault, os.strerror(fault))

        store = FileStore(directory, KEY)
        async with opened(store):
            await store.turn("limit", increment)
            with monkeypatch.context() as patch:
                patch.setattr(value_file.os, "pwrite", fail)  # type: ignore[attr-defined]
                with pytest.raises(StoreUnavailable, match=os.strerror(fault)):
                    await store.turn("limit", increment)
            assert (await read(store)).value == b"1"
            await store.turn("limit", increment)
            assert (await read(store)).value == b"2"

    async def test_writes_in_pieces_is_written_to_the_end(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def write_a_piece(fd: int, data: bytes, start: int) -> int:
            return pwrite(fd, data[:7], start)

        pwrite = os.pwrite
        monkeypatch.setattr(value_file.os, "pwrite", write_a_piece)  # type: ignore[attr-defined]
        store = FileStore(directory, KEY)
        async with opened(store):
            await store.turn("limit", Writing(b"a value of more than seven bytes"))
            assert (await read(store)).value == b"a value of more than seven bytes"


class TestAFork:
    @pytest.mark.slow
    async def test_cannot_use_the_store_of_its_parent_and_leaves_it_alone(self, directory: Path) -> None:
        code = (
            "child = os.fork()\n"
            "    if child == 0:\n"
            "        try:\n"
            "            store._turn_now('limit', increment)\n"
            "        except Exception as error:\n"
            "            print(error, flush=True)\n"
            "        try:\n"
            "            store.close().send(None)\n"
            "        except StopIteration:\n"
            "            os._exit(0)\n"
            "    os.waitpid(child, 0)\n"
            "    await store.turn('limit', increment)\n"
            "    print(len(list(Path(sys.argv[1]).glob('*.members/*.sock'))))\n"
            "    await store.close()"
        )
        assert await in_another_process(code, directory) == (
            0,
            "this store was opened before a fork: open one in each process\n1\n",
        )
