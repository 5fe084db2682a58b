"""`--shared` and BACKUPIFY_SHARED: commands that share a rate limit and a token."""

from pathlib import Path

import pytest

from backupify_async.testing import SimulatedBackupify
from tests.support.commands import Run
from tests.support.redis_server import free_port

PASSWORD = "s3cret"
COMMANDS = [("active", "1"), ("get", "1", "1"), ("instances",), ("api", "/v1/vendors/me"), ("whoami",)]


class TestTheOption:
    @pytest.mark.backupify(instances=3)
    @pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
    def test_makes_a_command_share(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path, arguments: tuple[str, ...]
    ) -> None:
        for _ in range(2):
            run(*arguments, "--shared", str(tmp_path / "shared"))
        assert server.tokens_issued == 1
        assert [path.suffix for path in (tmp_path / "shared").glob("*.limit")] == [".limit"]

    @pytest.mark.backupify(instances=3)
    def test_goes_before_the_variable(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BACKUPIFY_SHARED", str(tmp_path / "variable"))
        assert run("active", "1").code == 0
        assert run("active", "1", "--shared", str(tmp_path / "option")).code == 0
        assert sorted(path.name for path in tmp_path.iterdir()) == ["option", "variable"]

    @pytest.mark.parametrize(
        "url", [f"rediss://ops:{PASSWORD}@cache.example", f"redis://cache.example?password={PASSWORD}"]
    )
    def test_refuses_a_password_which_the_process_list_would_show(
        self, server: SimulatedBackupify, run: Run, url: str
    ) -> None:
        result = run("active", "1", "--shared", url)
        assert (result.code, result.out, server.requests) == (2, "", [])
        assert "set BACKUPIFY_SHARED to this URL instead" in result.err
        assert PASSWORD not in result.err

    @pytest.mark.parametrize(
        ("location", "problem"),
        [
            ("", "Must be a directory or a URL."),
            ("http://cache.example", "--shared: this is not the URL of a Redis server"),
            (f"redis://ops:{PASSWORD}/@cache.example", "--shared: this is not the URL of a Redis server"),
            (__file__, "is not a directory"),
        ],
    )
    def test_refuses_what_cannot_be_shared_by(
        self, server: SimulatedBackupify, run: Run, location: str, problem: str
    ) -> None:
        result = run("active", "1", "--shared", location)
        assert (result.code, result.out, server.requests) == (2, "", [])
        assert problem in result.err
        assert PASSWORD not in result.err


class TestAStoreThatIsAway:
    @pytest.mark.backupify(instances=3)
    @pytest.mark.parametrize(
        "arguments", [("active", "1", "-q"), ("api", "/v1/vendors/me"), ("active", "1", "-vv")]
    )
    def test_is_reported_once_with_the_reason(
        self, server: SimulatedBackupify, run: Run, arguments: tuple[str, ...]
    ) -> None:
        result = run(*arguments, "--shared", f"redis://127.0.0.1:{free_port()}")
        assert result.code == 0
        lines = [line.removeprefix("* ") for line in result.err.splitlines()]
        away = "shared store away: the Redis server cannot be reached (Connection refused)"
        assert (lines.count(away), away in result.err.splitlines()) == (1, "-vv" not in arguments)


class TestAToken:
    @pytest.mark.backupify(instances=3)
    def test_needs_a_name_of_the_account(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("BACKUPIFY_CLIENT_ID")
        monkeypatch.delenv("BACKUPIFY_CLIENT_SECRET")
        monkeypatch.setenv("BACKUPIFY_TOKEN", "token")
        result = run("active", "1", "--shared", str(tmp_path))
        assert (result.code, server.requests) == (2, [])
        assert "BACKUPIFY_SHARED_ACCOUNT" in result.err
        monkeypatch.setenv("BACKUPIFY_SHARED_ACCOUNT", "ops")
        assert "BACKUPIFY_SHARED_ACCOUNT" not in run("active", "1", "--shared", str(tmp_path)).err
        assert [path.suffix for path in tmp_path.glob("*.limit")] == [".limit"]
