"""A client over canned responses."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from aioresponses import aioresponses

from backupify_async import BackupifyClient
from tests.support.canned import canned, client_of_canned


@pytest.fixture
def api() -> Iterator[aioresponses]:
    """Responds in place of the network."""
    with canned() as responses:
        yield responses


@pytest_asyncio.fixture
async def client(api: aioresponses) -> AsyncIterator[BackupifyClient]:
    """A client that gets these responses."""
    async with client_of_canned() as client:
        yield client
