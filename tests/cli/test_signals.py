"""How a signal ends a command, and what the command then reports."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import signal_twice, wait_for_requests
from tests.support.processes import PATIENCE, Terminal, finish, process

pytestmark = pytest.mark.slow
HANG = Fault.hang(operation="get_active", instance=3)
SWEEP = ("active", "1", "2", "3", "-o", "csv", "--rate", "1000")


class TestSignals:
    @pytest.mark.backupify(instances=3, faults=[HANG])
    @pytest.mark.parametrize(
        ("number", "code", "message"),
        [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
    )
    def test_a_sweep_ends_and_reports_what_was_done(
        self, server: SimulatedBackupify, number: int, code: int, message: str
    ) -> None:
        with process(*SWEEP) as started:
            assert started.stdout is not None
            rows = [started.stdout.readline() for _ in range(3)]
            wait_for_requests(server, 5)  # the token, three times active, a check of what the 404 means
            started.send_signal(number)
            result = finish(started)
        assert (result.code, len(rows), result.out) == (code, 3, "")
        assert result.err.splitlines()[:2] == [message, "1 instance interrupted"]
        assert "active: 2 succeeded (2 idle), 0 failed" in result.err

    @pytest.mark.backupify(instances=3, faults=[HANG])
    def test_an_interrupted_json_array_is_closed(self, server: SimulatedBackupify) -> None:
        with process("active", "1", "2", "3", "-o", "json", "--rate", "1000") as started:
            assert started.stdout is not None
            begun = [started.stdout.readline() for _ in range(3)]
            wait_for_requests(server, 5)
            started.send_signal(signal.SIGINT)
            result = finish(started)
        rows = json.loads("".join(begun) + result.out)
        assert (result.code, {row["instance_id"] for row in rows}) == (130, {1, 2})

    @pytest.mark.backupify(instances=1, backup_duration=3600)
    def test_a_wait_ends_as_a_sweep_does(self, server: SimulatedBackupify) -> None:
        backup = server.start_backup(1)
        with process("wait", "1", str(backup.id), "--interval", "0.1", "-o", "json") as started:
            wait_for_requests(server, 3)
            started.send_signal(signal.SIGINT)
            result = finish(started)
        assert (result.code, result.out) == (130, "[\n]\n")
        assert result.err.splitlines()[:2] == ["interrupted", "1 instance interrupted"]

    @pytest.mark.backupify(instances=3, faults=[Fault.hang(operation="token")])
    def test_before_the_first_call_there_is_no_summary(self, server: SimulatedBackupify) -> None:
        with process(*SWEEP) as started:
            wait_for_requests(server, 1)
            started.send_signal(signal.SIGINT)
            assert finish(started).err == "backupify: interrupted\n"
        assert started.returncode == 130

    @pytest.mark.backupify(instances=3, faults=[Fault.hang(operation="trigger", after_acting=True)])
    def test_interrupted_triggers_are_distinguished_from_those_not_sent(
        self, server: SimulatedBackupify
    ) -> None:
        with process("trigger", "1", "2", "3", "--yes", "--rate", "0.001") as started:
            wait_for_requests(server, 2)
            signal_twice(started, signal.SIGTERM)
            result = finish(started)
        assert result.code == 143
        assert result.err.splitlines()[:2] == [
            "instance 1: interrupted, a backup may or may not have started",
            "not triggered: instances 2, 3",
        ]

    @pytest.mark.backupify(instances=9, faults=[Fault.hang(operation="trigger", after_acting=True)])
    def test_every_id_that_was_not_begun_is_reported(
        self, server: SimulatedBackupify, tmp_path: Path
    ) -> None:
        file = tmp_path / "ids.txt"
        file.write_text("".join(f"{one}\n" for one in range(1, 10)))
        sweep = ("trigger", "--ids-file", str(file), "--yes", "--rate", "0.001", "--concurrency", "3")
        with process(*sweep) as started:
            wait_for_requests(server, 2)
            signal_twice(started, signal.SIGINT)
            result = finish(started)
        message = f"not triggered: instances 2, 3, and the 6 ids after 3 in {file}"
        assert (result.code, result.err.splitlines()[1]) == (130, message)

    @pytest.mark.backupify(
        instances=3,
        faults=[Fault.answer(204, operation="trigger", instance=2), Fault.hang(operation="get_active")],
    )
    def test_an_accepted_trigger_is_reported_even_if_the_check_after_it_is_interrupted(
        self, server: SimulatedBackupify
    ) -> None:
        server.start_backup(1)
        with process("trigger", "1", "2", "--yes", "-o", "csv") as started:
            wait_for_requests(server, 5)  # the token, two triggers, two checks
            signal_twice(started, signal.SIGINT)
            result = finish(started)
        assert [row.split(",")[:2] for row in result.rows[1:]] == [["2", "started"]]
        assert result.err.splitlines()[:2] == [
            "instance 2: started; the check of its backup was interrupted",
            "not triggered: instance 1",  # without the check, a 409 says only that nothing was done
        ]
        assert "trigger: 1 succeeded (1 started), 0 failed; " in result.err

    @pytest.mark.backupify(
        instances=1, faults=[Fault.answer(499, operation="trigger"), Fault.hang(operation="get_active")]
    )
    def test_a_trigger_with_an_inconclusive_status_may_have_started(self, server: SimulatedBackupify) -> None:
        with process("trigger", "1") as started:
            wait_for_requests(server, 3)  # the token, the trigger, a check
            signal_twice(started, signal.SIGINT)
            result = finish(started)
        assert result.err.splitlines()[0] == "instance 1: interrupted, a backup may or may not have started"

    @pytest.mark.backupify(instances=9, latency=0.5)
    def test_triggers_in_flight_are_completed(self, server: SimulatedBackupify) -> None:
        ids = [str(one) for one in range(1, 10)]
        with process("trigger", *ids, "--yes", "-o", "csv", "--concurrency", "2") as started:
            wait_for_requests(server, 3)  # the token, two triggers
            started.send_signal(signal.SIGTERM)
            result = finish(started)
        begun = sorted(row.partition(",")[0] for row in result.rows[1:])
        assert begun == sorted(str(one) for one, times in server.triggers.items() if times)
        assert result.code == 143
        assert result.err.splitlines()[0].startswith("terminated: no more backups are triggered; ")
        assert result.err.splitlines()[1].startswith("not triggered: ")
        assert "may or may not" not in result.err

    @pytest.mark.backupify(instances=9, latency=0.5)
    def test_triggers_in_flight_are_completed_after_the_terminal_is_closed_too(
        self, server: SimulatedBackupify, tmp_path: Path
    ) -> None:
        ids = [str(one) for one in range(1, 10)]
        journal = tmp_path / "journal"
        sweep = ("trigger", *ids, "--yes", "--concurrency", "2", "--journal", str(journal))
        with Terminal(sweep) as terminal:
            wait_for_requests(server, 3)  # the token, two triggers
            terminal.hang_up()
            assert terminal.process.wait(PATIENCE) == 129
        with process("journal", "show", str(journal), "-o", "csv") as started:
            rows = finish(started).rows
        states = {int(row.split(",")[0]): row.split(",")[1] for row in rows[1:]}
        begun = {one for one, times in server.triggers.items() if times}
        assert {one for one, state in states.items() if state == "started"} == begun
        assert {*states.values()} <= {"started", "read"}

    @pytest.mark.backupify(instances=3, latency=0.3)
    @pytest.mark.parametrize("ignored", ["SIGHUP", "SIGINT"])
    def test_an_ignored_signal_does_not_stop_a_sweep(self, server: SimulatedBackupify, ignored: str) -> None:
        number = getattr(signal, ignored)
        before = signal.signal(number, signal.SIG_IGN)  # as nohup and a script's `&` do
        try:
            with process("trigger", "1", "2", "3", "--yes", "-o", "csv", "--concurrency", "1") as started:
                wait_for_requests(server, 2)
                started.send_signal(number)
                result = finish(started)
        finally:
            signal.signal(number, before)
        assert (result.code, len(result.rows)) == (0, 4)

    @pytest.mark.backupify(instances=9, latency=0.5)
    def test_two_equal_signals_at_once_count_as_one(self, server: SimulatedBackupify) -> None:
        with process("trigger", "1", "2", "3", "--yes", "-o", "csv", "--concurrency", "1") as started:
            wait_for_requests(server, 2)
            started.send_signal(signal.SIGTERM)
            started.send_signal(signal.SIGTERM)  # `timeout` signals the process, and then its group
            result = finish(started)
        assert (result.code, len(result.rows)) == (143, 1 + len(server.triggers))
        assert "may or may not" not in result.err

    @pytest.mark.backupify(instances=9, faults=[Fault.hang(operation="get_active")])
    def test_a_sweep_that_only_reads_names_the_ids_not_begun_too(self, server: SimulatedBackupify) -> None:
        with process("active", "--all", "--concurrency", "2") as started:
            wait_for_requests(server, 4)  # the token, the list, two instances
            started.send_signal(signal.SIGTERM)
            result = finish(started)
        assert result.err.splitlines()[1:3] == [
            "2 instances interrupted",
            "not begun: the 7 ids after 2 of --all",
        ]

    @pytest.mark.backupify(instances=1)
    def test_a_blocked_source_of_ids_does_not_delay_the_end(self, server: SimulatedBackupify) -> None:
        with process("active", "--ids-file", "-", "-o", "csv", stdin=subprocess.PIPE) as started:
            assert started.stdout is not None
            assert started.stdin is not None
            started.stdin.write("1\n")
            started.stdin.flush()
            rows = [started.stdout.readline() for _ in range(2)]
            started.send_signal(signal.SIGINT)
            assert started.wait(PATIENCE) == 130
        assert rows[1].startswith("1,idle")
