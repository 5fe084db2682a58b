"""No secret is in the process list or the output."""

import signal
import subprocess

import pytest

from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import wait_for_requests
from tests.support.processes import finish, process

pytestmark = pytest.mark.slow
HANG = Fault.hang(operation="get_active", instance=3)
SWEEP = ("active", "1", "2", "3", "-o", "csv", "--rate", "1000")


class TestSecrets:
    SECRET = "sEcReT-hunter2"

    @pytest.mark.backupify(instances=3, client_secret=SECRET, faults=[HANG])
    def test_none_is_in_the_process_list_or_the_output(
        self, server: SimulatedBackupify, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BACKUPIFY_CLIENT_SECRET", self.SECRET)
        with process(*SWEEP) as started:
            wait_for_requests(server, 4)
            listed = subprocess.run(
                ["ps", "-ww", "-o", "args=", "-p", str(started.pid)],
                capture_output=True,
                text=True,
                check=True,
            )
            started.send_signal(signal.SIGINT)
            result = finish(started)
        assert "active 1 2 3" in listed.stdout
        assert self.SECRET not in listed.stdout + result.out + result.err

    @pytest.mark.backupify(client_secret="another")
    def test_none_is_in_the_error_about_a_wrong_secret(
        self, server: SimulatedBackupify, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BACKUPIFY_CLIENT_SECRET", self.SECRET)
        with process(*SWEEP) as started:
            result = finish(started)
        assert result.code == 3
        assert self.SECRET not in result.err
