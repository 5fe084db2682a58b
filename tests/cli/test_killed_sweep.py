"""A sweep with a journal that is killed or stopped: what it leaves, and what `resume` makes of it."""

import json
import math
import signal
from pathlib import Path

import pytest

from backupify_async._cli.options import RowOptions
from backupify_async.config import RateLimit, Reconciliation, SettingsOptions
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import Run, shown, signal_twice, started, states, wait_for_requests
from tests.support.files import run_sql
from tests.support.processes import finish, process

pytestmark = pytest.mark.slow


def at_once(options: RowOptions, concurrency: int = 1) -> SettingsOptions:
    """Settings of a command for a server that acts at once: half a second to act, not half a minute."""
    return SettingsOptions(
        rate_limit=RateLimit(None),
        reconciliation=Reconciliation(settling=0.5),
        max_concurrency=max(64, concurrency),
    )


class TestKill:
    @pytest.mark.backupify(instances=60, backups=1, date_header=True, backup_duration=0.001, latency=0.3)
    def test_during_a_sweep_leaves_a_journal_that_resume_continues(
        self, server: SimulatedBackupify, run: Run, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with process("trigger", "--all", "--yes", "--journal", path, "--rate", "20") as sweeping:
            wait_for_requests(server, 10)
            assert "is in use: another process is sweeping with it" in run("resume", path).err
            assert "intended" in shown(run, path).values()
            sweeping.kill()
        monkeypatch.setattr(RowOptions, "settings", at_once)
        result = run("resume", path, "-o", "jsonl")
        assert result.code == 0
        assert {key: len(begun) for key, begun in server.triggers.items()} == dict.fromkeys(range(1, 61), 1)
        assert shown(run, path) == states(result)
        assert {"started", "adopted"} == set(states(result).values())

    @pytest.mark.backupify(instances=2, backup_duration=math.inf)
    def test_during_a_wait_leaves_backups_that_a_resumed_sweep_waits_for(
        self, server: SimulatedBackupify, run: Run, path: str
    ) -> None:
        with process("trigger", "1", "2", "--yes", "--wait", "--journal", path) as sweeping:
            wait_for_requests(server, 3)  # the token, two triggers
            while shown(run, path) != {1: "started", 2: "started"}:
                assert sweeping.poll() is None
            sweeping.kill()
        for one, (begun,) in server.triggers.items():
            body = json.dumps({"id": begun.id, "status": "completed" if one == 1 else "failed"})
            server.inject(Fault.answer(200, body=body, operation="get_backup", instance=one))
        result = run("resume", path, "--wait", "-o", "jsonl")
        rows = {row["instance_id"]: row for row in map(json.loads, result.rows)}
        assert {one: (row["state"], row["run"]) for one, row in rows.items()} == {
            1: ("completed", "previous"),
            2: ("failed", "previous"),
        }
        assert (result.code, started(server)) == (1, {1: 1, 2: 1})
        assert {one: row["backup_id"] for one, row in rows.items()} == {
            one: begun.id for one, (begun,) in server.triggers.items()
        }

    @pytest.mark.backupify(instances=30, faults=[Fault.hang(operation="trigger", instance=3)])
    def test_by_a_signal_that_can_be_handled_says_how_to_continue(
        self, server: SimulatedBackupify, path: str
    ) -> None:
        options = ("--rate", "1000", "--concurrency", "1", "--journal", path)
        with process("trigger", "1", "2", "3", "4", "--yes", *options) as sweeping:
            wait_for_requests(server, 4)
            signal_twice(sweeping, signal.SIGTERM)
            result = finish(sweeping)
        assert result.code == 143
        assert f"not triggered: the remaining ids of {path}" in result.err
        assert f"`backupify resume {path}` continues this sweep" in result.err

    @pytest.mark.backupify(instances=9, latency=0.3)
    def test_by_one_signal_completes_the_triggers_in_flight_and_can_be_resumed(
        self, server: SimulatedBackupify, run: Run, path: str
    ) -> None:
        options = ("--rate", "1000", "--concurrency", "2", "--journal", path, "-o", "jsonl")
        with process("trigger", "--all", "--yes", *options) as sweeping:
            wait_for_requests(server, 5)  # the token, two requests for instances, two triggers
            sweeping.send_signal(signal.SIGTERM)
            result = finish(sweeping)
        assert result.code == 143
        begun = states(result)
        assert begun == dict.fromkeys(started(server), "started")
        assert 0 < len(begun) < 9
        assert {key: state for key, state in shown(run, path).items() if state == "started"} == begun
        assert run("resume", path, "--rate", "1000").code == 0
        assert started(server) == dict.fromkeys(range(1, 10), 1)

    @pytest.mark.backupify(instances=2, backup_duration=math.inf, latency=0.2)
    def test_by_a_signal_during_a_wait_names_the_backups_that_still_run(
        self, server: SimulatedBackupify, run: Run, path: str
    ) -> None:
        with process("trigger", "1", "2", "--yes", "--wait", "--journal", path, "-o", "jsonl") as sweeping:
            wait_for_requests(server, 3)  # the token, two triggers, which are completed
            sweeping.send_signal(signal.SIGTERM)
            result = finish(sweeping)
        ids = {one: begun[0].id for one, begun in server.triggers.items()}
        rows = {row["instance_id"]: row for row in map(json.loads, result.rows)}
        assert {one: (row["state"], row["backup_id"]) for one, row in rows.items()} == {
            one: ("started", backup_id) for one, backup_id in ids.items()
        }
        assert rows[1]["error"] == f"backup {ids[1]} (started) is no longer waited for"
        assert "2 backups still running: the wait was interrupted" in result.err
        assert "trigger: 2 succeeded (2 wait interrupted), 0 failed" in result.err
        assert f"`backupify resume {path} --wait` continues this sweep" in result.err
        assert result.code == 143
        resumed = [json.loads(row) for row in run("resume", path, "-o", "jsonl").rows]
        assert {row["instance_id"]: row["backup_id"] for row in resumed} == ids
        assert {row["run"] for row in resumed} == {"previous"}

    @pytest.mark.backupify(instances=2, backup_duration=math.inf)
    def test_by_the_wait_timeout_says_how_to_continue_waiting(
        self, server: SimulatedBackupify, run: Run, path: str
    ) -> None:
        result = run("trigger", "1", "2", "--yes", "--wait", "--wait-timeout", "0.1", "--journal", path)
        assert (result.code, started(server)) == (1, {1: 1, 2: 1})
        assert "trigger: 0 succeeded, 2 failed (2 while waiting)" in result.err
        assert f"`backupify resume {path} --wait` continues this sweep" in result.err

    @pytest.mark.backupify(instances=3)
    def test_reports_what_a_previous_run_may_have_sent(
        self, server: SimulatedBackupify, run: Run, path: str
    ) -> None:
        run("trigger", "1", "2", "--yes", "--journal", path)
        run_sql(Path(path), "UPDATE lines SET state = 'intended', backup = NULL WHERE instance_id = '2'")
        server.inject(Fault.hang(instance=2))
        asked = len(server.requests)
        with process("resume", path) as resumed:
            wait_for_requests(server, asked + 2)  # the token, and a check
            signal_twice(resumed, signal.SIGTERM)
            result = finish(resumed)
        assert "instance 2: sent by a previous run, a backup may or may not have started" in result.err
        assert "not triggered" not in result.err
        assert shown(run, path)[2] == "intended"

    @pytest.mark.backupify(instances=3, latency=0.4)
    @pytest.mark.parametrize(("which", "requests"), [(["--all"], 1 + 1 + 3), (["1", "2", "3"], 1 + 3)])
    def test_by_one_signal_after_all_were_sent_reports_none_as_not_triggered(
        self, server: SimulatedBackupify, path: str, which: list[str], requests: int
    ) -> None:
        options = ("--rate", "1000", "--concurrency", "3", "--journal", path, "-o", "jsonl")
        with process("trigger", *which, "--yes", *options) as sweeping:
            wait_for_requests(server, requests)  # the token, the instances, all triggers
            sweeping.send_signal(signal.SIGTERM)
            result = finish(sweeping)
        assert (result.code, set(states(result).values())) == (143, {"started"})
        assert "not triggered" not in result.err
