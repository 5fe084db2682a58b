import contextlib
import errno
import json
import math
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest

from backupify_async._cli import id_files
from backupify_async._cli.stopped_triggers import StoppedTriggers
from backupify_async.events import TriggerStopped
from backupify_async.models import SentTrigger, TriggerKind, TriggerResult
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import Run, started


@contextlib.contextmanager
def piped(ids: str) -> Iterator[str]:
    """The name of a pipe that holds ids."""
    reading, writing = os.pipe()
    os.write(writing, ids.encode())
    os.close(writing)
    try:
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)


class TestTrigger:
    @pytest.mark.backupify(instances=3)
    def test_one_instance_is_not_asked_about(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("trigger", "2", "-o", "jsonl")
        assert (result.code, json.loads(result.out)["state"], started(server)) == (0, "started", {2: 1})

    @pytest.mark.backupify(instances=3)
    def test_what_runs_already_is_well(self, server: SimulatedBackupify, run: Run) -> None:
        server.start_backup(2)
        result = run("trigger", "2", "-o", "jsonl")
        assert (result.code, json.loads(result.out)["state"], started(server)) == (0, "already_active", {})

    @pytest.mark.backupify(instances=3)
    def test_a_yes_on_the_command_line_is_enough(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("trigger", "--all", "--yes")
        assert (result.code, started(server)) == (0, {1: 1, 2: 1, 3: 1})
        assert "trigger: 3 succeeded (3 started), 0 failed" in result.err

    @pytest.mark.backupify(instances=3)
    def test_an_instance_that_comes_twice_is_triggered_once_and_named(
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
    def test_one_that_is_not_found_in_time_is_named(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("trigger", "2", "--timeout", "0.3", "-o", "jsonl")
        assert (result.code, started(server)) == (1, {2: 1})
        row = json.loads(result.out)
        assert row["state"] == "ambiguous"
        assert row["error"].startswith("the backup triggered at ")
        assert "instance 2: the backup triggered at " in result.err
        assert "may or may not have started" in result.err
        assert "not found out: the call took longer than --timeout 0.3 s" in result.err


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
    def test_one_that_is_not_over_in_time_is_named_as_triggered(
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
    def test_one_whose_backup_the_server_does_not_name_is_not_well(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("trigger", "2", "--wait", "-o", "jsonl")
        assert (result.code, json.loads(result.out)["state"], started(server)) == (1, "started", {2: 1})

    @pytest.mark.parametrize("output", ["table", "jsonl", "csv"])
    def test_an_end_with_an_unknown_status_is_not_a_success(
        self, server: SimulatedBackupify, run: Run, output: str
    ) -> None:
        now = datetime.now(UTC).isoformat()
        backup = {"id": 5, "status": "Frobnicated\x1b[31m", "created_at": now, "completed_at": now}
        server.inject(Fault.answer(201, body=json.dumps(backup), operation="trigger", after_acting=True))
        result = run("trigger", "2", "--wait", "-o", output)
        said = r"backup 5 ended with status 'Frobnicated\x1b[31m', which is not known to mean success"
        assert result.code == 1
        assert f"instance 2: {said}\n" in result.err
        assert "1 succeeded (1 with a backup of unknown outcome), 0 failed" in result.err
        row = json.loads(result.out) if output == "jsonl" else {}
        assert row.get("state", "unknown") == "unknown"
        assert output != "jsonl" or row["error"] == said

    def test_how_long_to_wait_needs_the_wish_to_wait(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("trigger", "2", "--wait-timeout", "5")
        assert (result.code, server.requests) == (2, [])
        assert "--wait-timeout needs --wait" in result.err


class TestNoTerminal:
    @pytest.mark.parametrize("ids", [["1", "2"], ["--all"]])
    def test_without_a_terminal_nothing_is_done(
        self, server: SimulatedBackupify, run: Run, ids: list[str]
    ) -> None:
        result = run("trigger", *ids)
        assert (result.code, server.requests) == (2, [])
        assert "add --yes, or check with --dry-run" in result.err

    def test_ids_from_stdin_prevent_the_question(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("trigger", "--ids-file", "-")
        assert (result.code, server.requests) == (2, [])
        assert "add --yes" in result.err

    def test_a_closed_stdin_is_no_terminal(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", None)
        assert run("trigger", "1", "2").code == 2


class TestIdsFile:
    @pytest.mark.backupify(instances=3)
    def test_a_bad_line_is_found_before_anything_is_triggered(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path
    ) -> None:
        file = tmp_path / "ids.txt"
        file.write_text("1\n2\n..\n")
        result = run("trigger", "--yes", "--ids-file", str(file))
        assert (result.code, started(server)) == (2, {})
        assert f"{file}, line 3: " in result.err

    @pytest.mark.parametrize("content", ["", "# none\n\n"])
    def test_one_without_ids_is_no_sweep_that_went_well(
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
    def test_a_bad_line_is_found_before_anything_is_done(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path, options: tuple[str, ...]
    ) -> None:
        journal = [str(tmp_path / "sweep.sqlite")] if "--journal" in options else []
        with piped("1\n2\n..\n") as name:
            result = run("trigger", "--ids-file", name, *options, *journal)
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith(f"backupify: {name}, line 3: ")
        assert [record.operation for record in server.requests] == ["token"]
        assert list(tmp_path.iterdir()) == []

    def test_a_bad_line_is_found_where_the_journal_is_there_already(
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
    def test_all_of_them_are_done(
        self, server: SimulatedBackupify, run: Run, options: tuple[str, ...]
    ) -> None:
        with piped("1\n# two\n3\n") as name:
            result = run("trigger", "--ids-file", name, "-o", "csv", "--ordered", *options)
        assert (result.code, [row.split(",")[0] for row in result.rows[1:]]) == (0, ["1", "3"])

    def test_an_error_of_copying_is_explained(
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
    def test_no_journal_is_made(self, server: SimulatedBackupify, run: Run, tmp_path: Path) -> None:
        result = run("trigger", "--all", "--yes", "--journal", str(tmp_path / "sweep.sqlite"))
        said = "backupify: --all: the server lists no instances for these credentials\n"
        assert (result.code, result.err, list(tmp_path.iterdir())) == (1, said, [])

    @pytest.mark.backupify(instances=2)
    def test_a_sweep_that_was_begun_goes_on(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path
    ) -> None:
        command = ("trigger", "--all", "--yes", "--journal", str(tmp_path / "sweep.sqlite"), "-o", "csv")
        server.inject(Fault.answer(403, operation="trigger", instance=2))
        assert run(*command).code == 1
        server.clear_faults()
        server.inject(Fault.answer(200, operation="list_instances", body="[]"))
        assert (run(*command).code, started(server)) == (0, {1: 1, 2: 1})


class TestDryRun:
    def test_a_bad_line_is_found_before_the_first_call(
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


class TestStoppedTriggers:
    WHEN = datetime(2026, 1, 2, tzinfo=UTC)
    UNKNOWN = "instance 7: interrupted, a backup may or may not have started"

    def after(self, in_doubt: SentTrigger | None) -> StoppedTriggers:
        stopped = StoppedTriggers()
        stopped(TriggerStopped(7, in_doubt))
        return stopped

    def test_one_in_doubt_may_have_started_and_the_others_were_not_triggered(self) -> None:
        stopped = self.after(SentTrigger(7, self.WHEN))
        assert stopped.known_result(7) is None
        assert stopped.interrupted_messages([7, "a b", 9], "the 3 ids after 9 in x") == [
            self.UNKNOWN,
            "not triggered: instances a b, 9, and the 3 ids after 9 in x",
        ]

    def test_one_that_surely_did_nothing_was_not_triggered(self) -> None:
        assert self.after(None).interrupted_messages([7], None) == ["not triggered: instance 7"]

    def test_one_that_was_accepted_is_known(self) -> None:
        stopped = self.after(SentTrigger(7, self.WHEN, accepted=True))
        assert stopped.known_result(7) == TriggerResult(TriggerKind.STARTED, None)
        assert stopped.interrupted_messages([7], None) == [
            "instance 7: started; the check of its backup was interrupted"
        ]

    @pytest.mark.parametrize("accepted", [False, True])
    def test_one_of_a_previous_run_may_have_until_it_is_reconciled(self, accepted: bool) -> None:
        recorded = SentTrigger(7, self.WHEN, accepted=accepted)
        stopped = StoppedTriggers()
        stopped.add_recorded([recorded])
        said = "instance 7: sent by a previous run, a backup may or may not have started"
        assert (stopped.known_result(7), stopped.interrupted_messages([7, 8], None)) == (
            None,
            [said, "not triggered: instance 8"],
        )
        stopped(TriggerStopped(7, recorded))
        assert (stopped.known_result(7), stopped.interrupted_messages([7], None)) == (None, [said])
        stopped(TriggerStopped(7, SentTrigger(7, self.WHEN + timedelta(seconds=30))))
        assert stopped.interrupted_messages([7], None) == [self.UNKNOWN]
        stopped(TriggerStopped(7, None))
        assert stopped.interrupted_messages([7], None) == ["not triggered: instance 7"]

    def test_where_nothing_was_cut_off_the_rest_is_named_alone(self) -> None:
        assert StoppedTriggers().interrupted_messages([], "any ids in stdin") == [
            "not triggered: any ids in stdin"
        ]
        assert StoppedTriggers().interrupted_messages([], None) == []
