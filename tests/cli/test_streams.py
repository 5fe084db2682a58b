"""Standard streams that have no reader, are closed, or take ASCII only."""

import math
import os
import re
import subprocess

import pytest

from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.processes import COMMAND, PATIENCE, finish, process

pytestmark = pytest.mark.slow


class TestClosedPipe:
    @pytest.mark.backupify(instances=300, latency=0.002)
    def test_it_stops_the_sweep_without_a_message(self, server: SimulatedBackupify) -> None:
        with process("active", "--all", "-o", "csv", "--rate", "1000", "--concurrency", "2") as started:
            assert started.stdout is not None
            assert started.stdout.readline().startswith("instance_id")
            started.stdout.close()
            assert started.stderr is not None
            stderr = started.stderr.read()
            assert started.wait(PATIENCE) == 141
        assert stderr == ""
        assert len(server.requests) < 300

    @pytest.mark.backupify(instances=300, latency=0.002)
    def test_a_trigger_still_reports_the_ids_not_begun(self, server: SimulatedBackupify) -> None:
        ids = [str(one) for one in range(1, 301)]
        with process("trigger", *ids, "--yes", "-o", "csv", "--concurrency", "1") as started:
            assert started.stdout is not None
            assert started.stdout.readline().startswith("instance_id")
            started.stdout.close()
            assert started.stderr is not None
            stderr = started.stderr.read()
            assert started.wait(PATIENCE) == 141
        remaining = re.search(r"the (\d+) ids after (\d+) on the command line\n", stderr)
        assert remaining is not None
        assert int(remaining[1]) + int(remaining[2]) == 300

    @pytest.mark.backupify(
        instances=2,
        latency=0.3,
        backup_duration=math.inf,
        faults=[Fault.answer(201, body='{"id": 5, "status": "failed"}', operation="trigger", instance=2)],
    )
    def test_a_backup_whose_row_cannot_be_written_is_named_on_stderr(
        self, server: SimulatedBackupify
    ) -> None:
        with process("trigger", "1", "2", "--yes", "--wait", "-o", "csv", "--concurrency", "1") as started:
            assert started.stdout is not None
            assert started.stdout.readline().startswith("instance_id")
            started.stdout.close()
            assert started.stderr is not None
            stderr = started.stderr.read()
            assert started.wait(PATIENCE) == 141
        (begun,) = server.triggers[1]
        row_message, draining, wait_message = stderr.splitlines()
        assert row_message == "instance 2: failed, backup 5"
        assert draining.startswith("stdout has no reader: no more backups are triggered; ")
        assert wait_message == f"instance 1: backup {begun.id} (started) is no longer waited for"

    @pytest.mark.backupify(instances=40, latency=0.5)
    def test_triggers_in_flight_are_completed(self, server: SimulatedBackupify) -> None:
        with process("trigger", "--all", "--yes", "-o", "csv", "--concurrency", "4") as started:
            assert started.stdout is not None
            assert started.stdout.readline().startswith("instance_id")
            started.stdout.close()
            assert started.stderr is not None
            stderr = started.stderr.read()
            assert started.wait(PATIENCE) == 141
        assert "may or may not" not in stderr
        for instance_id, backups in server.triggers.items():
            assert f"instance {instance_id}: started, backup {backups[0].id}\n" in stderr
        assert re.search(r"^not triggered: the \d+ ids after \d+ of --all$", stderr, re.MULTILINE)

    def test_it_ends_the_help_without_a_message(self) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        with process("--help", stdout=writer) as started:
            os.close(writer)
            result = finish(started)
        assert (result.code, result.err) == (141, "")


class TestStreams:
    @pytest.mark.backupify(instances=1)
    def test_a_command_succeeds_with_all_streams_closed(self, server: SimulatedBackupify) -> None:
        command = f"'{COMMAND[0]}' -m backupify_async._cli active 1 <&- >&- 2>&-"
        ended = subprocess.run(["/bin/sh", "-c", command], timeout=PATIENCE, check=False)
        assert (ended.returncode, len(server.requests)) == (0, 3)

    @pytest.mark.backupify(instances=1)
    def test_ids_outside_ascii_are_escaped_for_an_ascii_stream(
        self, server: SimulatedBackupify, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYTHONIOENCODING", "ascii")
        with process("active", "日本", "--quiet") as started:
            result = finish(started)
        assert result.code == 1
        assert "instance \\u65e5\\u672c failed" in result.err
