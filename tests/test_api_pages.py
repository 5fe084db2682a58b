"""The API pages contain all that a user calls."""

import subprocess
import sys
from pathlib import Path

import pytest

import backupify_async
from backupify_async import testing

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("one worker builds the pages")]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, built without a warning."""
    directory = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-W", "error", "-m", "tests.support.api_pages", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return directory


def missing(page: Path, names: list[str]) -> list[str]:
    shown = page.read_text()
    return [name for name in names if f'id="{name}"' not in shown]


def test_each_public_name_is_on_the_page(pages: Path) -> None:
    names = [name for name in backupify_async.__all__ if name != "__version__"]
    assert missing(pages / "backupify_async.html", names) == []


@pytest.mark.parametrize(
    "method",
    ["Backups.get_active", "Backups.list", "Backups.trigger", "Instances.list", "Customers.instances"],
)
def test_each_call_of_a_client_is_on_the_page(pages: Path, method: str) -> None:
    assert missing(pages / "backupify_async.html", [method]) == []


def test_the_simulated_server_has_a_page(pages: Path) -> None:
    assert missing(pages / "backupify_async" / "testing.html", testing.__all__) == []


def test_the_first_page_links_to_each_name(pages: Path) -> None:
    shown = (pages / "backupify_async.html").read_text()
    names = [*(name for name in backupify_async.__all__ if name != "__version__"), "Backups"]
    assert [name for name in names if f'href="#{name}"' not in shown] == []
