"""`journal show`: the states of a sweep, counted for people and listed for programs."""

import json
from pathlib import Path

import pytest

from backupify_async._cli.commands.journal import STATES
from backupify_async._journal.entries import EntryState
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import Run, started
from tests.support.files import run_sql

pytestmark = pytest.mark.slow


class TestJournalShow:
    @pytest.mark.backupify(instances=3, faults=[Fault.answer(403, operation="trigger", instance=2)])
    def test_counts_states_in_a_table(self, server: SimulatedBackupify, run: Run, path: str) -> None:
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
    def test_lists_instances_for_programs(self, server: SimulatedBackupify, run: Run, path: str) -> None:
        run("trigger", "1", "2", "--yes", "--journal", path)
        lines = [json.loads(row) for row in run("journal", "show", path, "-o", "jsonl").rows]
        assert [(line["instance_id"], line["state"]) for line in lines] == [(1, "started"), (2, "failed")]
        assert lines[0]["backup_id"] == server.triggers[1][0].id
        assert "answered 403" in lines[1]["error"]
        header, *rows = run("journal", "show", path, "-o", "csv").rows
        assert (header.split(",")[:3], len(rows)) == (["instance_id", "state", "backup_id"], 2)

    def test_lists_any_number_of_instances(self, run: Run, path: str, server: SimulatedBackupify) -> None:
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
    def test_explains_an_invalid_file_name_as_the_other_commands_do(
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
        message = f"{file} is not a journal: choose another file (file is not a database)"
        assert (result.code, result.err) == (2, f"backupify: {message}\n")


def test_every_state_is_explained_in_readme_and_help() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    rows = [line for line in readme.splitlines() if line.startswith("| `")]
    states = [state.value for state in EntryState]
    assert [state for state in states if not any(f"`{state}`" in row.split("|")[1] for row in rows)] == []
    assert [state for state in states if f"\n  {state} " not in STATES] == []
