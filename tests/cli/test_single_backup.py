"""`backupify get` and `backupify wait`, `--fields`, `active --running`, and completion."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backupify_async._cli.rows import JOURNAL_COUNTS
from backupify_async._cli.writers import Column, Layout, writer
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import Run

LAYOUT = Layout((Column("id", 4), Column("state", 6), Column("error", 5, in_table=False)), ("state",))
ROWS = [{"id": 1, "state": "idle", "error": None, "extra": {"a": 1}}]


class TestFields:
    @pytest.mark.parametrize(
        ("output", "text"),
        [
            ("table", "error  id\n-      1\n"),
            ("json", '[\n {"error": null, "id": 1}\n]\n'),
            ("jsonl", '{"error": null, "id": 1}\n'),
            ("csv", "error,id\n,1\n"),
        ],
    )
    def test_only_named_fields_are_written_in_this_order(self, output: str, text: str) -> None:
        rows = writer(output, LAYOUT, 5, fields=["error", "id"])  # type: ignore[arg-type]
        assert rows.header() + rows.write(ROWS) + rows.footer() == text

    @pytest.mark.backupify(instances=2, backups=1)
    def test_rows_of_a_command_have_only_named_fields(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("latest", "1", "2", "-o", "jsonl", "--fields", "backup_id, instance_id")
        assert result.code == 0
        assert [set(json.loads(line)) for line in result.out.splitlines()] == [
            {"backup_id", "instance_id"}
        ] * 2

    @pytest.mark.parametrize("fields", ["instance_id,size", "", "state,state"])
    def test_that_are_unknown_or_named_twice_are_a_usage_error(
        self, server: SimulatedBackupify, run: Run, fields: str
    ) -> None:
        result = run("latest", "1", "--fields", fields)
        assert (result.code, result.out, server.requests) == (2, "", [])
        assert "--fields: " in result.err

    def test_a_journal_is_shown_with_only_named_fields(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path
    ) -> None:
        path = str(tmp_path / "sweep.sqlite")
        assert run("trigger", "1", "--journal", path).code == 0
        result = run("journal", "show", path, "-o", "csv", "--fields", "state,instance_id")
        assert (result.code, result.out) == (0, "state,instance_id\nstarted,1\n")
        assert run("journal", "show", path, "--fields", "backup_id").code == 2  # a table counts the states


class TestExtraFields:
    ROWS = (
        {
            "id": 1,
            "state": "idle",
            "error": None,
            "extra": {"size": 5, "tags": ["a"], "note": "=1", "on": True},
        },
        {"id": 2, "state": "idle", "error": None, "extra": {}},
    )

    @pytest.mark.parametrize(
        ("output", "text"),
        [
            ("table", "id    extra.size\n1     5\n2     -\n"),
            ("json", '[\n {"id": 1, "extra.size": 5}\n,{"id": 2, "extra.size": null}\n]\n'),
            ("jsonl", '{"id": 1, "extra.size": 5}\n{"id": 2, "extra.size": null}\n'),
            ("csv", "id,extra.size\n1,5\n2,\n"),
        ],
    )
    def test_are_columns_in_every_format(self, output: str, text: str) -> None:
        rows = writer(output, LAYOUT, 5, fields=["id", "extra.size"])  # type: ignore[arg-type]
        assert rows.header() + rows.write(self.ROWS) + rows.footer() == text

    @pytest.mark.parametrize(
        ("field", "cell"),
        [
            ("extra.tags", '"[""a""]"'),
            ("extra.note", "'=1"),
            ("extra.on", "true"),
            ("extra", '"{""size"": 5, ""tags"": [""a""], ""note"": ""=1"", ""on"": true}"'),
        ],
    )
    def test_that_are_not_text_are_json_and_no_formula_is_run(self, field: str, cell: str) -> None:
        assert writer("csv", LAYOUT, fields=[field]).write(self.ROWS[:1]) == f"{cell}\n"

    def test_that_are_nested_too_deeply_are_omitted(self) -> None:
        deep: list[object] = []
        for _ in range(100_000):
            deep = [deep]
        row = {"id": 1, "state": "idle", "error": None, "extra": {"x": deep}}
        texts = [writer(name, LAYOUT, fields=["id", "extra.x"]).write([row]) for name in ("jsonl", "csv")]
        assert texts == ['{"id": 1}\n', "1,\n"]

    @pytest.mark.parametrize("fields", ["extra.", "extrasize", "extra.size,extra.size"])
    def test_must_have_a_name_once(self, fields: str) -> None:
        with pytest.raises(ValueError, match=r"no field .*, extra, extra\.NAME|named twice"):
            writer("csv", LAYOUT, fields=fields.split(","))

    def test_are_refused_where_rows_have_none(self) -> None:
        with pytest.raises(ValueError, match=r"no field extra\.size; the fields are state, instances$"):
            writer("table", JOURNAL_COUNTS, fields=["state", "extra.size"])

    def test_of_the_server_are_shown(self, server: SimulatedBackupify, run: Run) -> None:
        server.inject(Fault.answer(200, body='{"id": 9, "size": 7}', operation="get_backup"))
        result = run("get", "1", "9", "-o", "csv", "--fields", "backup_id,extra.size")
        assert (result.code, result.out) == (0, "backup_id,extra.size\n9,7\n")


class TestRunning:
    @pytest.mark.backupify(instances=3, faults=[Fault.answer(403, operation="get_active", instance=3)])
    def test_idle_instances_are_left_out_and_failed_ones_are_not(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        server.start_backup(2)
        result = run("active", "1", "2", "3", "--running", "-o", "jsonl", "--ordered")
        rows = [json.loads(line) for line in result.out.splitlines()]
        assert [(row["instance_id"], row["state"]) for row in rows] == [(2, "active"), (3, "error")]
        assert result.code == 1
        assert "2 succeeded (1 active, 1 idle), 1 failed" in result.err


@pytest.mark.backupify(instances=2, backups=2)
class TestGet:
    def test_one_backup_is_shown_with_all_its_fields(self, server: SimulatedBackupify, run: Run) -> None:
        backup_id = json.loads(run("latest", "1", "-o", "jsonl").out)["backup_id"]
        result = run("get", "1", str(backup_id), "-o", "json")
        (row,) = json.loads(result.out)
        assert (result.code, row["instance_id"], row["backup_id"]) == (0, 1, backup_id)
        assert "extra" in row
        assert "get: 1 succeeded (1 completed), 0 failed" in result.err

    def test_a_backup_that_does_not_exist_is_exit_code_1(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("get", "1", "999999", "-o", "jsonl")
        row = json.loads(result.out)
        assert (result.code, row["state"], row["backup_id"]) == (1, "error", 999999)
        assert "instance 1 failed: " in result.err

    @pytest.mark.parametrize("command", ["get", "wait"])
    def test_a_backup_has_a_row_also_without_a_token(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        monkeypatch.setattr("random.uniform", lambda low, high: 0.0)  # the back-off
        monkeypatch.setenv("BACKUPIFY_BASE_URL", "http://127.0.0.1:1")
        result = run(command, "1", "2", "-o", "json")
        (row,) = json.loads(result.out)
        assert (result.code, row["instance_id"], row["backup_id"]) == (1, 1, 2)
        assert row["error"].startswith("no token: ")


class TestWait:
    @pytest.mark.backupify(instances=1, backup_duration=0.2)
    def test_a_backup_that_completes_is_exit_code_0(self, server: SimulatedBackupify, run: Run) -> None:
        backup = server.start_backup(1)
        result = run("wait", "1", str(backup.id), "--interval", "0.1", "-o", "jsonl")
        assert (result.code, json.loads(result.out)["state"]) == (0, "completed")

    @pytest.mark.backupify(instances=1, backup_duration=3600)
    def test_a_backup_that_is_not_over_in_time_is_exit_code_1(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        backup = server.start_backup(1)
        result = run("wait", "1", str(backup.id), "--interval", "0.1", "--wait-timeout", "0.3", "-o", "jsonl")
        row = json.loads(result.out)
        assert (result.code, row["state"], row["status"]) == (1, "error", "running")
        assert f"instance 1: backup {backup.id} was not over after 0.3 s" in result.err

    def test_a_backup_that_fails_is_exit_code_1(self, server: SimulatedBackupify, run: Run) -> None:
        server.inject(Fault.answer(200, body='{"id": 9, "status": "failed"}', operation="get_backup"))
        result = run("wait", "1", "9", "-o", "jsonl")
        assert (result.code, json.loads(result.out)["state"]) == (1, "failed")
        assert "wait: 1 succeeded (1 with a failed backup), 0 failed" in result.err

    def test_an_unknown_final_status_is_explained_on_stderr(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        now = datetime.now(UTC).isoformat()
        body = json.dumps({"id": 9, "status": "odd", "created_at": now, "completed_at": now})
        server.inject(Fault.answer(200, body=body, operation="get_backup"))
        result = run("wait", "1", "9")
        message = "instance 1: backup 9 ended with status 'odd', which is not known to mean success\n"
        assert (result.code, message in result.err) == (1, True)

    @pytest.mark.backupify(instances=1, backups=1)
    def test_a_backup_that_does_not_exist_is_vanished_under_its_id(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("wait", "1", "999999", "--interval", "0.05", "-o", "jsonl")
        row = json.loads(result.out)
        assert (result.code, row["state"], row["backup_id"]) == (1, "vanished", 999999)


def test_completion_is_installed_for_a_shell(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    result = run("--install-completion", "--shell", "bash")
    assert result.code == 0
    written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert any("whoami" in text for text in written)
