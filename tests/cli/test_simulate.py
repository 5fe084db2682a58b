"""`backupify simulate` as a process."""

import signal

import pytest

from backupify_async.testing import SimulatedBackupify
from tests.support.processes import PATIENCE, finish, process

pytestmark = pytest.mark.slow


class TestSimulate:
    def test_the_printed_environment_is_that_of_a_client_of_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with process("simulate", "--port", "0", "--instances", "3", "--rate", "50", "--seed", "7") as serving:
            assert serving.stdout is not None
            lines = [serving.stdout.readline() for _ in range(4)]
            for line in lines[1:]:
                name, _, value = line.strip().removeprefix("export ").partition("=")
                monkeypatch.setenv(name, value)
            with process("active", "--all", "-o", "csv") as started:
                rows = finish(started).rows
            serving.send_signal(signal.SIGINT)
            result = finish(serving)
        assert (
            lines[0] == "# a simulated Backupify with 3 instances and 50 calls per second; Ctrl-C ends it\n"
        )
        assert (len(rows), result.code, result.err) == (4, 0, "")

    def test_sigterm_ends_it_with_success(self) -> None:
        with process("simulate", "--port", "0") as serving:
            assert serving.stdout is not None
            assert "no rate limit" in serving.stdout.readline()
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(PATIENCE) == 0

    def test_a_port_in_use_is_a_usage_error(self, backupify: SimulatedBackupify) -> None:
        port = backupify.base_url.rpartition(":")[2]
        with process("simulate", "--port", port) as serving:
            result = finish(serving)
        assert (result.code, result.out) == (2, "")
        assert f"port {port}: address already in use; --port 0 chooses a free one" in result.err
