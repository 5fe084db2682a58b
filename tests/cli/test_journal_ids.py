"""A resumed sweep reads the ids of its first run: from pipes, descriptors, and files that change."""

import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import Run, forget, shown, started, states, wait_for_requests
from tests.support.processes import COMMAND, Result, finish, process

pytestmark = pytest.mark.slow

CHANGED = "is not what this sweep began with (6 bytes with SHA-256 "


@pytest.fixture
def ids(tmp_path: Path) -> Path:
    file = tmp_path / "ids"
    file.write_text("1\n2\n3\n")
    return file


@pytest.fixture
def other(tmp_path: Path) -> Path:
    file = tmp_path / "other"
    file.write_text("7\n8\n9\n")
    return file


def with_stdin(file: Path, *arguments: str) -> Result:
    """Run a command whose stdin is redirected from a file."""
    with file.open() as stdin:
        done = subprocess.run(
            [*COMMAND, *arguments], stdin=stdin, capture_output=True, text=True, check=False
        )
    return Result(done.returncode, done.stdout, done.stderr)


class TestIdsThatCanBeReadOnlyOnce:
    def trigger(self, ids: str, path: str) -> "subprocess.CompletedProcess[str]":
        command = [*COMMAND, "trigger", "--ids-file", "-", "--yes", "--journal", path, "-o", "jsonl"]
        return subprocess.run(command, input=ids, capture_output=True, text=True, check=False)

    @pytest.mark.backupify(instances=3)
    def test_are_kept_beside_the_journal(self, server: SimulatedBackupify, run: Run, path: str) -> None:
        assert self.trigger("1\n2\n3\n", path).returncode == 0
        forget(path, 3)
        result = run("resume", path, "--ordered", "-o", "jsonl")
        assert (result.code, states(result)) == (0, {1: "started", 2: "started", 3: "already_active"})

    @pytest.mark.backupify(instances=3)
    def test_can_come_from_a_named_pipe(
        self, server: SimulatedBackupify, run: Run, path: str, tmp_path: Path
    ) -> None:
        pipe = tmp_path / "ids"
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_text, args=("1\n2\n",))
        writer.start()
        result = run("trigger", "--ids-file", str(pipe), "--yes", "--journal", path)
        writer.join()
        assert (result.code, shown(run, path)) == (0, {1: "started", 2: "started"})

    @pytest.mark.backupify(instances=3)
    def test_that_cannot_be_kept_are_not_triggered(self, server: SimulatedBackupify, path: str) -> None:
        Path(f"{path}.ids.part").mkdir()
        result = self.trigger("1\n", path)
        assert (result.returncode, started(server)) == (2, {})
        assert f"stdin cannot be copied to {path}.ids: Is a directory" in result.stderr

    @pytest.mark.backupify(instances=3)
    def test_are_not_read_again_by_the_same_command(
        self, server: SimulatedBackupify, run: Run, path: str
    ) -> None:
        self.trigger("1\n2\n", path)
        again = self.trigger("", path)
        assert again.returncode == 0
        assert f"the ids of this sweep are in {path}.ids already: stdin is not read" in again.stderr
        assert started(server) == {1: 1, 2: 1}

    @pytest.mark.backupify(instances=9)
    def test_of_an_older_sweep_are_not_used_for_a_new_journal(
        self, server: SimulatedBackupify, run: Run, path: str
    ) -> None:
        self.trigger("1\n2\n", path)
        Path(path).unlink()
        for _ in range(2):  # a refusal changes nothing
            refused = self.trigger("7\n8\n9\n", path)
            assert (refused.returncode, refused.stdout, started(server)) == (2, "", {1: 1, 2: 1})
            assert f"{path}.ids exists already, but {path} is empty" in refused.stderr
            assert f"`backupify resume {path}` begins with these ids" in refused.stderr
        Path(f"{path}.ids").unlink()
        assert self.trigger("7\n8\n9\n", path).returncode == 0
        assert shown(run, path) == dict.fromkeys((7, 8, 9), "started")

    @pytest.mark.backupify(instances=3)
    def test_of_a_sweep_that_stopped_before_its_first_id_are_resumed(
        self, server: SimulatedBackupify, run: Run, path: str
    ) -> None:
        self.trigger("1\n2\n", path)
        forget(path, 1, 2)
        assert self.trigger("1\n2\n", path).returncode == 2
        assert run("resume", path).code == 0
        assert set(shown(run, path)) == {1, 2}


