"""`backupify trigger`: its rows and exit codes, `--wait`, confirmation and `--dry-run`."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import Run, started


class TestTrigger:
    @pytest.mark.backupify(instances=3)
    def test_one_instance_needs_no_confirmation(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("trigger", "2", "-o", "jsonl")
        assert (result.code, json.loads(result.out)["state"], started(server)) == (0, "started", {2: 1})

    @pytest.mark.backupify(instances=3)
    def test_a_backup_that_runs_already_is_a_success(self, server: SimulatedBackupify, run: Run) -> None:
        server.start_backup(2)
        result = run("trigger", "2", "-o", "jsonl")
        assert (result.code, json.loads(result.out)["state"], started(server)) == (0, "already_active", {})

    @pytest.mark.backupify(instances=3)
    def test_yes_on_the_command_line_is_enough(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("trigger", "--all", "--yes")
        assert (result.code, started(server)) == (0, {1: 1, 2: 1, 3: 1})
        assert "trigger: 3 succeeded (3 started), 0 failed" in result.err

    @pytest.mark.backupify(instances=3)
    def test_an_instance_that_is_given_twice_is_triggered_once_and_reported(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("trigger", "2", "3", "2", "--yes", "-o", "csv")
        assert (result.code, len(result.rows), started(server)) == (0, 3, {2: 1, 3: 1})
        assert "instance 2 is in this sweep twice" in result.err
        assert "trigger: 2 succeeded (2 started), 0 failed, 1 duplicate; " in result.err

    @pytest.mark.backupify(faults=[Fault.lose_response(after_acting=True, operation="trigger", instance=2)])
    def test_a_backup_whose_response_was_lost_is_found(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("trigger", "2", "-o", "jsonl")
        assert (result.code, json.loads(result.out)["state"], started(server)) == (0, "adopted", {2: 1})

    @pytest.mark.backupify(
        faults=[
            Fault.lose_response(after_acting=True, operation="trigger"),
            Fault.answer(403, operation="get_active"),
        ]
    )
    def test_a_backup_that_is_not_found_in_time_is_ambiguous(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("trigger", "2", "--timeout", "0.3", "-o", "jsonl")
        assert (result.code, started(server)) == (1, {2: 1})
        row = json.loads(result.out)
        assert row["state"] == "ambiguous"
        assert row["error"].startswith("the backup triggered at ")
        assert "instance 2: the backup triggered at " in result.err
        assert "may or may not have started" in result.err
        assert "still unclear: the call took longer than --timeout 0.3 s" in result.err


class TestWait:
    @pytest.mark.parametrize(
        ("state", "code", "found"), [("completed", 0, "1 completed"), ("failed", 1, "1 with a failed backup")]
    )
    def test_the_row_says_how_the_backup_ended(
        self, server: SimulatedBackupify, run: Run, state: str, code: int, found: str
    ) -> None:
        body = json.dumps({"id": 5, "status": state})
        server.inject(Fault.answer(201, body=body, operation="trigger", after_acting=True))
        result = run("trigger", "2", "--wait", "-o", "jsonl")
        row = json.loads(result.out)
        assert (result.code, row["state"], row["backup_id"], started(server)) == (code, state, 5, {2: 1})
        assert f"trigger: 1 succeeded ({found}), 0 failed" in result.err

    @pytest.mark.backupify(backup_duration=math.inf)
    def test_a_backup_that_is_not_over_in_time_is_reported_as_started(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("trigger", "2", "--wait", "--wait-timeout", "0.05", "-o", "jsonl")
        assert (result.code, started(server)) == (1, {2: 1})
        backup_id, how = server.triggers[2][0].id, "was not over after 0.05 s (last seen running)"
        assert f"instance 2: backup {backup_id} (started) {how}\n" in result.err
        assert "trigger: 0 succeeded, 1 failed (1 while waiting)" in result.err
        row = json.loads(result.out)
        assert (row["state"], row["backup_id"]) == ("started", backup_id)
        assert row["error"] == f"backup {backup_id} (started) {how}"

    @pytest.mark.backupify(
        faults=[
            Fault.answer(201, body="", operation="trigger", after_acting=True),
            Fault.answer(204, body="", operation="get_active"),
        ]
    )
    def test_a_backup_that_the_server_does_not_name_is_not_a_success(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("trigger", "2", "--wait", "-o", "jsonl")
        assert (result.code, json.loads(result.out)["state"], started(server)) == (1, "started", {2: 1})

    @pytest.mark.parametrize("output", ["table", "jsonl", "csv"])
    def test_an_unknown_final_status_is_not_a_success(
        self, server: SimulatedBackupify, run: Run, output: str
    ) -> None:
        now = datetime.now(UTC).isoformat()
        backup = {"id": 5, "status": "Frobnicated\x1b[31m", "created_at": now, "completed_at": now}
        server.inject(Fault.answer(201, body=json.dumps(backup), operation="trigger", after_acting=True))
        result = run("trigger", "2", "--wait", "-o", output)
        message = r"backup 5 ended with status 'Frobnicated\x1b[31m', which is not known to mean success"
        assert result.code == 1
        assert f"instance 2: {message}\n" in result.err
        assert "1 succeeded (1 with a backup of unknown outcome), 0 failed" in result.err
        row = json.loads(result.out) if output == "jsonl" else {}
        assert row.get("state", "unknown") == "unknown"
        assert output != "jsonl" or row["error"] == message

    def test_wait_timeout_needs_wait(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("trigger", "2", "--wait-timeout", "5")
        assert (result.code, server.requests) == (2, [])
        assert "--wait-timeout needs --wait" in result.err


class TestNoTerminal:
    @pytest.mark.parametrize("ids", [["1", "2"], ["--all"]])
    def test_without_a_terminal_nothing_is_triggered(
        self, server: SimulatedBackupify, run: Run, ids: list[str]
    ) -> None:
        result = run("trigger", *ids)
        assert (result.code, server.requests) == (2, [])
        assert "add --yes, or check with --dry-run" in result.err

    def test_with_ids_from_stdin_no_confirmation_is_possible(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("trigger", "--ids-file", "-")
        assert (result.code, server.requests) == (2, [])
        assert "add --yes" in result.err

    def test_a_closed_stdin_is_no_terminal(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", None)
        assert run("trigger", "1", "2").code == 2


class TestDryRun:
    def test_an_invalid_line_is_reported_before_the_first_call(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path
    ) -> None:
        file = tmp_path / "ids.txt"
        file.write_text("1\n..\n")
        result = run("trigger", "--dry-run", "--ids-file", str(file))
        assert (result.code, result.out) == (2, "")
        assert f"{file}, line 2: " in result.err
        assert [record.operation for record in server.requests] == ["token"]

    @pytest.mark.backupify(instances=3, forbidden=[3])
    def test_it_shows_what_would_be_triggered_and_triggers_nothing(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        server.start_backup(2)
        result = run("trigger", "1", "2", "3", "01", "--dry-run", "--ordered", "-o", "jsonl")
        states = [(row["instance_id"], row["state"]) for row in map(json.loads, result.rows)]
        assert states == [(1, "would_start"), (2, "already_active"), (3, "error"), ("01", "duplicate")]
        assert (result.code, started(server)) == (1, {})
        assert {record.operation for record in server.requests if record.method == "POST"} == {"token"}
