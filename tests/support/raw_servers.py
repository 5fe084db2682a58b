"""Servers that write any bytes, and know their connections."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from backupify_async import RetryPolicy
from tests.support.stand_ins import http, raw_server

ONCE = RetryPolicy(attempts=1)
"""No second attempt, so that no test waits for a back-off."""

ANY_BYTE = "\N{REPLACEMENT CHARACTER}"
"""Stands in a header for a byte that is no UTF-8."""


def odd(status: int, body: bytes, *headers: str) -> bytes:
    """A whole HTTP answer, with bytes that are no UTF-8 where its headers say `ANY_BYTE`."""
    return http(status, body, *headers).replace(ANY_BYTE.encode(), b"\xff")


class Connections:
    """Answers each request, and remembers over which connection it came.

    Args:
        answer: The bytes to write.
        after_each: What becomes of a connection once it was used: kept; closed right behind the answer,
            without a word; or closed as the next request arrives, as by a server that idled out just then.
    """

    KEPT, CLOSED, IDLED_OUT = "kept", "closed", "idled out"

    def __init__(self, answer: bytes, after_each: str = KEPT) -> None:
        self._answer = answer
        self._after_each = after_each
        self.used: list[tuple[str, asyncio.StreamWriter]] = []

    async def __call__(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        """Answer one request, or hang up."""
        seen = writer in self.of("GET", "POST")
        self.used.append((request.split(b" ", 1)[0].decode(), writer))
        if seen and self._after_each == self.IDLED_OUT:
            writer.close()
            return
        writer.write(self._answer)
        if self._after_each == self.CLOSED:
            writer.close()

    def of(self, *methods: str) -> list[asyncio.StreamWriter]:
        """The connection of each request with one of these methods."""
        return [writer for method, writer in self.used if method in methods]


@contextlib.asynccontextmanager
async def by_method(get: bytes, post: bytes) -> AsyncIterator[str]:
    """A server with one answer to a GET and one to a POST, which hangs up behind each; gives its base URL."""

    async def handle(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(post if request.startswith(b"POST") else get)
        writer.close()

    async with raw_server(handle) as url:
        yield url
