"""Exit codes, and the one line that explains each."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from backupify_async._cli import main
from backupify_async._cli.exit_codes import ExitCode, most_severe
from backupify_async._cli.writers import JsonLinesWriter, Row
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import Run
from tests.support.processes import finish, process


class TestAuthentication:
    @pytest.mark.backupify(client_secret="another")
    def test_a_wrong_secret_is_one_failed_token_request(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("active", "1", "2", "3")
        assert (result.code, result.out, len(server.requests)) == (3, "", 1)
        assert "authentication failed" in result.err

    @pytest.mark.backupify(instances=3, forbidden=[1], faults=[Fault.expired_token(instance=2)])
    def test_an_instance_that_fails_by_it_decides_the_exit_code(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("BACKUPIFY_CLIENT_ID", "BACKUPIFY_CLIENT_SECRET"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("BACKUPIFY_TOKEN", server.issue_token())  # a refused static token is final
        result = run("active", "1", "2", "3", "-o", "csv")
        assert (result.code, len(result.rows)) == (3, 1 + 3)


class TestUnexpectedErrors:
    def test_they_are_reported_by_file_and_type_without_their_text(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_arguments: object) -> None:
            raise RuntimeError("Bearer hunter2")

        monkeypatch.setattr("backupify_async._cli.rows.backup_row", broken)
        result = run("active", "1")
        assert result.code == 70
        assert "unexpected RuntimeError in test_exit_codes.py" in result.err
        assert "hunter2" not in result.err

    @pytest.mark.backupify(instances=40, latency=0.05)
    def test_after_them_every_trigger_is_reported(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written = []

        def writes_one(self: JsonLinesWriter, rows: Sequence[Row]) -> str:
            written.append(rows)
            if len(written) == 1:
                return "{}\n"
            raise RuntimeError("Bearer hunter2")

        monkeypatch.setattr(JsonLinesWriter, "write", writes_one)
        ids = [str(one) for one in range(1, 41)]
        result = run("trigger", *ids, "--yes", "-o", "jsonl", "--concurrency", "4")
        assert (result.code, len(result.rows)) == (70, 1)
        reported = re.findall(r"^instance (\d+): (?:started|interrupted)\b", result.err, re.MULTILINE)
        assert {*server.triggers} <= {*map(int, reported), written[0][0]["instance_id"]}
        assert re.search(r"^not triggered: .*the \d+ ids after \d+ on the", result.err, re.MULTILINE)
        assert "hunter2" not in result.err


@pytest.mark.slow
class TestErrorsOfTheSystem:
    @pytest.mark.parametrize("command", [["active"], ["trigger", "--yes"]])
    def test_a_file_name_that_is_too_long_is_reported(
        self, server: SimulatedBackupify, run: Run, command: list[str]
    ) -> None:
        result = run(*command, "--ids-file", "a" * 300)
        assert (result.code, result.out, server.requests) == (2, "", [])
        assert result.err.endswith("a: File name too long\n")

    @pytest.mark.parametrize(
        "command",
        [["--version"], ["--help"], ["trigger", "--help"], ["active", "1"], ["simulate", "--port", "0"]],
    )
    def test_a_full_disk_is_reported(self, server: SimulatedBackupify, command: list[str]) -> None:
        with Path("/dev/full").open("w") as full, process(*command, stdout=full) as started:
            result = finish(started)
        assert result.code == 1
        assert "No space left on device" in result.err
        assert "Exception ignored" not in result.err

    @pytest.mark.parametrize(
        "command", [["trigger", "1", "--journal", "j"], ["resume", "j"], ["journal", "show", "j"]]
    )
    def test_a_deleted_working_directory_is_reported(
        self,
        server: SimulatedBackupify,
        run: Run,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        command: list[str],
    ) -> None:
        deleted = tmp_path / "deleted"
        deleted.mkdir()
        monkeypatch.chdir(deleted)
        deleted.rmdir()
        result = run(*command)
        assert (result.code, server.triggers) == (2, {})
        assert "j: the working directory cannot be used (No such file or directory)" in result.err


class TestMostSevere:
    def test_an_interrupt_is_above_authentication_and_that_above_failures(self) -> None:
        codes = [ExitCode.SUCCESS, ExitCode.SOME_FAILED, ExitCode.AUTHENTICATION, ExitCode.INTERRUPTED]
        assert [most_severe(*codes[:number]) for number in range(1, 5)] == codes


@pytest.mark.slow
class TestWithoutTheExtra:
    @pytest.mark.parametrize("missing", ["cyclopts", "rich"])
    def test_it_names_the_extra_to_install(self, missing: str) -> None:
        code = (
            f"import sys; sys.modules['{missing}'] = None\n"
            "from backupify_async._cli import main\nsys.exit(main(['--version']))"
        )
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "pip install '.[cli]' in the checkout" in ended.stderr
        assert missing in ended.stderr

    def test_a_missing_module_of_the_package_itself_is_raised(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "backupify_async._cli.run", None)
        with pytest.raises(ModuleNotFoundError):
            main(["--version"])


class TestLoading:
    @pytest.mark.parametrize("arguments", [["--version"], ["active", "1"]])
    def test_a_variable_that_makes_an_import_fail_is_named(
        self, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
    ) -> None:
        monkeypatch.setenv("SSLKEYLOGFILE", "/nowhere/keys")
        with process(*arguments) as started:
            result = finish(started)
        assert (result.code, result.out) == (2, "")
        assert result.err == (
            "backupify: cannot be loaded: No such file or directory /nowhere/keys: "
            "SSLKEYLOGFILE names it; unset that, or make it writable\n"
        )

    @pytest.mark.parametrize("module", ["backupify_async", "backupify_async._cli"])
    def test_ctrl_c_during_it_shows_no_traceback(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
    ) -> None:
        (tmp_path / "cyclopts.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        command = [sys.executable, "-m", module, "active", "1"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
