"""At a terminal: the confirmation, the progress line, the width and the colours."""

import math
import os
from pathlib import Path

import pytest

from backupify_async._cli.terminal import columns_of
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import Run
from tests.support.processes import Terminal

pytestmark = pytest.mark.slow


class TestConfirmation:
    @pytest.mark.backupify(instances=3)
    def test_a_yes_triggers(self, server: SimulatedBackupify) -> None:
        with Terminal(("trigger", "1", "3", "-o", "csv")) as terminal:
            terminal.expect("Trigger a backup of 2 instances? [y/N] ")
            assert not server.triggers
            terminal.type("Yes\n")
            assert terminal.end() == 0
        assert set(server.triggers) == {1, 3}

    @pytest.mark.backupify(instances=3)
    @pytest.mark.parametrize("typed", ["\n", "yep\n", "\x04"])
    def test_any_other_input_triggers_nothing(self, server: SimulatedBackupify, typed: str) -> None:
        with Terminal(("trigger", "1", "3")) as terminal:
            terminal.expect("[y/N] ")
            terminal.type(typed)
            assert terminal.end() == 2
        assert "not confirmed: no backup was triggered" in terminal.seen
        assert [record.operation for record in server.requests] == ["token"]

    @pytest.mark.backupify(instances=123)
    def test_all_instances_are_counted_for_it(self, server: SimulatedBackupify) -> None:
        with Terminal(("trigger", "--all")) as terminal:
            terminal.expect("Trigger a backup of all 123 instances? [y/N] ")
            terminal.type("n\n")
            assert terminal.end() == 2

    @pytest.mark.backupify(instances=123, faults=[Fault.answer(403, operation="list_instances")])
    def test_instances_that_cannot_be_counted_are_not_triggered(self, server: SimulatedBackupify) -> None:
        with Terminal(("trigger", "--all")) as terminal:
            assert terminal.end() == 1
        assert "the instances cannot be listed: " in terminal.seen

    @pytest.mark.backupify(instances=3)
    def test_a_file_with_one_id_needs_none(self, server: SimulatedBackupify, tmp_path: Path) -> None:
        file = tmp_path / "ids.txt"
        file.write_text("# only\n2\n")
        with Terminal(("trigger", "--ids-file", str(file))) as terminal:
            assert terminal.end() == 0
        assert set(server.triggers) == {2}

    @pytest.mark.backupify(instances=3)
    def test_ctrl_c_at_the_question_triggers_nothing(self, server: SimulatedBackupify) -> None:
        with Terminal(("trigger", "1", "2")) as terminal:
            terminal.expect("[y/N] ")
            terminal.process.send_signal(2)
            assert terminal.end() == 130
        assert not server.triggers

    @pytest.mark.backupify(instances=3)
    def test_a_non_blocking_terminal_is_waited_for(self, server: SimulatedBackupify) -> None:
        with Terminal(("trigger", "1", "3", "-o", "csv"), blocking=False) as terminal:
            terminal.expect("[y/N] ")
            terminal.type("y\n")
            assert terminal.end() == 0
        assert set(server.triggers) == {1, 3}


class TestProgress:
    @pytest.mark.backupify(instances=30, latency=0.05)
    def test_rows_on_the_same_terminal_stay_whole(self, server: SimulatedBackupify) -> None:
        with Terminal(("active", "--all", "--rate", "500", "--concurrency", "4")) as terminal:
            assert terminal.end() == 0
        assert " of 30, " in terminal.seen
        lines = [line.rpartition("\x1b[2K")[2] for line in terminal.seen.split("\r\n")]
        rows = [line for line in lines if "idle" in line and "succeeded" not in line]
        assert len(rows) == 30
        assert all(row.split()[1].startswith("\x1b[2midle") for row in rows)

    @pytest.mark.backupify(instances=3, faults=[Fault.hang(operation="get_active", instance=3)])
    def test_rows_in_a_pipe_contain_no_progress(self, server: SimulatedBackupify) -> None:
        reader, writer = os.pipe()
        with Terminal(("active", "1", "2", "3", "-o", "csv"), stdout=writer) as terminal:
            os.close(writer)
            terminal.expect("] 2 of 3, ")
            terminal.process.send_signal(15)
            assert terminal.end() == 143
        with os.fdopen(reader) as rows:
            assert [row.split(",")[0] for row in rows] == ["instance_id", "1", "2"]

    @pytest.mark.backupify(instances=3, faults=[Fault.hang(operation="get_active", instance=3)])
    def test_it_never_exceeds_a_line(self, server: SimulatedBackupify) -> None:
        with Terminal(("active", "3"), columns=30) as terminal:
            terminal.expect("active [.")
            terminal.process.send_signal(15)
            assert terminal.end() == 143
        drawn = [piece.partition("\r")[0] for piece in terminal.seen.split("\x1b[2K")[1:]]
        assert max(map(len, drawn)) <= 30

    @pytest.mark.backupify(
        instances=3,
        backup_duration=math.inf,
        faults=[Fault.lose_response(after_acting=False, operation="trigger", instance=3)],
    )
    def test_it_counts_triggers_being_reconciled_and_backups_waited_for(
        self, server: SimulatedBackupify
    ) -> None:
        with Terminal(("trigger", "1", "2", "3", "--yes", "--wait")) as terminal:
            terminal.expect("reconciling 1, waiting for 2")
            terminal.process.send_signal(15)
            terminal.expect("no more backups are triggered")
            terminal.process.send_signal(15)
            assert terminal.end() == 143

    @pytest.mark.backupify(instances=3)
    @pytest.mark.parametrize(
        ("arguments", "environment"), [(("--quiet",), {}), ((), {"TERM": "dumb", "NO_COLOR": "1"})]
    )
    def test_it_can_be_turned_off(
        self, server: SimulatedBackupify, arguments: tuple[str, ...], environment: dict[str, str]
    ) -> None:
        with Terminal(("active", "1", "2", *arguments), environment=environment) as terminal:
            assert terminal.end() == 0
        assert "calls/s" not in terminal.seen

    @pytest.mark.backupify(instances=3, latency=0.4)
    def test_verbose_shows_the_limit(self, server: SimulatedBackupify) -> None:
        with Terminal(("active", "1", "2", "--verbose")) as terminal:
            assert terminal.end() == 0
        assert "calls/s, not limited, " in terminal.seen
        assert " retried; server's limit unknown; " in terminal.seen

    @pytest.mark.backupify(instances=3, latency=0.4)
    def test_a_terminal_of_unknown_width_has_eighty_columns(self, server: SimulatedBackupify) -> None:
        with Terminal(("active", "1"), columns=0) as terminal:
            assert terminal.end() == 0
        assert "[####################] 1 of 1" in terminal.seen or "] 0 of 1" in terminal.seen