@pytest.mark.backupify(instances=9, backup_duration=1e-3)
class TestIdsByTheNameOfADescriptor:
    @pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "link"])
    def test_are_those_of_the_first_run_whatever_the_name_leads_to_later(
        self, server: SimulatedBackupify, path: str, ids: Path, other: Path, name: str
    ) -> None:
        if name == "link":
            name = str(ids.parent / "link")
            Path(name).symlink_to("/dev/stdin")
        first = with_stdin(ids, "trigger", "--ids-file", name, "--yes", "--journal", path)
        assert (first.code, started(server)) == (0, {1: 1, 2: 1, 3: 1})
        assert Path(f"{path}.ids").read_bytes() == ids.read_bytes()
        forget(path, 3)
        assert with_stdin(other, "resume", path).code == 0
        assert started(server) == {1: 1, 2: 1, 3: 2}  # 3 was removed from the journal

    def test_of_a_process_substitution_are_kept_too(
        self, server: SimulatedBackupify, run: Run, path: str, ids: Path
    ) -> None:
        reading, writing = os.pipe()
        os.write(writing, ids.read_bytes())
        os.close(writing)
        arguments = ("trigger", "--ids-file", f"/dev/fd/{reading}", "--yes", "--journal", path)
        with process(*arguments, pass_fds=(reading,)) as command:
            os.close(reading)
            assert finish(command).code == 0
        assert Path(f"{path}.ids").read_bytes() == ids.read_bytes()
        assert shown(run, path) == dict.fromkeys((1, 2, 3), "started")


@pytest.mark.backupify(instances=9)
class TestAFileThatWasChanged:
    @pytest.mark.parametrize("content", ["7\n8\n9\n", "1\n2\n3\n4\n", "1\n", ""])
    def test_since_the_sweep_began_is_refused_by_resume(
        self, server: SimulatedBackupify, run: Run, path: str, ids: Path, content: str
    ) -> None:
        run("trigger", "--ids-file", str(ids), "--yes", "--journal", path)
        forget(path, 3)
        ids.write_text(content)
        refused = run("resume", path, "-o", "jsonl")
        assert (refused.code, refused.out, started(server)) == (2, "", {1: 1, 2: 1, 3: 1})
        assert f"{ids} {CHANGED}" in refused.err
        assert "restore it and resume, or begin a new sweep" in refused.err
        ids.write_text("1\n2\n3\n")  # with another modification time
        result = run("resume", path, "--ordered", "-o", "jsonl")
        assert (result.code, list(states(result))) == (0, [1, 2, 3])

    def test_is_refused_by_the_same_command_even_if_the_sweep_is_done(
        self, server: SimulatedBackupify, run: Run, path: str, ids: Path
    ) -> None:
        command = ("trigger", "--ids-file", str(ids), "--yes", "--journal", path)
        run(*command)
        ids.write_text("7\n8\n")
        refused = run(*command)
        assert (refused.code, CHANGED in refused.err, started(server)) == (2, True, {1: 1, 2: 1, 3: 1})

    def test_into_a_pipe_is_refused(self, server: SimulatedBackupify, run: Run, path: str, ids: Path) -> None:
        run("trigger", "--ids-file", str(ids), "--yes", "--journal", path)
        forget(path, 3)
        ids.unlink()
        os.mkfifo(ids)
        refused = run("resume", path)
        assert (refused.code, f"{ids} {CHANGED}" in refused.err) == (2, True)

    @pytest.mark.backupify(instances=9, faults=[Fault.hang(operation="trigger", instance=1)])
    def test_while_it_is_read_ends_the_ids_before_the_change(
        self, server: SimulatedBackupify, run: Run, path: str, ids: Path
    ) -> None:
        lines = [f"{one}\n" for one in (1, 2)] + ["# a comment that fills pages\n"] * 5_000 + ["3\n"]
        ids.write_text("".join(lines))
        options = ("--concurrency", "1", "--timeout", "2", "--journal", path, "-o", "jsonl")
        with process("trigger", "--ids-file", str(ids), "--yes", *options) as sweeping:
            wait_for_requests(server, 2)  # the token, and a trigger that hangs
            ids.write_text("".join(lines[:-1]) + "7\n")
            result = finish(sweeping)
        assert f"{ids} is not what this sweep began with" in result.err
        assert (result.code, set(started(server)) <= {1, 2}) == (2, True)
        assert set(shown(run, path)) == {1, 2}


