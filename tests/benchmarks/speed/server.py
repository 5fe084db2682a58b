"""A server with little overhead, in a process of its own: `python -m tests.benchmarks.speed.server`.

Its responses depend only on the path: `/50ms/25pages/v1/…` responds 50 ms later, and each list has 25 pages
of 20 backups. Requests have no body.

It is a raw asyncio Protocol, on uvloop if that is installed. It is not nginx, which cannot delay a response
by 50 ms without uncommon modules; and with different servers, tables could not be compared. How many requests
it can handle is measured and printed each time: several times as many as aiohttp sends.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import cast

import attrs

WHAT = f"a raw asyncio Protocol{' on uvloop' if find_spec('uvloop') else ''} in a process of its own"
PER_PAGE = 20
_BACKUP = (
    b'{"id":%d,"backup_instance_id":@@@@@@@,"status":"running","created_at":null,'
    b'"started_at":"2026-11-23T10:00:01.000Z","completed_at":null,"updated_at":"2026-11-23T10:00:01.000Z",'
    b'"bytes_transferred":123456789,"service":"google_workspace","triggered_by":"api"}'
)
ACTIVE_ID = 1007
_INSTANCE = b"@@@@@@@"  # replaced by the requested instance, in as many bytes


def _http(status: bytes, body: bytes, link: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b" % (
        status,
        link,
        len(body),
        body,
    )


_ACTIVE = _http(b"200 OK", _BACKUP % ACTIVE_ID)
_STARTED = _http(b"201 Created", _BACKUP % ACTIVE_ID)


@cache
def _page(number: int, pages: int) -> bytes:
    first = (number - 1) * PER_PAGE + 1
    body = b"[" + b",".join(_BACKUP % at for at in range(first, first + PER_PAGE)) + b"]"
    if number == pages:
        return _http(b"200 OK", body)
    link = b'Link: <?page=%d>; rel="last", <?page=%d>; rel="next"\r\n' % (pages, number + 1)
    return _http(b"200 OK", body, link)


def response_to(head: bytes) -> tuple[float, bytes]:
    """The delay in seconds, and the response to a request with this head."""
    method, target, _ = head.split(b" ", 2)
    _, wait, pages, path = target.split(b"/", 3)
    seconds = int(wait.removesuffix(b"ms")) / 1000
    if method == b"POST":
        content = _STARTED
    elif path.endswith(b"/active"):
        content = _ACTIVE
    else:
        _, _, query = path.partition(b"?page=")
        content = _page(int(query or 1), int(pages.removesuffix(b"pages")))
    return seconds, content.replace(_INSTANCE, b"%-7d" % int(path.split(b"/", 3)[2]))


class RespondingProtocol(asyncio.Protocol):
    """Responds at the end of each request's head."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self.unread = b""

    def data_received(self, data: bytes) -> None:
        *heads, self.unread = (self.unread + data).split(b"\r\n\r\n")
        for head in heads:
            seconds, content = response_to(head)
            if seconds:
                asyncio.get_running_loop().call_later(seconds, self._write, content)
            else:
                self.transport.write(content)

    def _write(self, content: bytes) -> None:
        if not self.transport.is_closing():  # the client can have closed the connection
            self.transport.write(content)


@attrs.frozen
class Server:
    """A running server.

    Attributes:
        port: Its port on 127.0.0.1.
    """

    port: int

    def at(self, *, wait: int = 0, pages: int = 1) -> str:
        """The base URL with which responses come `wait` milliseconds later, and lists have `pages` pages."""
        return f"http://127.0.0.1:{self.port}/{wait}ms/{pages}pages"

    async def ceiling(self, seconds: float = 0.5) -> float:
        """How many requests a second it can handle. They are pipelined, so that sending costs little."""
        request = b"GET /0ms/1pages/v1/backup_instances/1/backups/active HTTP/1.1\r\nHost: x\r\n\r\n" * 32
        received = 0

        async def send() -> None:
            nonlocal received
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                writer.write(request)
                await reader.readexactly(32 * len(_ACTIVE))
                received += 32
            writer.close()
            await writer.wait_closed()

        await asyncio.gather(*(send() for _ in range(8)))
        return received / seconds


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Start the server, and stop it."""
    command = [sys.executable, "-m", "tests.benchmarks.speed.server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Server(int(process.stdout.readline()))
        finally:
            process.terminate()


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(RespondingProtocol, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(ModuleNotFoundError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(main())