class TestWidth:
    @pytest.mark.parametrize("columns", ["0", "1", "2", "5", "19"])
    @pytest.mark.parametrize("command", [(), ("trigger",), ("journal",)])
    def test_the_help_of_a_narrow_terminal_is_that_of_twenty_columns(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, columns: str, command: tuple[str, ...]
    ) -> None:
        monkeypatch.setenv("COLUMNS", "80" if columns == "0" else "20")
        expected = run(*command, "--help")
        monkeypatch.setenv("COLUMNS", columns)
        assert run(*command, "--help") == expected

    @pytest.mark.parametrize("columns", [0, 1, 2, 5, 19])
    def test_a_narrow_terminal_shows_the_help(self, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
        monkeypatch.delenv("COLUMNS")
        with Terminal(("active", "--help"), columns=columns) as terminal:
            assert terminal.end() == 0
        assert "--concurrency" in terminal.seen

    @pytest.mark.backupify(instances=3)
    @pytest.mark.parametrize(
        ("columns", "expected"),
        [
            ("80", ["instance_id", "state", "backup_id", "status", "started_at"]),
            ("1", ["instance_id", "state", "backup_id", "started_at"]),
        ],
    )
    def test_a_table_through_a_pipe_obeys_columns(
        self,
        server: SimulatedBackupify,
        run: Run,
        monkeypatch: pytest.MonkeyPatch,
        columns: str,
        expected: list[str],
    ) -> None:
        monkeypatch.setenv("COLUMNS", columns)  # as `watch` does
        assert run("active", "1").rows[0].split() == expected

    @pytest.mark.parametrize(
        ("text", "columns"),
        [("", None), ("0", None), ("²", None), ("-5", None), ("19", 20), ("9" * 50, 1000)],
    )
    def test_the_variable_columns_is_read(
        self, monkeypatch: pytest.MonkeyPatch, text: str, columns: int | None
    ) -> None:
        monkeypatch.setenv("COLUMNS", text)
        assert columns_of(None) == columns


class TestDumbTerminal:
    @pytest.mark.backupify(instances=3, latency=0.3)
    @pytest.mark.parametrize("name", ["dumb", "unknown", ""])
    def test_it_gets_plain_text(self, server: SimulatedBackupify, name: str) -> None:
        with Terminal(("active", "1", "2"), environment={"TERM": name}) as terminal:
            assert terminal.end() == 0
        assert "\x1b" not in terminal.seen
        assert "idle" in terminal.seen

    @pytest.mark.parametrize("name", ["dumb", ""])
    def test_its_help_is_plain_text(self, name: str) -> None:
        with Terminal(("--help",), environment={"TERM": name}) as terminal:
            assert terminal.end() == 0
        assert "\x1b" not in terminal.seen

    @pytest.mark.backupify(instances=3)
    @pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
    def test_an_empty_no_color_has_no_effect(
        self, server: SimulatedBackupify, no_color: str, coloured: bool
    ) -> None:
        with Terminal(("active", "1", "-q"), environment={"NO_COLOR": no_color}) as terminal:
            assert terminal.end() == 0
        assert ("\x1b[2midle" in terminal.seen) is coloured
