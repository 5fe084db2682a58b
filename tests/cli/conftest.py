"""Commands in this process, against the simulated server."""

import sys
from pathlib import Path

import pytest

from backupify_async._cli import main
from backupify_async.testing import SimulatedBackupify
from tests.support.commands import Run
from tests.support.processes import Result

_VARIABLES = (
    "BACKUPIFY_TOKEN",
    "BACKUPIFY_CLIENT_ID",
    "BACKUPIFY_CLIENT_SECRET",
    "BACKUPIFY_CLIENT_SECRET_FILE",
    "BACKUPIFY_BASE_URL",
    "BACKUPIFY_SHARED",
    "BACKUPIFY_SHARED_ACCOUNT",
    "NO_COLOR",
)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the settings of the user who runs the tests."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def server(backupify: SimulatedBackupify, monkeypatch: pytest.MonkeyPatch) -> SimulatedBackupify:
    """The simulated server, and the environment of a client of it."""
    monkeypatch.setenv("BACKUPIFY_BASE_URL", backupify.base_url)
    monkeypatch.setenv("BACKUPIFY_CLIENT_ID", "demo")
    monkeypatch.setenv("BACKUPIFY_CLIENT_SECRET", "demo")
    return backupify


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in this process."""

    def run_here(*arguments: str) -> Result:
        code = main(arguments)
        sys.stdout.flush()
        captured = capfd.readouterr()
        return Result(code, captured.out, captured.err)

    return run_here


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where a command can create a journal."""
    return str(tmp_path / "sweep.sqlite")
