"""`backupify whoami`."""

import json

import pytest

from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import Run


class TestWhoami:
    def test_reports_server_token_and_vendor(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("whoami")
        assert result.code == 0
        server_line, token_line, vendor_line = result.out.splitlines()
        assert server_line.startswith("server  ok, responded in ")
        assert token_line == "token   ok, valid for 899 s"
        assert vendor_line == "vendor  Simulated Vendor (id 900)"

    def test_is_one_object_as_json(self, server: SimulatedBackupify, run: Run) -> None:
        found = json.loads(run("whoami", "-o", "json").out)
        assert {name: check["ok"] for name, check in found.items()} == dict.fromkeys(
            ("server", "token", "vendor"), True
        )
        assert (found["vendor"]["value"], found["token"]["value"]) == (900, 899)

    def test_wrong_credentials_exit_with_3_and_advice(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BACKUPIFY_CLIENT_SECRET", "wrong-secret")
        result = run("whoami")
        assert result.code == 3
        assert result.out.splitlines()[0].startswith("server  ok")
        assert result.out.splitlines()[1].startswith("token   failed: ")
        assert "token: check BACKUPIFY_CLIENT_ID and BACKUPIFY_CLIENT_SECRET" in result.err
        assert "wrong-secret" not in result.out + result.err

    @pytest.mark.backupify(faults=[Fault.answer(403, operation="get_vendor")])
    def test_credentials_of_another_kind_than_a_vendors_are_named(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("whoami")
        assert (result.code, "vendor: the credentials are valid, but not those" in result.err) == (1, True)

    def test_a_server_that_cannot_be_reached_is_named(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
    ) -> None:
        monkeypatch.setenv("BACKUPIFY_BASE_URL", f"http://127.0.0.1:{unused_tcp_port}")
        monkeypatch.setenv("BACKUPIFY_TOKEN", "a-token-of-24-characters")
        result = run("whoami", "--timeout", "5")
        assert result.code == 1
        assert "server: check BACKUPIFY_BASE_URL, the network and the proxy" in result.err

    @pytest.mark.backupify(faults=[Fault.hang(operation="ping")])
    def test_a_server_that_never_responds_is_named_after_the_time_out(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("whoami", "--timeout", "0.2")
        assert result.out.splitlines()[0] == "server  failed: the call took longer than --timeout 0.2 s"
        assert "[default: 30.0]" in run("whoami", "--help").out

    @pytest.mark.backupify(instances=1)
    def test_a_static_token_that_is_refused_exits_with_3(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("BACKUPIFY_CLIENT_ID")
        monkeypatch.delenv("BACKUPIFY_CLIENT_SECRET")
        monkeypatch.setenv("BACKUPIFY_TOKEN", "a-token-of-24-characters")
        result = run("whoami")
        assert (result.code, result.out.splitlines()[1]) == (
            3,
            "token   from BACKUPIFY_TOKEN, with no known end",
        )
        assert "a-token-of-24-characters" not in result.out + result.err
