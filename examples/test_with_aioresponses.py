"""Tests of your own code without a server: aioresponses responds in place of the network.

    pip install aioresponses pytest
    pytest examples/test_with_aioresponses.py

Each request needs a response of its own. Time-outs, lost responses and rate limits need the simulated server
of `backupify_async.testing`.
"""

import asyncio
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aioresponses import aioresponses

from backupify_async import BackupifyClient, RetryPolicy, StaticToken

API = "https://api.example"


class CannedResponse(aiohttp.ClientResponse):
    """aioresponses 0.7.9 leaves out an argument that aiohttp has asked for since 3.14."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, stream_writer=Mock(output_size=0), **options)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    """Responds in place of the network."""
    monkeypatch.setattr("aioresponses.core.ClientResponse", CannedResponse)
    with aioresponses() as responses:
        yield responses


async def describe(instance_id: int) -> str:
    """Your code that uses the client."""
    once = RetryPolicy(attempts=1)  # a request without a response fails at once
    async with BackupifyClient(StaticToken("token"), base_url=API, retry=once) as client:
        active = await client.backups.get_active(instance_id)
        return "idle" if active is None else f"backup {active.id} is {active.status}"


def test_a_running_backup_is_described(api: aioresponses) -> None:
    """The response to the request for the active backup is the backup."""
    api.get(f"{API}/v1/backup_instances/42/backups/active", payload={"id": 7, "status": "running"})
    assert asyncio.run(describe(42)) == "backup 7 is running"


def test_an_idle_instance_is_described(api: aioresponses) -> None:
    """A 404 means idle or no such instance; a second request, to the instance, decides."""
    api.get(f"{API}/v1/backup_instances/42/backups/active", status=404)
    api.get(f"{API}/v1/backup_instances/42", payload={"id": 42})
    assert asyncio.run(describe(42)) == "idle"
