import csv
import json
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


class TestSomeFailed:
    @pytest.mark.backupify(instances=3, forbidden=[2])
    def test_a_failed_instance_is_named_with_its_reason(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("active", "1", "2", "3", "-o", "csv")
        assert (result.code, len(result.rows)) == (1, 4)
        assert "instance 2 failed: GET /v1/backup_instances/2/backups/active answered 403" in result.err
        assert "active: 2 succeeded (2 idle), 1 failed" in result.err

    @pytest.mark.backupify(instances=3, forbidden=[2])
    @pytest.mark.parametrize("command", ["list", "active", "latest", "trigger"])
    def test_a_failed_instance_has_its_row(self, server: SimulatedBackupify, run: Run, command: str) -> None:
        sweep = (command, "1", "2", "3", *(["--yes"] if command == "trigger" else []), "--ordered", "-o")
        rows = [json.loads(row) for row in run(*sweep, "jsonl").rows]
        of_ids = {row["instance_id"]: (row["state"], row["error"]) for row in rows}
        assert list(of_ids) == [1, 2, 3]
        assert of_ids[2][0] == "error"
        assert "answered 403" in of_ids[2][1]
        assert of_ids[1][1] is of_ids[3][1] is None
        (failed,) = (row for row in csv.DictReader(run(*sweep, "csv").rows) if row["error"])
        assert (failed["instance_id"], failed["state"], failed["backup_id"]) == ("2", "error", "")

    @pytest.mark.backupify(instances=3, forbidden=[2])
    def test_a_table_leaves_the_reason_to_stderr(self, server: SimulatedBackupify, run: Run) -> None:
        header, first, second = run("active", "1", "2", "--ordered").rows
        assert "error" not in header
        assert (first.split()[:3], second.split()[:3]) == (["1", "idle", "-"], ["2", "error", "-"])

    @pytest.mark.backupify(faults=[Fault.answer(400, body="one\ntwo\x1b[2J", operation="get_active")])
    def test_a_reason_takes_one_line(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("active", "1", "--quiet", "-o", "csv")
        for lines in (result.err.splitlines(), result.rows[1:]):
            assert len(lines) == 1
            assert "one\\ntwo\\x1b[2J" in lines[0]

    @pytest.mark.backupify(
        instances=50, faults=[Fault.answer(429, retry_after=9_999, operation="get_active")]
    )
    def test_a_server_that_refuses_for_long_ends_the_sweep(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("active", "--all", "--concurrency", "2")
        assert result.code == 1
        assert "stopped early: " in result.err
        assert re.search(r"; not begun: the 4\d ids after \d of --all\n", result.err)

    def test_a_dead_server_is_reported_without_a_traceback(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("random.uniform", lambda low, high: 0.0)  # the back-off
        monkeypatch.setenv("BACKUPIFY_BASE_URL", "http://127.0.0.1:1")
        result = run("active", "1")
        assert (result.code, len(result.err.splitlines())) == (1, 1)
        assert "no token: no connection to 127.0.0.1:1: " in result.err
        assert result.err.endswith("; gave up: tried 4 times\n")

    @pytest.mark.parametrize("command", [("active",), ("trigger", "--yes"), ("list",), ("latest",)])
    def test_each_given_instance_has_its_row_without_a_token_too(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
    ) -> None:
        monkeypatch.setattr("random.uniform", lambda low, high: 0.0)  # the back-off
        monkeypatch.setenv("BACKUPIFY_BASE_URL", "http://127.0.0.1:1")
        result = run(*command, "1", "x2", "-o", "jsonl")
        rows = [json.loads(row) for row in result.rows]
        assert (result.code, [row["instance_id"] for row in rows]) == (1, [1, "x2"])
        assert {row["state"] for row in rows} == {"error"}
        assert rows[0]["error"].startswith("no token: no connection to 127.0.0.1:1: ")
        assert "sent" not in rows[0]["error"]

    @pytest.mark.backupify(faults=[Fault.hang(operation="token")])
    def test_the_time_out_holds_for_the_token_too(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("active", "1", "--timeout", "0.1")
        assert (result.code, result.err) == (1, "backupify: no token: no response within 0.1 s\n")

    @pytest.mark.backupify(faults=[Fault.hang(operation="get_active", instance=2)])
    def test_the_time_out_holds_for_one_call_and_not_for_all(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("active", "1", "2", "--timeout", "0.3", "-o", "csv")
        assert (result.code, len(result.rows)) == (1, 3)
        assert "instance 2 failed: the call took longer than --timeout 0.3 s" in result.err
        assert result.err.count("--timeout includes waiting for the rate limit") == 1

    @pytest.mark.backupify(faults=[Fault.hang(operation="trigger")])
    def test_the_time_out_of_a_trigger_is_called_as_the_option_too(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("trigger", "2", "--timeout", "0.3")
        assert "may or may not have started: the call took longer than --timeout 0.3 s" in result.err
        assert "1 timed out" in result.err


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["active"], "no instances"),
            (["active", "1", "--all"], "more than one way"),
            (["active", "--all", "--ids-file", "-"], "more than one way"),
            (["active", "."], "not an instance id"),
            (["active", "a\tb"], "not an instance id"),
            (["active", "--ids-file", "/nowhere/ids.txt"], "/nowhere/ids.txt does not exist"),
            (["active", "--ids-file", "/"], "/ is a directory"),
            (["active", "1", "--rate", "nan"], "--rate: expected a number above 0, found nan\n"),
            (["active", "1", "--rate", "-1"], "--rate: expected a number above 0, found -1\n"),
            (["active", "1", "--rate", "0"], "--rate: expected a number above 0, found 0\n"),
            (["active", "1", "--rate", "x"], "--rate: expected a number above 0, found x\n"),
            (["active", "1", "--timeout", "inf"], "--timeout: expected a number above 0, found inf\n"),
            (["active", "1", "--concurrency", "0"], "--concurrency. Must be >= 1."),
            (["active", "1", "--concurrency", "1.5"], "--concurrency"),
            (["list", "1", "--limit", "0"], "--limit. Must be >= 1."),
            (["list", "1", "--newest", "0"], "--newest. Must be >= 1."),
            (["list", "1", "--newest", "5", "--limit", "5"], "exclude each other"),
            (["active", "1", "--output", "xml"], "jsonl"),
            (["active", "1", "--secret", "x"], "--secret"),
            (["activ", "1"], "active"),
            (["list", "1", "--limit", "x"], "--limit: expected a whole number, found x\n"),
            (["simulate", "--seed", "1_0"], "--seed: expected a whole number, found 1_0\n"),
            (["simulate", "--port", "65536"], "--port. Must be <= 65535."),
            (["simulate", "--instances", "-1"], "--instances. Must be >= 0."),
        ],
    )
    def test_it_is_reported_without_a_request(
        self, server: SimulatedBackupify, run: Run, arguments: list[str], said: str
    ) -> None:
        result = run(*arguments)
        assert (result.code, result.out, server.requests) == (2, "", [])
        assert said in result.err

    def test_the_help_names_the_defaults(self, run: Run) -> None:
        assert (
            "Maximum number of calls per second.  [default: the server's limit]"
            in run("active", "--help").out
        )

    def test_the_help_explains_throttled_and_retried(self, run: Run) -> None:
        said = " ".join(run("--help").out.split())
        assert "throttled calls were refused by the server's rate limit (429)" in said
        assert "retried calls were sent again after another failure" in said

    def test_no_command_shows_the_help_and_is_an_error(self, run: Run) -> None:
        result = run()
        assert result.code == 2
        assert "simulate" in result.out

    def test_a_group_without_a_command_shows_its_own_help_and_is_an_error(self, run: Run) -> None:
        result = run("journal")
        assert (result.code, result.err) == (2, "")
        assert "Usage: backupify journal COMMAND" in result.out

    @pytest.mark.parametrize(
        ("words", "as_options"),
        [
            (["help"], ["--help"]),
            (["help", "trigger"], ["trigger", "--help"]),
            (["help", "journal", "show"], ["journal", "show", "--help"]),
            (["journal", "help"], ["journal", "--help"]),
            (["journal", "help", "show"], ["journal", "show", "--help"]),
        ],
    )
    def test_help_may_be_a_word(self, run: Run, words: list[str], as_options: list[str]) -> None:
        assert run(*words) == run(*as_options)
        assert run(*words).code == 0


class TestConfiguration:
    def test_missing_credentials_are_named(self, run: Run) -> None:
        result = run("active", "1")
        assert result.code == 2
        assert "BACKUPIFY_CLIENT_ID" in result.err
        assert "`backupify demo` needs none" in result.err

    def test_a_wrong_base_url_is_named(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BACKUPIFY_BASE_URL", "ftp://x")
        monkeypatch.setenv("BACKUPIFY_TOKEN", "x")
        result = run("active", "1")
        assert result.code == 2
        assert "BACKUPIFY_BASE_URL" in result.err
        assert "demo" not in result.err

    def test_a_base_url_in_the_clear_names_nothing_that_has_no_option(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BACKUPIFY_BASE_URL", "http://api.example")
        monkeypatch.setenv("BACKUPIFY_TOKEN", "x")
        result = run("active", "1")
        assert result.code == 2
        assert result.err.startswith("backupify: BACKUPIFY_BASE_URL: http:// to api.example would send ")
        assert result.err.endswith("; use https://\n")

    def test_a_secret_file_that_is_not_there_is_named(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("BACKUPIFY_CLIENT_SECRET")
        monkeypatch.setenv("BACKUPIFY_CLIENT_SECRET_FILE", "/nowhere/secret")
        result = run("active", "1")
        assert (result.code, server.requests) == (2, [])


class TestAuthentication:
    @pytest.mark.backupify(client_secret="another")
    def test_a_wrong_secret_is_one_failed_token_request(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("active", "1", "2", "3")
        assert (result.code, result.out, len(server.requests)) == (3, "", 1)
        assert "authentication failed" in result.err

    @pytest.mark.backupify(instances=3, forbidden=[1], faults=[Fault.expired_token(instance=2)])
    def test_an_instance_that_fails_by_it_is_graver_than_one_that_fails(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("BACKUPIFY_CLIENT_ID", "BACKUPIFY_CLIENT_SECRET"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("BACKUPIFY_TOKEN", server.issue_token())  # of which no other is waited for
        result = run("active", "1", "2", "3", "-o", "csv")
        assert (result.code, len(result.rows)) == (3, 1 + 3)


class TestOwnFaults:
    def test_they_name_the_place_but_not_the_text(
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
    def test_they_leave_no_trigger_unaccounted_for(
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
        said = re.findall(r"^instance (\d+): (?:started|interrupted)\b", result.err, re.MULTILINE)
        assert {*server.triggers} <= {*map(int, said), written[0][0]["instance_id"]}
        assert re.search(r"^not triggered: .*the \d+ ids after \d+ on the", result.err, re.MULTILINE)
        assert "hunter2" not in result.err


@pytest.mark.slow
class TestWhatTheSystemRefuses:
    @pytest.mark.parametrize("command", [["active"], ["trigger", "--yes"]])
    def test_a_name_that_no_file_can_have(
        self, server: SimulatedBackupify, run: Run, command: list[str]
    ) -> None:
        result = run(*command, "--ids-file", "a" * 300)
        assert (result.code, result.out, server.requests) == (2, "", [])
        assert result.err.endswith("a: File name too long\n")

    @pytest.mark.parametrize(
        "command",
        [["--version"], ["--help"], ["trigger", "--help"], ["active", "1"], ["simulate", "--port", "0"]],
    )
    def test_a_full_disk(self, server: SimulatedBackupify, command: list[str]) -> None:
        with Path("/dev/full").open("w") as full, process(*command, stdout=full) as started:
            result = finish(started)
        assert result.code == 1
        assert "No space left on device" in result.err
        assert "Exception ignored" not in result.err

    @pytest.mark.parametrize(
        "command", [["trigger", "1", "--journal", "j"], ["resume", "j"], ["journal", "show", "j"]]
    )
    def test_a_working_directory_that_is_gone(
        self,
        server: SimulatedBackupify,
        run: Run,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        command: list[str],
    ) -> None:
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()
        result = run(*command)
        assert (result.code, server.triggers) == (2, {})
        assert "j: the working directory cannot be used (No such file or directory)" in result.err


class TestGravest:
    def test_an_interrupt_stands_above_authentication_above_failures(self) -> None:
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

    def test_a_hole_in_the_package_itself_is_not_taken_for_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "backupify_async._cli.run", None)
        with pytest.raises(ModuleNotFoundError):
            main(["--version"])


class TestLoading:
    @pytest.mark.parametrize("arguments", [["--version"], ["active", "1"]])
    def test_what_the_environment_makes_fail_is_named(
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
    def test_ctrl_c_meanwhile_is_no_traceback(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
    ) -> None:
        (tmp_path / "cyclopts.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        command = [sys.executable, "-m", module, "active", "1"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
