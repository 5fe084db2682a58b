"""Which ids `backupify trigger` takes: from files, from pipes, and with `--all`."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from backupify_async._cli import id_files
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import Run, started


@contextlib.contextmanager
def piped(ids: str) -> Iterator[str]:
    """The name of a pipe with these ids."""
    reading, writing = os.pipe()
    os.write(writing, ids.encode())
    os.close(writing)
    try:
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)


class TestIdsFile:
    @pytest.mark.backupify(instances=3)
    def test_an_invalid_line_is_reported_before_anything_is_triggered(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path
    ) -> None:
        file = tmp_path / "ids.txt"
        file.write_text("1\n2\n..\n")
        result = run("trigger", "--yes", "--ids-file", str(file))
        assert (result.code, started(server)) == (2, {})
        assert f"{file}, line 3: " in result.err

    @pytest.mark.parametrize("content", ["", "# none\n\n"])
    def test_a_file_without_ids_is_an_error(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path, content: str
    ) -> None:
        file = tmp_path / "ids.txt"
        file.write_text(content)
        result = run("trigger", "--yes", "--ids-file", str(file))
        assert (result.code, result.err) == (2, f"backupify: no ids in {file}\n")


@pytest.mark.backupify(instances=3)
class TestIdsThatCanBeReadOnlyOnce:
    OPTIONS = (("--yes",), ("--dry-run",), ("--yes", "--journal"))

    @pytest.mark.parametrize("options", OPTIONS)
    def test_an_invalid_line_is_reported_before_anything_is_done(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path, options: tuple[str, ...]
    ) -> None:
        journal = [str(tmp_path / "sweep.sqlite")] if "--journal" in options else []
        with piped("1\n2\n..\n") as name:
            result = run("trigger", "--ids-file", name, *options, *journal)
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith(f"backupify: {name}, line 3: ")
        assert [record.operation for record in server.requests] == ["token"]
        assert list(tmp_path.iterdir()) == []

    def test_an_invalid_line_is_reported_also_where_the_journal_exists_already(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path
    ) -> None:
        journal = tmp_path / "sweep.sqlite"
        journal.touch()
        for ids, code in (("1\n..\n", 2), ("1\n2\n", 0)):
            with piped(ids) as name:
                result = run("trigger", "--ids-file", name, "--yes", "--journal", str(journal))
            assert (result.code, started(server)) == (code, {} if code else {1: 1, 2: 1})
            assert not Path(f"{journal}.ids.part").exists()

    @pytest.mark.parametrize("options", OPTIONS[:2])
    def test_all_of_them_are_triggered(
        self, server: SimulatedBackupify, run: Run, options: tuple[str, ...]
    ) -> None:
        with piped("1\n# two\n3\n") as name:
            result = run("trigger", "--ids-file", name, "-o", "csv", "--ordered", *options)
        assert (result.code, [row.split(",")[0] for row in result.rows[1:]]) == (0, ["1", "3"])

    def test_an_error_while_copying_is_explained(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(id_files, "write_all", Mock(side_effect=OSError(errno.ENOSPC, "No space left")))
        with piped("1\n") as name:
            result = run("trigger", "--ids-file", name, "--yes")
        assert (result.code, result.err) == (
            2,
            f"backupify: {name} cannot be copied to a temporary file: No space left\n",
        )


class TestAllInstancesWhereThereAreNone:
    @pytest.mark.backupify(instances=0)
    def test_no_journal_is_created(self, server: SimulatedBackupify, run: Run, tmp_path: Path) -> None:
        result = run("trigger", "--all", "--yes", "--journal", str(tmp_path / "sweep.sqlite"))
        message = "backupify: --all: the server lists no instances for these credentials\n"
        assert (result.code, result.err, list(tmp_path.iterdir())) == (1, message, [])

    @pytest.mark.backupify(instances=2)
    def test_a_sweep_that_was_begun_continues(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path
    ) -> None:
        command = ("trigger", "--all", "--yes", "--journal", str(tmp_path / "sweep.sqlite"), "-o", "csv")
        server.inject(Fault.answer(403, operation="trigger", instance=2))
        assert run(*command).code == 1
        server.clear_faults()
        server.inject(Fault.answer(200, operation="list_instances", body="[]"))
        assert (run(*command).code, started(server)) == (0, {1: 1, 2: 1})
