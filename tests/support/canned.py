"""Canned responses in place of aiohttp's requests, by aioresponses.

It replaces `ClientSession._request`. A test sees what a resource asks for, and how it reads a response,
through our transport and aiohttp's own response. Connections, time-outs, middlewares and repeated requests
are not involved; tests of these use a server on a socket.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from unittest.mock import Mock, patch

import aiohttp
from aioresponses import aioresponses
from yarl import URL

from backupify_async import BackupifyClient, RateLimit, RetryPolicy, StaticToken

API = "https://api.example"
INSTANCE = f"{API}/v1/backup_instances/42"


class CannedResponse(aiohttp.ClientResponse):
    """A response of aioresponses 0.7.9 for aiohttp 3.14, which asks for one more argument."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, stream_writer=Mock(output_size=0), **options)


@contextmanager
def canned() -> Iterator[aioresponses]:
    """Responds to the requests that are registered; all others fail with a connection error."""
    with patch("aioresponses.core.ClientResponse", CannedResponse), aioresponses() as api:
        yield api


@asynccontextmanager
async def client_of_canned(**options: Any) -> AsyncIterator[BackupifyClient]:
    """A client with a token, which sends each request once and without a delay."""
    options = {"rate_limit": RateLimit(None, adaptive=False), "retry": RetryPolicy(attempts=1), **options}
    async with BackupifyClient(StaticToken("secret"), base_url=API, **options) as client:
        yield client


def requests(api: aioresponses) -> list[str]:
    """The requests, in the order of the first one to each address."""
    return [f"{method} {URL(url).relative()}" for method, url in api.requests]
