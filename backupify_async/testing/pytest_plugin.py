"""The pytest plugin: the fixture `backupify` and the marker of the same name.

pytest loads this module in every run of whoever has the package installed: it imports nothing of weight at
the top, and takes any pytest from 6 on, which has fewer public names.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from backupify_async.testing import SimulatedBackupify


def pytest_configure(config: "pytest.Config") -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "backupify(**settings): what the `backupify` fixture gives to SimulatedBackupify"
    )


@pytest.fixture
def backupify(request: "pytest.FixtureRequest") -> "Iterator[SimulatedBackupify]":
    """A fresh simulated Backupify that runs in a thread, for tests of any async plugin or of none.

    `@pytest.mark.backupify(instances=5)` on the test, its class or its module sets it up; the nearest mark
    wins. A client of it that triggers is to be told how soon this server settles, else a test of a trigger
    whose answer is lost, as by a 503, takes half a minute:

        BackupifyClient(ClientCredentials("demo", "demo"), base_url=backupify.base_url,
                        reconciliation=Reconciliation(settling=backupify.settling))

    That follows from the faults; `@pytest.mark.backupify(settling=1)` sets it.
    """
    # Here, not above: this is where aiohttp.web is loaded.
    from backupify_async.testing import SimulatedBackupify, running_in_thread  # noqa: PLC0415

    with running_in_thread(SimulatedBackupify(**_settings(request.node))) as server:
        yield server


def _settings(node: "pytest.Item") -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for mark in node.iter_markers("backupify"):  # the nearest comes first
        if mark.args:
            raise pytest.UsageError(f"{node.nodeid}: @pytest.mark.backupify takes keywords only")
        settings = {**mark.kwargs, **settings}
    return settings
