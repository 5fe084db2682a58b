"""`trigger --journal`: what is recorded, and which journals are refused."""

import json
import sys
from pathlib import Path

import pytest

from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import Run, shown, started, states
from tests.support.files import files_no_larger_than, run_sql
from tests.support.processes import Result

pytestmark = pytest.mark.slow


def runs(result: Result) -> list[str]:
    """The run of the sweep that each row belongs to."""
    return [row["run"] for row in map(json.loads, result.rows)]


class TestTriggerWithAJournal:
    @pytest.mark.backupify(instances=3)
    def test_records_each_instance(self, server: SimulatedBackupify, run: Run, path: str) -> None:
        result = run("trigger", "--all", "--yes", "--journal", path, "-o", "jsonl")
        assert (result.code, started(server)) == (0, {1: 1, 2: 1, 3: 1})
        assert shown(run, path) == states(result) == dict.fromkeys((1, 2, 3), "started")
        assert "resume" not in result.err

    @pytest.mark.backupify(instances=3)
    def test_still_needs_confirmation(self, server: SimulatedBackupify, run: Run, path: str) -> None:
        result = run("trigger", "--all", "--journal", path)
        assert (result.code, Path(path).exists()) == (2, False)

    @pytest.mark.backupify(instances=3)
    def test_reports_a_sweep_that_is_done_already(
        self, server: SimulatedBackupify, run: Run, path: str
    ) -> None:
        first = run("trigger", "--all", "--yes", "--journal", path, "-o", "jsonl")
        again = run("trigger", "--all", "--yes", "--journal", path, "-o", "jsonl")
        assert (again.code, states(again)) == (0, states(first))
        assert (runs(first), runs(again)) == ([*["this"] * 3], [*["previous"] * 3])
        assert f"{path} was done already: no backup was triggered; a new sweep needs a new file" in again.err
        assert "trigger: 3 succeeded (3 started in a previous run), 0 failed" in again.err
        assert started(server) == {1: 1, 2: 1, 3: 1}

    @pytest.mark.backupify(instances=3, faults=[Fault.answer(403, operation="trigger", instance=2, first=1)])
    def test_triggers_failed_instances_again(self, server: SimulatedBackupify, run: Run, path: str) -> None:
        first = run("trigger", "--all", "--yes", "--journal", path)
        assert first.code == 1
        assert f"`backupify resume {path}` continues this sweep" in first.err
        assert shown(run, path) == {1: "started", 2: "failed", 3: "started"}
        again = run("trigger", "--all", "--yes", "--journal", path, "--ordered", "-o", "jsonl")
        assert (again.code, started(server)) == (0, {1: 1, 2: 1, 3: 1})
        assert runs(again) == ["previous", "this", "previous"]
        assert "trigger: 3 succeeded (1 started, 2 started in a previous run), 0 failed" in again.err

    @pytest.mark.backupify(instances=5)
    @pytest.mark.parametrize("ids", [("5", "007", "a b"), ("-5",)])
    def test_records_ids_of_any_kind(
        self, server: SimulatedBackupify, run: Run, path: str, ids: tuple[str, ...]
    ) -> None:
        run("trigger", "--yes", "--journal", path, "--", *ids)
        assert [str(instance_id) for instance_id in shown(run, path)] == list(ids)

    @pytest.mark.backupify(instances=3)
    def test_refuses_the_journal_of_another_sweep(
        self, server: SimulatedBackupify, run: Run, path: str
    ) -> None:
        run("trigger", "1", "2", "--yes", "--journal", path)
        result = run("trigger", "--all", "--yes", "--journal", path)
        assert (result.code, result.out, started(server)) == (2, "", {1: 1, 2: 1})
        assert f"{path} is the journal of another sweep (-- 1 2, and not --all)" in result.err

    @pytest.mark.backupify(instances=3)
    def test_refuses_the_journal_of_another_account(
        self, server: SimulatedBackupify, run: Run, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run("trigger", "1", "--journal", path)
        run_sql(Path(path), "UPDATE sweep SET client_id = 'prod'")
        result = run("trigger", "1", "--journal", path)
        assert (result.code, result.rows[1:], started(server)) == (2, [], {1: 1})
        assert f"is the journal of another account (client prod at {server.base_url}, and not" in result.err
        assert "use its credentials, or begin a new sweep with a new file" in result.err
        assert "resume" not in result.err
        assert "done already" not in result.err

    def test_refuses_a_full_disk_before_anything_is_triggered(
        self, server: SimulatedBackupify, run: Run, path: str
    ) -> None:
        with files_no_larger_than(2_048):
            result = run("trigger", "1", "--journal", path)
        assert (result.code, started(server)) == (2, {})
        assert "check the disk" in result.err

    @pytest.mark.backupify(instances=200)
    def test_stops_when_the_disk_is_full_and_continues_when_there_is_room(
        self, server: SimulatedBackupify, run: Run, path: str
    ) -> None:
        with files_no_larger_than(150_000):
            result = run("trigger", "--all", "--yes", "--journal", path, "--rate", "1000")
        assert result.code == 1
        assert "stopped early: " in result.err
        assert f"not begun: the remaining ids of {path}" in result.err
        assert 0 < len(started(server)) < 200
        assert run("resume", path, "--rate", "1000").code == 0
        assert started(server) == dict.fromkeys(range(1, 201), 1)

    def test_without_the_extra_says_how_to_install_it(
        self, server: SimulatedBackupify, run: Run, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "aiosqlite", None)
        for arguments in [("trigger", "1", "--journal", path), ("resume", path), ("journal", "show", path)]:
            result = run(*arguments)
            assert (result.code, "pip install '.[journal]' in the checkout" in result.err) == (2, True)

    @pytest.mark.backupify(instances=3, client_secret="s3cr3t-of-the-operator")
    @pytest.mark.parametrize("variable", ["BACKUPIFY_TOKEN", "BACKUPIFY_CLIENT_SECRET"])
    def test_holds_no_secret(
        self, server: SimulatedBackupify, run: Run, path: str, variable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secret = server.issue_token() if variable == "BACKUPIFY_TOKEN" else "s3cr3t-of-the-operator"
        if variable == "BACKUPIFY_TOKEN":
            monkeypatch.delenv("BACKUPIFY_CLIENT_ID")
            monkeypatch.delenv("BACKUPIFY_CLIENT_SECRET")
        monkeypatch.setenv(variable, secret)
        server.inject(Fault.answer(403, operation="trigger", instance=2))
        run("trigger", "1", "2", "3", "--yes", "--journal", path)
        assert set(shown(run, path).values()) == {"started", "failed"}
        files = [file for file in Path(path).parent.iterdir() if secret.encode() in file.read_bytes()]
        assert files == []
