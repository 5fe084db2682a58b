"""The pytest plugin: the fixture `backupify` and the marker of the same name.

pytest loads this module in every run where the package is installed. So it imports nothing heavy at the top,
and works with pytest 6 and later, which has fewer public names.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from backupify_async.testing import SimulatedBackupify


def pytest_configure(config: "pytest.Config") -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", "backupify(**settings): the settings of the SimulatedBackupify in the `backupify` fixture"
    )


@pytest.fixture
def backupify(request: "pytest.FixtureRequest") -> "Iterator[SimulatedBackupify]":
    """A new simulated Backupify in a thread, for tests with any async plugin or with none.

    `@pytest.mark.backupify(instances=5)` on the test, its class or its module has its settings; the nearest
    marker wins. Give `settling` to a client that triggers, or a test with a lost response (a 503 is one)
    takes half a minute:

        BackupifyClient(ClientCredentials("demo", "demo"), base_url=backupify.base_url,
                        reconciliation=Reconciliation(settling=backupify.settling))

    It depends on the faults; `@pytest.mark.backupify(settling=1)` sets it.
    """
    # Not at the top: this imports aiohttp.web.
    from backupify_async.testing import SimulatedBackupify, running_in_thread  # noqa: PLC0415

    with running_in_thread(SimulatedBackupify(**_settings(request.node))) as server:
        yield server


def _settings(node: "pytest.Item") -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for mark in node.iter_markers("backupify"):  # the nearest is first
        if mark.args:
            raise pytest.UsageError(f"{node.nodeid}: @pytest.mark.backupify takes keywords only")
        settings = {**mark.kwargs, **settings}
    return settings
