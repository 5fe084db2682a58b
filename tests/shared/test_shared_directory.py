"""The directory of a file store: who can use it, and what happens if it is removed."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from backupify_async import ConfigurationError
from backupify_async._shared.file_store import FileStore
from backupify_async._shared.store import StoreUnavailable
from tests.shared.file_stores import ROOT, USER, in_another_process, mode
from tests.shared.members import Wake, opened, read
from tests.shared.stores import KEY, increment


class TestTheDirectory:
    async def test_is_created_for_this_user_alone(self, directory: Path, limit: Path) -> None:
        store = FileStore(directory / "inner", KEY)
        async with opened(store):
            await store.turn("limit", increment)
            assert mode(directory / "inner") == 0o700
            assert mode(directory / "inner" / f"{KEY}.limit") == 0o600

    async def test_and_its_home_can_be_named_by_a_tilde(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        async with opened(FileStore(Path("~/shared"), KEY)):
            assert (tmp_path / "shared").is_dir()

    async def test_that_a_group_can_write_has_files_which_it_can_write(
        self, directory: Path, limit: Path
    ) -> None:
        directory.mkdir()
        directory.chmod(0o770)
        store = FileStore(directory, KEY)
        async with opened(store):
            await store.turn("limit", increment)
            sockets = [*(directory / f"{KEY}.members").iterdir()]
            assert mode(directory / f"{KEY}.members") == 0o770
            assert {mode(path) for path in (limit, directory / f"{KEY}.lock", *sockets)} == {0o660}

    @pytest.mark.slow
    @pytest.mark.skipif(not ROOT, reason="only root can start a process of another user")
    @pytest.mark.parametrize("rights", [0o700, 0o770], ids=["by its owner", "by a group"])
    async def test_is_shared_by_root_and_a_user(self, rights: int) -> None:
        directory = Path(f"/tmp/{KEY}-{os.getpid()}-{rights:o}")
        directory.mkdir()
        try:
            os.chown(directory, USER if rights == 0o700 else 0, USER)
            directory.chmod(rights)
            wake = Wake()
            store = FileStore(directory, KEY)
            async with opened(store, wake=wake):
                await store.turn("limit", increment)
                code = "await store.turn('limit', increment); await store.announce(); await store.close()"
                assert await in_another_process(code, directory, USER) == (0, "")
                await wake.arrived()
                await store.turn("limit", increment)
                assert (await read(store)).value == b"3"
        finally:
            shutil.rmtree(directory)

    async def test_that_all_users_can_write_is_refused(self, directory: Path) -> None:
        directory.mkdir()
        directory.chmod(0o1777)
        with pytest.raises(ConfigurationError, match=r"every user can write to .*chmod o-rwx"):
            await FileStore(directory, KEY).open(Wake())

    async def test_that_is_a_file_is_refused(self, directory: Path) -> None:
        directory.write_text("")
        with pytest.raises(ConfigurationError, match="is not a directory"):
            await FileStore(directory, KEY).open(Wake())
        with pytest.raises(ConfigurationError, match="is not a directory"):
            await FileStore(directory / "inner", KEY).open(Wake())

    @pytest.mark.skipif(not ROOT, reason="only root can start a process of another user")
    async def test_that_this_user_cannot_write_is_refused(self) -> None:
        code, printed = await in_another_process("pass", Path("/etc"), USER)
        assert code == 1
        assert "ConfigurationError: this user cannot write to /etc" in printed

    async def test_whose_lock_is_a_symbolic_link_is_refused(self, directory: Path, tmp_path: Path) -> None:
        directory.mkdir(mode=0o700)
        (tmp_path / "victim").write_text("precious")
        (directory / f"{KEY}.lock").symlink_to(tmp_path / "victim")
        with pytest.raises(ConfigurationError, match="is not a regular file: remove it"):
            await FileStore(directory, KEY).open(Wake())
        assert (tmp_path / "victim").read_text() == "precious"

    @pytest.mark.slow
    @pytest.mark.skipif(not ROOT, reason="only root can start a process of another user")
    async def test_with_files_of_another_user_alone_is_refused(self) -> None:
        directory = Path(f"/tmp/{KEY}-{os.getpid()}-mixed")
        directory.mkdir()
        try:
            directory.chmod(0o700)
            async with opened(FileStore(directory, KEY)):
                pass
            os.chown(directory, 0, USER)
            directory.chmod(0o770)
            code, printed = await in_another_process("pass", directory, USER)
        finally:
            shutil.rmtree(directory)
        assert code == 1
        assert "files of another user are in it; remove them" in printed

    async def test_whose_members_are_no_directory_is_unavailable_until_that_is_removed(
        self, directory: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        directory.mkdir(mode=0o700)
        members = directory / f"{KEY}.members"
        members.write_text("")
        store = FileStore(directory, KEY)
        async with opened(store):
            assert "is not a directory: remove it" in caplog.text
            with pytest.raises(StoreUnavailable, match="is not a directory: remove it"):
                await store.turn("limit", increment)
            members.unlink()
            await store.turn("limit", increment)

    async def test_that_is_read_only_at_the_start_is_used_once_it_is_not(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(*_: object) -> int:
            raise OSError(30, os.strerror(30))

        store = FileStore(directory, KEY)
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", fail)
            await store.open(Wake())
        assert "Read-only file system" in caplog.text
        await store.turn("limit", increment)
        assert (await read(store)).value == b"1"
        await store.close()


class TestADirectoryThatIsRemoved:
    async def test_is_created_again_where_it_is_this_users_alone(self, directory: Path) -> None:
        store = FileStore(directory, KEY)
        async with opened(store):
            await store.turn("limit", increment)
            shutil.rmtree(directory)
            await store.turn("limit", increment)
            assert (await read(store)).value == b"1"
            assert mode(directory) == 0o700

    async def test_is_waited_for_where_a_group_shares_it(self, directory: Path) -> None:
        directory.mkdir()
        directory.chmod(0o770)
        store = FileStore(directory, KEY)
        async with opened(store):
            shutil.rmtree(directory)
            with pytest.raises(StoreUnavailable, match="No such file"):
                await store.turn("limit", increment)
            directory.mkdir()
            directory.chmod(0o770)
            await store.turn("limit", increment)
            assert (await read(store)).value == b"1"

    async def test_has_sockets_again_after_the_next_turn_of_each(self, directory: Path) -> None:
        mine, theirs, wake = FileStore(directory, KEY), FileStore(directory, KEY), Wake()
        async with opened(mine), opened(theirs, wake=wake):
            shutil.rmtree(directory)
            with pytest.raises(StoreUnavailable):
                await mine.announce()
            await mine.turn("limit", increment)
            await theirs.turn("limit", increment)
            await mine.announce()
            await wake.arrived()


class TestOnWindows:
    async def test_opening_says_what_to_use_instead(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "platform", "win32")
        with pytest.raises(ConfigurationError, match=r"Windows.*Redis"):
            await FileStore(directory, KEY).open(Wake())
