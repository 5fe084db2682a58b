"""Which files of ids a sweep can read again, and how a changed file is detected."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async import BackupifyClient
from backupify_async._cli import id_files
from backupify_async._cli.exit_codes import Exit
from backupify_async._cli.id_files import (
    ChangedFile,
    Fingerprint,
    VerifiedReader,
    fingerprint_of,
    is_rereadable,
)
from backupify_async._cli.id_sources import FileIds
from tests.support.files import write

NO_CLIENT = cast("BackupifyClient", None)
needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")


@pytest.fixture
def ids(tmp_path: Path) -> Path:
    file = tmp_path / "ids.txt"
    file.write_bytes(b"1\n2\n3\n")
    return file


@pytest.fixture
def descriptor(ids: Path) -> Iterator[int]:
    """A descriptor of the file, as a shell redirects it."""
    number = os.open(ids, os.O_RDONLY)
    yield number
    os.close(number)


class TestAFile:
    def test_is_rereadable_by_its_name(self, ids: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(ids.parent)
        assert is_rereadable(str(ids))
        assert is_rereadable(ids.name)
        assert is_rereadable(f"../{ids.parent.name}/{ids.name}")

    def test_is_rereadable_through_symbolic_links(self, ids: Path) -> None:
        Path(ids.parent / "here").symlink_to(".")
        Path(ids.parent / "one").symlink_to(ids.name)
        Path(ids.parent / "two").symlink_to("here/one")
        assert is_rereadable(str(ids.parent / "here" / "two"))

    @pytest.mark.parametrize("name", ["/dev/fd/{}", pytest.param("/proc/self/fd/{}", marks=needs_proc)])
    def test_is_not_rereadable_by_the_name_of_a_descriptor(
        self, ids: Path, descriptor: int, name: str
    ) -> None:
        assert Path(name.format(descriptor)).is_file()
        assert not is_rereadable(name.format(descriptor))

    def test_is_not_rereadable_through_a_link_to_a_descriptor(self, ids: Path, descriptor: int) -> None:
        Path(ids.parent / "link").symlink_to(f"/dev/fd/{descriptor}")
        Path(ids.parent / "directory").symlink_to("/dev/fd")
        assert not is_rereadable(str(ids.parent / "link"))
        assert not is_rereadable(str(ids.parent / "directory" / str(descriptor)))

    def test_is_not_rereadable_while_this_process_has_it_open(self, ids: Path, descriptor: int) -> None:
        assert not is_rereadable(str(ids))

    @needs_proc
    def test_is_not_rereadable_by_a_descriptor_of_another_process(self, ids: Path) -> None:
        with ids.open() as stdin:
            other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=stdin)
        try:
            assert is_rereadable(str(ids))
            assert not is_rereadable(f"/proc/{other.pid}/fd/0")
        finally:
            other.kill()
            other.wait()

    def test_that_is_a_pipe_or_a_device_is_not_rereadable(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        assert not is_rereadable(str(tmp_path / "pipe"))
        assert not is_rereadable("/dev/null")


class TestAFingerprint:
    def test_is_that_of_sha256sum(self, ids: Path) -> None:
        fingerprint = fingerprint_of(str(ids))
        assert fingerprint == Fingerprint(6, sha256(b"1\n2\n3\n").hexdigest())
        assert str(fingerprint) == f"6 bytes with SHA-256 {fingerprint.sha256}"

    def test_of_a_pipe_without_a_writer_is_refused(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ChangedFile):
            fingerprint_of(str(tmp_path / "pipe"))


class TestAVerifiedReader:
    @given(st.binary(max_size=40), st.binary(max_size=40), st.integers(0, 12))
    def test_returns_only_content_of_the_fingerprint(self, before: bytes, after: bytes, chunks: int) -> None:
        with tempfile.NamedTemporaryFile(buffering=0) as file, pytest.MonkeyPatch.context() as patch:
            patch.setattr(id_files, "_CHUNK", 4)
            file.write(before)
            file.seek(0)
            read = VerifiedReader(file.fileno(), str(Fingerprint(len(before), sha256(before).hexdigest())))
            chunks_read = [read() for _ in range(min(chunks, len(before) // 4))]
            os.truncate(file.fileno(), 0)
            os.pwrite(file.fileno(), after, 0)
            try:
                while chunks_read[-1:] != [b""]:
                    chunks_read += [read()]
            except ChangedFile:
                assert before != after
            else:
                assert b"".join(chunks_read) == before
            assert before.startswith(b"".join(chunks_read))

    def test_refuses_another_fingerprint_before_the_first_read(self, descriptor: int) -> None:
        with pytest.raises(ChangedFile):
            VerifiedReader(descriptor, "6 bytes with SHA-256 0")


class TestIds:
    async def read(self, ids: Path, known: str) -> list[int | str]:
        return [one async for one in FileIds(str(ids), rereadable=True, expected=known).read(NO_CLIENT)]

    async def test_of_an_unchanged_file_are_read(self, ids: Path) -> None:
        assert await self.read(ids, str(fingerprint_of(str(ids)))) == [1, 2, 3]

    async def test_of_a_changed_file_are_refused_with_a_remedy(self, ids: Path) -> None:
        known = str(fingerprint_of(str(ids)))
        write(ids, "1\n2\n4\n")
        with pytest.raises(Exit) as raised:
            await self.read(ids, known)
        assert raised.value.message == (
            f"{ids} is not what this sweep began with ({known}): restore it and resume, "
            "or begin a new sweep with a new journal"
        )

    async def test_of_a_file_changed_during_the_sweep_end_before_the_change(
        self, ids: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(id_files, "_CHUNK", 4)
        file = FileIds(str(ids), rereadable=True, expected=str(fingerprint_of(str(ids))))
        ids_read = []

        async def read_and_write() -> None:
            async for one in file.read(NO_CLIENT):
                ids_read.append(one)
                write(ids, "1\n2\n7\n8\n9\n")

        with pytest.raises(Exit, match="is not what this sweep began with"):
            await read_and_write()
        assert ids_read == [1, 2]
