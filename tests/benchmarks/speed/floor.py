"""The floor: a raw `asyncio.Protocol` that reads only the responses of this server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import cast
from urllib.parse import urlsplit

import orjson

from tests.benchmarks.speed.measuring import Batch
from tests.benchmarks.speed.ours import CONCURRENCY
from tests.benchmarks.speed.peers import active
from tests.benchmarks.speed.server import ACTIVE_ID


class _Connection(asyncio.Protocol):
    """One connection, which sends a request for one id after another."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._ids: Iterator[int] = iter(())
        self._done: asyncio.Future[None] | None = None
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def begin(self, ids: Iterator[int]) -> asyncio.Future[None]:
        self._ids = ids
        self._done = asyncio.get_running_loop().create_future()
        self._send_next()
        return self._done

    def data_received(self, data: bytes) -> None:
        self._unread += data
        head, found, body = self._unread.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.rpartition(b"Content-Length: ")[2]):
            return
        self._unread = b""
        assert orjson.loads(body)["id"] == ACTIVE_ID
        self._send_next()

    def _send_next(self) -> None:
        for instance in self._ids:
            path = urlsplit(active(self._base_url, instance)).path
            head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer token\r\n\r\n"
            self.transport.write(head.encode())
            return
        if self._done is not None:
            self._done.set_result(None)


@contextlib.asynccontextmanager
async def raw_protocol(base_url: str) -> AsyncIterator[Batch]:
    """The least that asyncio needs: no types, no errors, and only the HTTP of this server."""
    where = urlsplit(base_url)
    host, port = str(where.hostname), where.port or 80
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(lambda: _Connection(base_url), host, port))[1]
        for _ in range(CONCURRENCY)
    ]

    async def batch(calls: int) -> None:
        ids = iter(range(calls))
        await asyncio.gather(*(connection.begin(ids) for connection in connections))

    yield batch
    for connection in connections:
        connection.transport.close()
