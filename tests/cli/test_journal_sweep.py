"""`trigger --journal`, `resume` and `journal show`, through the real entry point."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from backupify_async._cli.commands.journal import STATES
from backupify_async._cli.exit_codes import Exit
from backupify_async._cli.id_sources import AllIds, ArgumentIds, FileIds
from backupify_async._cli.journal_sweep import remaining_source, sweep_name
from backupify_async._cli.options import RowOptions
from backupify_async._journal.entries import EntryState, SweepInfo
from backupify_async.config import RateLimit, Reconciliation, SettingsOptions
from backupify_async.testing import Fault, SimulatedBackupify
from tests.journal.examples import WHEN
from tests.support.commands import Run, forget, shown, signal_twice, started, states, wait_for_requests
from tests.support.files import files_no_larger_than, run_sql
from tests.support.processes import COMMAND, Result, finish, process

pytestmark = pytest.mark.slow


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "sweep.sqlite")


def runs(result: Result) -> list[str]:
    """Which run of the sweep did what each row tells."""
    return [row["run"] for row in map(json.loads, result.rows)]


class TestTriggerWithAJournal:
    @pytest.mark.backupify(instances=3)
    def test_writes_down_each_instance(self, server: SimulatedBackupify, run: Run, path: str) -> None:
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
    def test_tries_again_what_failed(self, server: SimulatedBackupify, run: Run, path: str) -> None:
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
    def test_takes_ids_of_any_kind(
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
    def test_stops_where_the_disk_fills_up_and_goes_on_when_there_is_room(
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
    def test_may_come_by_a_named_pipe(
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
    def test_are_not_read_anew_by_the_same_command(
        self, server: SimulatedBackupify, run: Run, path: str
    ) -> None:
        self.trigger("1\n2\n", path)
        again = self.trigger("", path)
        assert again.returncode == 0
        assert f"the ids of this sweep are in {path}.ids already: stdin is not read" in again.stderr
        assert started(server) == {1: 1, 2: 1}

    @pytest.mark.backupify(instances=9)
    def test_of_an_older_sweep_are_not_taken_for_those_of_a_new_journal(
        self, server: SimulatedBackupify, run: Run, path: str
    ) -> None:
        self.trigger("1\n2\n", path)
        Path(path).unlink()
        for _ in range(2):  # a refusal does not make them this sweep's
            refused = self.trigger("7\n8\n9\n", path)
            assert (refused.returncode, refused.stdout, started(server)) == (2, "", {1: 1, 2: 1})
            assert f"{path}.ids exists already, but {path} is empty" in refused.stderr
            assert f"`backupify resume {path}` begins with these ids" in refused.stderr
        Path(f"{path}.ids").unlink()
        assert self.trigger("7\n8\n9\n", path).returncode == 0
        assert shown(run, path) == dict.fromkeys((7, 8, 9), "started")

    @pytest.mark.backupify(instances=3)
    def test_of_a_sweep_that_broke_off_before_it_began_are_resumed(
        self, server: SimulatedBackupify, run: Run, path: str
    ) -> None:
        self.trigger("1\n2\n", path)
        forget(path, 1, 2)
        assert self.trigger("1\n2\n", path).returncode == 2
        assert run("resume", path).code == 0
        assert set(shown(run, path)) == {1, 2}


class TestResume:
    @pytest.mark.backupify(instances=4)
    @pytest.mark.parametrize("source", ["--all", "--ids-file", "ids"])
    def test_continues_after_the_ids_that_it_knows(
        self, server: SimulatedBackupify, run: Run, path: str, tmp_path: Path, source: str
    ) -> None:
        file = tmp_path / "ids of tonight.txt"
        file.write_text("1\n2\n3\n4\n")
        which = {"--all": ["--all"], "--ids-file": ["--ids-file", str(file)], "ids": ["1", "2", "3", "4"]}
        run("trigger", *which[source], "--yes", "--journal", path)
        forget(path, 3, 4)
        result = run("resume", path, "--ordered", "-o", "jsonl")
        assert result.code == 0
        assert list(states(result).items()) == [
            *((1, "started"), (2, "started")),
            *((3, "already_active"), (4, "already_active")),
        ]

    @pytest.mark.backupify(instances=3)
    def test_reads_nothing_where_all_ids_are_known(
        self, server: SimulatedBackupify, run: Run, path: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "ids.txt"
        file.write_text("1\n2\n")
        run("trigger", "--ids-file", str(file), "--yes", "--journal", path)
        file.unlink()
        result = run("resume", path)
        assert (result.code, "was done already: no backup was triggered" in result.err) == (0, True)

    @pytest.mark.backupify(instances=2)
    def test_finds_its_files_from_the_directory_that_it_is_run_in(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("ids.txt").write_text("1\n2\n")
        assert run("trigger", "--ids-file", "ids.txt", "--yes", "--journal", "sweep.sqlite").code == 0
        forget("sweep.sqlite", 2)
        monkeypatch.chdir("/")
        assert run("resume", f"{tmp_path}/sweep.sqlite").code == 0
        monkeypatch.chdir(tmp_path)
        assert shown(run, "sweep.sqlite") == {1: "started", 2: "already_active"}

    def test_without_a_journal_makes_none(self, server: SimulatedBackupify, run: Run, path: str) -> None:
        result = run("resume", path)
        assert (result.code, Path(path).exists(), server.requests) == (2, False, [])
        assert f"there is no journal {path}: `backupify trigger --journal` creates one" in result.err


class TestJournalShow:
    @pytest.mark.backupify(instances=3, faults=[Fault.answer(403, operation="trigger", instance=2)])
    def test_counts_for_people(self, server: SimulatedBackupify, run: Run, path: str) -> None:
        run("trigger", "--all", "--yes", "--journal", path)
        result = run("journal", "show", path)
        assert [line.split() for line in result.rows] == [
            ["state", "instances"],
            ["started", "2"],
            ["failed", "1"],
        ]
        assert f"--all; client demo at {server.base_url}; begun 2" in result.err
        assert result.err.endswith("; all ids read\n")

    @pytest.mark.backupify(instances=3, faults=[Fault.answer(403, operation="trigger", instance=2)])
    def test_lists_for_programs(self, server: SimulatedBackupify, run: Run, path: str) -> None:
        run("trigger", "1", "2", "--yes", "--journal", path)
        lines = [json.loads(row) for row in run("journal", "show", path, "-o", "jsonl").rows]
        assert [(line["instance_id"], line["state"]) for line in lines] == [(1, "started"), (2, "failed")]
        assert lines[0]["backup_id"] == server.triggers[1][0].id
        assert "answered 403" in lines[1]["error"]
        header, *rows = run("journal", "show", path, "-o", "csv").rows
        assert (header.split(",")[:3], len(rows)) == (["instance_id", "state", "backup_id"], 2)

    def test_lists_any_number(self, run: Run, path: str, server: SimulatedBackupify) -> None:
        run("trigger", "1", "--journal", path)
        row = "instance_id || 'x' || value, 0, 'read', NULL, NULL, NULL, '', NULL"
        more = "SELECT 2 UNION ALL SELECT value + 1 FROM n WHERE value < 1200"
        numbers = f"(WITH RECURSIVE n(value) AS ({more}) SELECT value FROM n)"
        run_sql(Path(path), f"INSERT INTO lines SELECT value, {row} FROM lines, {numbers}")
        assert len(run("journal", "show", path, "-o", "csv").rows) == 1 + 1200

    @pytest.mark.parametrize(
        "command",
        [("journal", "show"), ("resume",), ("trigger", "1", "--journal")],
        ids=lambda words: words[0],
    )
    def test_explains_an_invalid_file_name_as_every_command_does(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path, command: tuple[str, ...]
    ) -> None:
        empty = run(*command, "")
        assert (empty.code, "Must be a file name" in empty.err) == (2, True)
        directory = run(*command, str(tmp_path))
        assert directory.err.splitlines()[-1].endswith(f"{tmp_path} is a directory: choose a file")
        assert (directory.code, list(tmp_path.iterdir()), started(server)) == (2, [], {})

    def test_of_another_file_reports_that_it_is_not_a_journal(self, run: Run, tmp_path: Path) -> None:
        file = tmp_path / "notes.txt"
        file.write_text("42\n" * 500)
        result = run("journal", "show", str(file))
        said = f"{file} is not a journal: choose another file (file is not a database)"
        assert (result.code, result.err) == (2, f"backupify: {said}\n")


def test_every_state_is_explained() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    rows = [line for line in readme.splitlines() if line.startswith("| `")]
    states = [state.value for state in EntryState]
    assert [state for state in states if not any(f"`{state}`" in row.split("|")[1] for row in rows)] == []
    assert [state for state in states if f"\n  {state} " not in STATES] == []


class TestTheNameOfASweep:
    @pytest.mark.parametrize("ids", [AllIds(), ArgumentIds((42, "007", "a b", -5)), ArgumentIds(("--all",))])
    def test_leads_back_to_its_ids(self, ids: AllIds | ArgumentIds) -> None:
        assert remaining_source(SweepInfo(sweep_name(ids), WHEN), Path("x")) == ids

    def test_leads_back_to_its_file_from_anywhere(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "my ids.txt").touch()
        monkeypatch.chdir(tmp_path)
        name = sweep_name(FileIds("my ids.txt", rereadable=True))
        monkeypatch.chdir("/")
        found = remaining_source(SweepInfo(name, WHEN), Path("x"))
        assert found == FileIds(str(tmp_path / "my ids.txt"), rereadable=True)

    @pytest.mark.parametrize("name", ["", "nightly", "'"])
    def test_of_a_program_leads_nowhere(self, name: str) -> None:
        with pytest.raises(Exit, match="was not begun by `backupify trigger`"):
            remaining_source(SweepInfo(name, WHEN), Path("x"))

    def test_of_a_program_is_not_needed_where_all_ids_are_known(self) -> None:
        assert remaining_source(SweepInfo("nightly", WHEN, read_to_end=True), Path("x")) == ArgumentIds(())

    def test_must_be_printable(self) -> None:
        with pytest.raises(Exit, match="printable name"):
            sweep_name(FileIds("\udcff.txt", rereadable=True))


class TestKill:
    @pytest.mark.backupify(instances=60, backups=1, date_header=True, backup_duration=0.001, latency=0.05)
    def test_at_an_instant_of_a_sweep_leaves_a_journal_to_go_on_with(
        self, server: SimulatedBackupify, run: Run, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with process("trigger", "--all", "--yes", "--journal", path, "--rate", "100") as sweeping:
            wait_for_requests(server, 20)
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
    def test_while_it_waits_leaves_backups_that_a_resumed_sweep_waits_for(
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
            wait_for_requests(server, 5)  # the token, twice the instances, two triggers
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
    def test_by_a_signal_while_it_waits_names_the_backups_that_go_on(
        self, server: SimulatedBackupify, run: Run, path: str
    ) -> None:
        with process("trigger", "1", "2", "--yes", "--wait", "--journal", path, "-o", "jsonl") as sweeping:
            wait_for_requests(server, 3)  # the token, two triggers, which are followed to their end
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
            wait_for_requests(server, asked + 2)  # the token, and a look
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


def at_once(options: RowOptions, concurrency: int = 1) -> SettingsOptions:
    """Settings of a command that does not give a server, which acts at once, half a minute to act late."""
    return SettingsOptions(
        rate_limit=RateLimit(None),
        reconciliation=Reconciliation(settling=0.5),
        max_concurrency=max(64, concurrency),
    )
