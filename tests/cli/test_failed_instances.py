"""How a command reports the instances that failed."""

import csv
import json
import re

import pytest

from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import Run


class TestSomeFailed:
    @pytest.mark.backupify(instances=3, forbidden=[2])
    def test_a_failed_instance_is_named_with_its_reason(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("active", "1", "2", "3", "-o", "csv")
        assert (result.code, len(result.rows)) == (1, 4)
        assert "instance 2 failed: GET /v1/backup_instances/2/backups/active answered 403" in result.err
        assert "active: 2 succeeded (2 idle), 1 failed" in result.err

    @pytest.mark.backupify(instances=3, forbidden=[2])
    @pytest.mark.parametrize("command", ["list", "active", "latest", "trigger"])
    def test_a_failed_instance_has_a_row(self, server: SimulatedBackupify, run: Run, command: str) -> None:
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
    def test_in_a_table_the_reason_is_only_on_stderr(self, server: SimulatedBackupify, run: Run) -> None:
        header, first, second = run("active", "1", "2", "--ordered").rows
        assert "error" not in header
        assert (first.split()[:3], second.split()[:3]) == (["1", "idle", "-"], ["2", "error", "-"])

    @pytest.mark.backupify(faults=[Fault.answer(400, body="one\ntwo\x1b[2J", operation="get_active")])
    def test_a_reason_is_one_line(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("active", "1", "--quiet", "-o", "csv")
        for lines in (result.err.splitlines(), result.rows[1:]):
            assert len(lines) == 1
            assert "one\\ntwo\\x1b[2J" in lines[0]

    @pytest.mark.backupify(
        instances=50, faults=[Fault.answer(429, retry_after=9_999, operation="get_active")]
    )
    def test_a_retry_after_above_the_maximum_ends_the_sweep(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("active", "--all", "--concurrency", "2")
        assert result.code == 1
        assert "stopped early: " in result.err
        assert re.search(r"; not begun: the 4\d ids after \d of --all\n", result.err)

    def test_a_server_that_cannot_be_reached_is_reported_without_a_traceback(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("random.uniform", lambda low, high: 0.0)  # the back-off
        monkeypatch.setenv("BACKUPIFY_BASE_URL", "http://127.0.0.1:1")
        result = run("active", "1")
        assert (result.code, len(result.err.splitlines())) == (1, 1)
        assert "no token: no connection to 127.0.0.1:1: " in result.err
        assert result.err.endswith("; gave up: tried 4 times\n")

    @pytest.mark.parametrize("command", [("active",), ("trigger", "--yes"), ("list",), ("latest",)])
    def test_each_instance_has_a_row_also_without_a_token(
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
    def test_the_time_out_applies_to_the_token_too(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("active", "1", "--timeout", "0.1")
        assert (result.code, result.err) == (1, "backupify: no token: no response within 0.1 s\n")

    @pytest.mark.backupify(faults=[Fault.hang(operation="get_active", instance=2)])
    def test_the_time_out_applies_to_each_call(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("active", "1", "2", "--timeout", "0.3", "-o", "csv")
        assert (result.code, len(result.rows)) == (1, 3)
        assert "instance 2 failed: the call took longer than --timeout 0.3 s" in result.err
        assert result.err.count("--timeout includes waiting for the rate limit") == 1

    @pytest.mark.backupify(faults=[Fault.hang(operation="trigger")])
    def test_the_time_out_of_a_trigger_is_named_after_the_option(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("trigger", "2", "--timeout", "0.3")
        assert "may or may not have started: the call took longer than --timeout 0.3 s" in result.err
        assert "1 timed out" in result.err
