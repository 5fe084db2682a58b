"""Fixtures for sweeps with a journal."""

from pathlib import Path

import pytest

from tests.fleet.journalled_sweeps import Api


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "sweep.sqlite"


@pytest.fixture
def api() -> Api:
    """A fake trigger that succeeds for each instance."""
    return Api()
