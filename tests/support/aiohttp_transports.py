"""An open transport on real sockets, and requests for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import attrs
from yarl import URL

from backupify_async import Settings, StaticToken
from backupify_async._transport.aiohttp_transport import AiohttpTransport
from backupify_async._transport.transport import PreparedRequest, Response

TOKEN = "static-token"


class TimedTransport(AiohttpTransport):
    """Sends with the time-outs of the client's settings, as a session makes it do."""

    async def __call__(self, request: PreparedRequest) -> Response:
        """Send a request."""
        return await super().__call__(attrs.evolve(request, timeouts=self._settings.timeouts))


@contextlib.asynccontextmanager
async def open_transport_to(
    base_url: str, connector: aiohttp.BaseConnector | None = None, **options: Any
) -> AsyncIterator[AiohttpTransport]:
    """An open transport to a server."""
    transport = TimedTransport(connector)
    async with open_transport(base_url, transport, **options):
        yield transport


@contextlib.asynccontextmanager
async def open_transport(base_url: str, transport: AiohttpTransport, **options: Any) -> AsyncIterator[None]:
    """A transport, open with these settings."""
    try:
        await transport.open(Settings(credentials=StaticToken(TOKEN), base_url=base_url, **options))
        yield
    finally:
        await transport.close()


def get(base_url: str, path: str = "/v1/ping") -> PreparedRequest:
    """A GET that carries the token."""
    return send("GET", base_url, path)


def send(
    method: str,
    base_url: str,
    path: str = "/v1/ping",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> PreparedRequest:
    """A request that carries the token."""
    all_headers = {"Authorization": f"Bearer {TOKEN}", **(headers or {})}
    url, now = URL(base_url + path), asyncio.get_running_loop().time()
    return PreparedRequest(method, url, all_headers, body, datetime.now(UTC), (TOKEN,), sent_time=now)