@pytest.mark.backupify(instances=9)
class TestTheCopy:
    def trigger(self, ids: Path, path: str) -> Result:
        return with_stdin(ids, "trigger", "--ids-file", "-", "--yes", "--journal", path, "-o", "jsonl")

    def test_is_written_through_no_link(
        self, server: SimulatedBackupify, path: str, ids: Path, tmp_path: Path
    ) -> None:
        precious = tmp_path / "precious"
        precious.write_text("precious")
        Path(f"{path}.ids.part").symlink_to(precious)
        assert self.trigger(ids, path).code == 0
        assert precious.read_text() == "precious"
        assert not Path(f"{path}.ids").is_symlink()
        assert Path(f"{path}.ids").read_bytes() == ids.read_bytes()

    def test_waits_for_a_stdin_that_is_non_blocking(self, server: SimulatedBackupify, path: str) -> None:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        arguments = ("trigger", "--ids-file", "-", "--yes", "--journal", path)
        with process(*arguments, stdin=reading) as command:
            os.close(reading)
            os.write(writing, b"1\n")
            wait_for_requests(server, 1)  # the token, after which the ids are read
            os.write(writing, b"2\n")
            os.close(writing)
            assert finish(command).code == 0
        assert started(server) == {1: 1, 2: 1}

    def test_replaces_the_partial_copy_of_a_killed_process(
        self, server: SimulatedBackupify, path: str, ids: Path
    ) -> None:
        Path(f"{path}.ids.part").write_text("1\n2\n3\n4\n5\n")
        assert self.trigger(ids, path).code == 0
        assert Path(f"{path}.ids").read_bytes() == ids.read_bytes()
        assert not Path(f"{path}.ids.part").exists()

    def test_has_the_permissions_of_the_journal(
        self, server: SimulatedBackupify, path: str, ids: Path
    ) -> None:
        Path(path).touch(mode=0o640)
        Path(path).chmod(0o640)
        self.trigger(ids, path)
        assert stat.S_IMODE(Path(f"{path}.ids").stat().st_mode) == 0o640

    def test_that_was_replaced_is_refused(
        self, server: SimulatedBackupify, run: Run, path: str, ids: Path, other: Path
    ) -> None:
        self.trigger(ids, path)
        forget(path, 3)
        Path(f"{path}.ids").unlink()
        Path(f"{path}.ids").symlink_to(other)
        for refused in (run("resume", path), self.trigger(ids, path)):
            assert (refused.code, f"{path}.ids {CHANGED}" in refused.err) == (2, True)
        assert started(server) == {1: 1, 2: 1, 3: 1}

    def test_that_was_deleted_is_created_again_only_from_the_same_ids(
        self, server: SimulatedBackupify, run: Run, path: str, ids: Path, other: Path
    ) -> None:
        self.trigger(ids, path)
        forget(path, 3)
        Path(f"{path}.ids").unlink()
        refused = self.trigger(other, path)
        assert (refused.code, sorted(started(server))) == (2, [1, 2, 3])
        assert f"{path}.ids is gone, and stdin is not what this sweep began with" in refused.err
        assert not Path(f"{path}.ids").exists()
        assert not Path(f"{path}.ids.part").exists()
        again = self.trigger(ids, path)
        assert (again.code, sorted(states(again))) == (0, [1, 2, 3])  # type: ignore[type-var]

    def test_is_not_created_again_where_all_ids_are_known(
        self, server: SimulatedBackupify, path: str, ids: Path, other: Path
    ) -> None:
        self.trigger(ids, path)
        Path(f"{path}.ids").unlink()
        again = self.trigger(other, path)
        assert (again.code, sorted(started(server))) == (0, [1, 2, 3])
        assert f"all ids of this sweep are in {path}: stdin is not read" in again.err
