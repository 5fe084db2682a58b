"""A pool of connections and a server of raw bytes, on real sockets."""

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
from tests.support.stand_ins import raw_server

TOKEN = "static-token"


class Server:
    """Answers each request with the next of its answers, the last one for ever, and remembers the requests.

    An answer is the bytes to write. None writes nothing and leaves the connection open; what ends with
    CLOSE is followed by the end of the connection.
    """

    CLOSE = b"\0close"

    def __init__(self, *answers: bytes | None) -> None:
        self._answers = list(answers)
        self.requests: list[bytes] = []
        self.base_url = ""

    async def __call__(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is not None:
            writer.write(answer.removesuffix(self.CLOSE))
            if answer.endswith(self.CLOSE):
                writer.close()

    @property
    def header_lines(self) -> list[str]:
        """The header lines of the last request."""
        return self.requests[-1].partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]


@contextlib.asynccontextmanager
async def serving(*answers: bytes | None) -> AsyncIterator[Server]:
    """A server that gives these answers."""
    server = Server(*answers)
    async with raw_server(server) as server.base_url:
        yield server


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
    """A message that carries the token."""
    all_headers = {"Authorization": f"Bearer {TOKEN}", **(headers or {})}
    url, now = URL(base_url + path), asyncio.get_running_loop().time()
    return PreparedRequest(method, url, all_headers, body, datetime.now(UTC), (TOKEN,), sent_time=now)
