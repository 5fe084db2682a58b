"""A kept connection on which bytes arrived meanwhile is not used again: they could be read as a response."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest

from backupify_async._transport import aiohttp_connections
from tests.support.aiohttp_transports import get, open_transport_to, send
from tests.support.raw_servers import http, raw_server, serving


def response_to(number: int) -> bytes:
    return http(200, b'{"id": %d}' % number)


class WritableServer:
    """A server that responds by the path of a request, and whose connections a test can write to."""

    def __init__(self) -> None:
        self.writers: list[asyncio.StreamWriter] = []
        self.trailing = b""
        """Follows the next response, in the same write."""

    async def __call__(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        """Respond to one request."""
        if writer not in self.writers:
            self.writers.append(writer)
        writer.write(response_to(int(request.split()[1].removeprefix(b"/"))) + self.trailing)
        self.trailing = b""


@contextlib.asynccontextmanager
async def writable_server() -> AsyncIterator[tuple[WritableServer, str]]:
    server = WritableServer()
    async with raw_server(server) as base_url:
        yield server, base_url


Wait = Callable[[], Awaitable[None]]


async def at_once() -> None:
    """The bytes are in the kernel; the loop has not read them."""


async def later() -> None:
    """The loop has read them."""
    for _ in range(20):
        await asyncio.sleep(0)


LATE = [
    response_to(1),
    response_to(1)[:20],
    response_to(1) + response_to(1),
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
    b"\r\n",
    b"H",
    b"no HTTP at all",
]


@pytest.mark.parametrize("wait", [at_once, later])
@pytest.mark.parametrize("late", LATE)
async def test_a_late_response_is_not_read_as_that_of_another_request(late: bytes, wait: Wait) -> None:
    async with writable_server() as (server, base_url), open_transport_to(base_url) as transport:
        await transport(get(base_url, "/1"))
        server.writers[0].write(late)
        await wait()
        assert (await transport(get(base_url, "/2"))).body == b'{"id": 2}'
        assert len(server.writers) == 2


@pytest.mark.parametrize("wait", [at_once, later])
@pytest.mark.parametrize("trailing", [response_to(1), b"\0" * 8, b"0\r\n\r\n"])
async def test_bytes_after_a_response_are_dropped_with_their_connection(trailing: bytes, wait: Wait) -> None:
    async with writable_server() as (server, base_url), open_transport_to(base_url) as transport:
        server.trailing = trailing
        assert (await transport(get(base_url, "/1"))).body == b'{"id": 1}'
        await wait()
        assert (await transport(get(base_url, "/2"))).body == b'{"id": 2}'
        assert len(server.writers) == 2


@pytest.mark.parametrize("wait", [at_once, later])
async def test_a_connection_that_was_closed_meanwhile_fails_no_request(wait: Wait) -> None:
    async with writable_server() as (server, base_url), open_transport_to(base_url) as transport:
        await transport(get(base_url, "/1"))
        server.writers[0].get_extra_info("socket").shutdown(socket.SHUT_WR)
        await wait()
        assert (await transport(get(base_url, "/2"))).body == b'{"id": 2}'


async def test_no_connection_with_a_late_response_is_used_again() -> None:
    async with writable_server() as (server, base_url), open_transport_to(base_url) as transport:
        await asyncio.gather(*(transport(get(base_url, f"/{number}")) for number in range(5)))
        for writer in server.writers:
            writer.write(response_to(99))
        assert (await transport(get(base_url, "/2"))).body == b'{"id": 2}'
        assert len(server.writers) == 6


async def test_a_quiet_connection_is_used_again() -> None:
    async with writable_server() as (server, base_url), open_transport_to(base_url) as transport:
        for number in range(5):
            await transport(get(base_url, f"/{number}"))
            await later()
        assert len(server.writers) == 1


@pytest.mark.parametrize("late", [response_to(1), b"HTTP/1.1 100 Continue\r\n\r\n", b"no HTTP at all"])
@pytest.mark.parametrize("wait", [at_once, later])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_users_connector_reads_no_late_response_either(late: bytes, wait: Wait, method: str) -> None:
    async with aiohttp.TCPConnector() as connector, writable_server() as (server, base_url):
        async with open_transport_to(base_url, connector) as transport:
            await transport(get(base_url, "/1"))
            server.writers[0].write(late)
            await wait()
            assert (await transport(send(method, base_url, "/2"))).body == b'{"id": 2}'
            await transport(get(base_url, "/3"))
        assert len(server.writers) == 2


async def test_an_aiohttp_with_other_internals_is_checked_from_outside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aiohttp_connections, "_INNER_PARTS", ("_unknown",))
    async with writable_server() as (server, base_url), open_transport_to(base_url) as transport:
        await transport(get(base_url, "/1"))
        server.writers[0].write(response_to(1))
        assert (await transport(get(base_url, "/2"))).body == b'{"id": 2}'


async def test_a_system_without_poll_is_asked_by_select(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("select.poll")
    async with writable_server() as (server, base_url), open_transport_to(base_url) as transport:
        for number in (1, 2):
            await transport(get(base_url, f"/{number}"))
        server.writers[0].write(response_to(1))
        assert (await transport(get(base_url, "/3"))).body == b'{"id": 3}'
        assert len(server.writers) == 2


class TestAResponseWithoutContent:
    @pytest.mark.parametrize(
        "rest",
        [
            b"\r\n",
            b"Content-Length: 4\r\n\r\n",
            b"Content-Length: 4\r\n\r\nnull",
            b"Transfer-Encoding: chunked\r\n\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_ends_with_its_head(self, rest: bytes, method: str) -> None:
        """RFC 9112 §6.3."""
        async with (
            serving(b"HTTP/1.1 204 No Content\r\n" + rest) as server,
            open_transport_to(server.base_url) as transport,
        ):
            for _ in range(3):
                response = await transport(send(method, server.base_url))
                assert (response.status, response.body) == (204, b"")

    async def test_ends_with_its_head_even_if_that_arrives_in_pieces(self) -> None:
        async def serve(_request: bytes, writer: asyncio.StreamWriter) -> None:
            for piece in (b"HTTP/1.1 204 No", b" Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"):
                writer.write(piece)
                await later()

        async with raw_server(serve) as base_url:
            async with open_transport_to(base_url) as transport:
                assert (await transport(get(base_url))).status == 204
            await later()  # then the server has closed its end too

    async def test_is_skipped_if_it_is_an_interim_one(self) -> None:
        interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"
        async with (
            serving(interim + response_to(1)) as server,
            open_transport_to(server.base_url) as transport,
        ):
            for _ in range(2):
                response = await transport(get(server.base_url))
                assert (response.status, response.body) == (200, b'{"id": 1}')
