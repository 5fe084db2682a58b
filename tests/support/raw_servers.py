"""Servers that send any bytes, from a script or by the method, and know their connections."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from backupify_async import RetryPolicy

ONCE = RetryPolicy(attempts=1)
"""No second attempt, so that no test waits for a back-off."""

ANY_BYTE = "\N{REPLACEMENT CHARACTER}"
"""Stands in a header for a byte that is not UTF-8."""


@contextlib.asynccontextmanager
async def raw_server(handle: Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """A server of raw bytes on a loopback port; gives its base URL.

    Args:
        handle: Called with the bytes of each request and the writer; it can write any bytes and close.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.split(b"\r\n"):
                    name, _, value = line.partition(b":")
                    if name.strip().lower() == b"content-length":
                        length = int(value)
                body = await reader.readexactly(length) if length else b""
                await handle(head + body, writer)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        server.close()
        server.close_clients() if hasattr(server, "close_clients") else None
        await asyncio.sleep(0)


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    """A whole HTTP response in bytes, with its Content-Length."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def odd(status: int, body: bytes, *headers: str) -> bytes:
    """A whole HTTP response, with a byte that is not UTF-8 for each `ANY_BYTE` in its headers."""
    return http(status, body, *headers).replace(ANY_BYTE.encode(), b"\xff")


class ScriptedServer:
    """Sends its responses in turn, the last one to all further requests, and records the requests.

    A response is the bytes to write. None writes nothing and leaves the connection open. A response that ends
    with `CLOSE` closes the connection.
    """

    CLOSE = b"\0close"

    def __init__(self, *responses: bytes | None) -> None:
        self._responses = responses
        self.requests: list[bytes] = []
        self.base_url = ""

    async def __call__(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        """Respond to a request."""
        self.requests.append(request)
        response = self._responses[min(len(self.requests), len(self._responses)) - 1]
        if response is not None:
            writer.write(response.removesuffix(self.CLOSE))
            if response.endswith(self.CLOSE):
                writer.close()

    @property
    def request_lines(self) -> list[str]:
        """The first line of each request, without the HTTP version."""
        return [request.split(b"\r\n", 1)[0].decode().rpartition(" ")[0] for request in self.requests]

    @property
    def header_lines(self) -> list[str]:
        """The header lines of the last request."""
        return self.requests[-1].partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]


@contextlib.asynccontextmanager
async def serving(*responses: bytes | None) -> AsyncIterator[ScriptedServer]:
    """A server that sends these responses."""
    server = ScriptedServer(*responses)
    async with raw_server(server) as server.base_url:
        yield server


class Connections:
    """Responds to each request, and records over which connection it came.

    Args:
        response: The bytes to write.
        after_each: What happens to a connection after its first response: it is kept; closed at once,
            without `Connection: close`; or closed when the next request arrives, as a server does whose idle
            time-out ends just then.
    """

    KEPT, CLOSED, IDLED_OUT = "kept", "closed", "idled out"

    def __init__(self, response: bytes, after_each: str = KEPT) -> None:
        self._response = response
        self._after_each = after_each
        self.used: list[tuple[str, asyncio.StreamWriter]] = []

    async def __call__(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        """Respond to a request, or close the connection."""
        seen = writer in self.of("GET", "POST")
        self.used.append((request.split(b" ", 1)[0].decode(), writer))
        if seen and self._after_each == self.IDLED_OUT:
            writer.close()
            return
        writer.write(self._response)
        if self._after_each == self.CLOSED:
            writer.close()

    def of(self, *methods: str) -> list[asyncio.StreamWriter]:
        """The connection of each request with one of these methods."""
        return [writer for method, writer in self.used if method in methods]


@contextlib.asynccontextmanager
async def by_method(get: bytes, post: bytes) -> AsyncIterator[str]:
    """A server with one response to GET and one to POST, which then hangs up; gives its base URL."""

    async def handle(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(post if request.startswith(b"POST") else get)
        writer.close()

    async with raw_server(handle) as url:
        yield url
