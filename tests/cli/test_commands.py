"""`backupify list`, `active`, `latest` and `instances`: their rows, and `-o json` of all commands."""

import csv
import io
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import Run

BACKUP_COLUMNS = [
    "instance_id",
    "state",
    "backup_id",
    "status",
    "created_at",
    "started_at",
    "completed_at",
    "updated_at",
    "error",
]


class TestList:
    @pytest.mark.backupify(instances=3, backups=4)
    def test_each_backup_has_a_row(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("list", "1", "3", "--output", "csv", "--ordered")
        table = list(csv.DictReader(io.StringIO(result.out)))
        assert (result.code, [row["instance_id"] for row in table]) == (0, ["1"] * 4 + ["3"] * 4)

    @pytest.mark.backupify(instances=3, backups=25)
    def test_a_limit_applies_to_each_instance(self, server: SimulatedBackupify, run: Run) -> None:
        rows = run("list", "1", "2", "--limit", "22", "-o", "jsonl").rows
        assert len(rows) == 44

    @pytest.mark.backupify(instances=3, backups=25)
    def test_the_newest_of_each_instance_come_first(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("list", "1", "2", "--newest", "7", "--ordered", "-o", "jsonl")
        found = [(row["instance_id"], row["backup_id"]) for row in map(json.loads, result.rows)]
        every = [json.loads(row)["backup_id"] for row in run("list", "1", "-o", "jsonl").rows]
        assert [backup for instance, backup in found if instance == 1] == every[:-8:-1]
        assert [instance for instance, _ in found] == [1] * 7 + [2] * 7

    @pytest.mark.backupify(instances=1, backups=0)
    def test_csv_has_a_header_even_without_rows(self, server: SimulatedBackupify, run: Run) -> None:
        assert run("list", "1", "-o", "csv").rows == [",".join(BACKUP_COLUMNS)]

    @pytest.mark.backupify(instances=2, backups=3)
    def test_the_summary_counts_backups(self, server: SimulatedBackupify, run: Run) -> None:
        assert "list: 2 succeeded (6 backups), 0 failed; 3 requests" in run("list", "1", "2").err


class TestActive:
    @pytest.mark.backupify(instances=2)
    def test_idle_instances_have_a_row_too(self, server: SimulatedBackupify, run: Run) -> None:
        server.start_backup(2)
        rows = [json.loads(row) for row in run("active", "1", "2", "--ordered", "-o", "jsonl").rows]
        assert [(row["instance_id"], row["state"], row["status"]) for row in rows] == [
            (1, "idle", None),
            (2, "active", "running"),
        ]

    @pytest.mark.backupify(instances=45)
    def test_all_reads_all_pages_of_instances(self, server: SimulatedBackupify, run: Run) -> None:
        rows = run("active", "--all", "--ordered", "--rate", "1000", "-o", "csv").rows
        assert [row.split(",")[0] for row in rows[1:]] == [str(one) for one in server.instance_ids]

    @pytest.mark.backupify(instances=2)
    def test_options_can_stand_before_and_after_ids(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("active", "--rate", "100", "1", "--output=csv", "2", "--quiet")
        assert (result.code, len(result.rows), result.err) == (0, 3, "")

    @pytest.mark.backupify(instances=1)
    def test_an_argument_after_two_hyphens_is_an_id(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("active", "--", "--all")
        assert (result.code, server.requests[1].path) == (1, "/v1/backup_instances/--all/backups/active")


class TestLatest:
    @pytest.mark.backupify(instances=1, backups=30)
    def test_the_state_is_the_status_of_the_newest_backup(self, server: SimulatedBackupify, run: Run) -> None:
        row = json.loads(run("latest", "1", "-o", "jsonl").out)
        assert (row["state"], row["status"], row["backup_id"]) == ("completed", "completed", 37)

    @pytest.mark.backupify(instances=1, backups=0)
    def test_the_state_without_backups_is_none(self, server: SimulatedBackupify, run: Run) -> None:
        assert json.loads(run("latest", "1", "-o", "jsonl").out)["state"] == "none"

    @pytest.mark.backupify(
        instances=1,
        backups=1,
        faults=[Fault.garbage('[{"id": "b-1", "bytes": 7}]', operation="list_backups")],
    )
    def test_unknown_fields_are_in_extra(self, server: SimulatedBackupify, run: Run) -> None:
        row = json.loads(run("latest", "1", "-o", "jsonl").out)
        assert (row["state"], row["backup_id"], row["extra"]) == ("unknown", "b-1", {"bytes": 7})

    @pytest.mark.backupify(instances=1, backups=1)
    def test_dates_have_an_offset(self, server: SimulatedBackupify, run: Run) -> None:
        created = datetime.fromisoformat(json.loads(run("latest", "1", "-o", "jsonl").out)["created_at"])
        assert created.utcoffset() == timedelta(0)


class TestInstances:
    @pytest.mark.backupify(instances=123)
    def test_all_pages_are_read_at_the_page_size_of_the_server(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("instances", "-o", "csv")
        assert result.rows[0] == "id,customer_id,backup_definition_id,backup_frequency,created_at,updated_at"
        assert (len(result.rows), len(server.requests)) == (124, 3)

    @pytest.mark.backupify(instances=9)
    @pytest.mark.parametrize(
        ("choice", "expected"),
        [
            (["--customer", "2"], [4, 5, 6]),
            (["--definition", "3"], [3, 6, 9]),
            (["--customer", "2", "--definition", "3"], [6]),
        ],
    )
    def test_they_can_be_filtered(
        self, server: SimulatedBackupify, run: Run, choice: list[str], expected: list[int]
    ) -> None:
        assert [json.loads(row)["id"] for row in run("instances", *choice, "-o", "jsonl").rows] == expected

    @pytest.mark.backupify(instances=250, faults=[Fault.answer(400, operation="list_instances", every=2)])
    def test_a_list_that_ends_early_is_reported(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("instances", "-o", "csv")
        assert (result.code, len(result.rows)) == (1, 101)
        assert "the list ended early: GET /v1/backup_instances answered 400" in result.err
        assert "instances: 100 succeeded, 0 failed, the list ended early; " in result.err

    def test_an_invalid_id_is_a_usage_error(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("instances", "--customer", "..")
        assert (result.code, server.requests) == (2, [])
        assert "--customer" in result.err


class TestJson:
    @pytest.mark.backupify(instances=3, backups=2, forbidden=[2])
    @pytest.mark.parametrize("command", ["list", "active", "latest", "trigger"])
    def test_every_instance_is_in_one_array(self, server: SimulatedBackupify, run: Run, command: str) -> None:
        sweep = (command, "1", "2", "3", *(["--yes"] if command == "trigger" else []), "-o", "json")
        rows = json.loads(run(*sweep).out)
        assert {row["instance_id"] for row in rows} == {1, 2, 3}
        assert [row["instance_id"] for row in rows if row["state"] == "error"] == [2]

    @pytest.mark.backupify(instances=120)
    def test_instances_are_in_one_array(self, server: SimulatedBackupify, run: Run) -> None:
        assert [row["id"] for row in json.loads(run("instances", "-o", "json").out)] == server.instance_ids

    @pytest.mark.backupify(instances=1, backups=0)
    def test_without_rows_the_array_is_empty(self, server: SimulatedBackupify, run: Run) -> None:
        assert json.loads(run("list", "1", "-o", "json").out) == []

    @pytest.mark.backupify(instances=2)
    def test_a_journal_is_one_array_of_its_instances(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path
    ) -> None:
        journal = str(tmp_path / "journal")
        run("trigger", "1", "2", "--yes", "--journal", journal)
        rows = json.loads(run("journal", "show", journal, "-o", "json").out)
        assert {row["instance_id"]: row["state"] for row in rows} == {1: "started", 2: "started"}

    def test_a_command_that_cannot_start_writes_nothing(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        result = run("active", "1", "-o", "json")
        assert (result.code, result.out) == (2, "")


class TestTable:
    @pytest.mark.backupify(instances=1, backups=0)
    def test_a_pipe_gets_all_columns_where_no_width_is_set(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("COLUMNS")
        assert run("active", "1").rows[0].split() == BACKUP_COLUMNS[:-1]  # the error is on stderr

    @pytest.mark.backupify(
        instances=1,
        faults=[Fault.answer(200, body='{"id": "\\u001b[2J", "status": "[red]x"}', operation="get_active")],
    )
    def test_control_characters_from_the_server_are_escaped(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        cells = run("active", "1").rows[1].split()
        assert cells[:4] == ["1", "active", "\\x1b[2J", "[red]x"]
