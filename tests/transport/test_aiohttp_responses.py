"""Which responses the aiohttp transport returns over a real socket, and its errors."""

import asyncio
import gzip
import socket
import traceback

import pytest
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from backupify_async import ConnectionFailed, DecodeError, RequestTimeout, Timeouts, TransportError
from backupify_async._transport import aiohttp_connections
from tests.support.aiohttp_transports import get, open_transport_to, send
from tests.support.raw_servers import ScriptedServer, http, serving

OK = http(200, b'{"id": 1}', "Content-Type: application/json")


def chunked(*chunks: bytes, status: int = 200) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    return b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n%s" % (status, body)


def truncated(status: int, body: bytes = b"half") -> bytes:
    head = b"HTTP/1.1 %d X\r\nX-Request-Id: r1\r\nContent-Length: 99\r\n\r\n" % status
    return head + body + ScriptedServer.CLOSE


def packed(body: bytes) -> bytes:
    return http(200, gzip.compress(body), "Content-Encoding: gzip")


class TestTheBody:
    @pytest.mark.parametrize(
        "raw",
        [http(200, b"x" * 100), chunked(b"x" * 60, b"x" * 40), packed(b"x" * 100)],
        ids=["plain", "chunked", "packed"],
    )
    async def test_can_be_as_large_as_the_cap(self, raw: bytes) -> None:
        async with (
            serving(raw) as server,
            open_transport_to(server.base_url, max_body_bytes=100) as transport,
        ):
            response = await transport(get(server.base_url))
        assert (response.body, response.whole) == (b"x" * 100, True)

    @pytest.mark.parametrize(
        "raw",
        [http(200, b"x" * 101), chunked(b"x" * 60, b"x" * 41), packed(b"x" * 101), packed(b"x" * 50_000_000)],
        ids=["plain", "chunked", "packed", "bomb"],
    )
    async def test_over_the_cap_is_a_decode_error(self, raw: bytes) -> None:
        async with (
            serving(raw) as server,
            open_transport_to(server.base_url, max_body_bytes=100) as transport,
        ):
            with pytest.raises(DecodeError, match="the body is larger than max_body_bytes=100") as caught:
                await transport(get(server.base_url))
        assert (caught.value.path, caught.value.excerpt) == ("/v1/ping", "x" * 100)

    async def test_that_arrives_faster_than_it_is_read_is_read_whole(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain, pauses = ResponseHandler.pause_reading, list[None]()

        def pause(protocol: ResponseHandler) -> None:
            pauses.append(None)
            plain(protocol)

        monkeypatch.setattr(ResponseHandler, "pause_reading", pause)
        monkeypatch.setattr(aiohttp_connections, "_RECEIVED_BYTES", 2**20)  # else no body is fast enough
        raw = chunked(*[b"x"] * 100_000)
        async with serving(raw, OK) as server, open_transport_to(server.base_url) as transport:
            assert (await transport(get(server.base_url))).body == b"x" * 100_000
            assert (await transport(get(server.base_url))).status == 200
        assert pauses

    async def test_over_the_cap_makes_its_connection_unusable(self) -> None:
        responses = chunked(b"x" * 101), OK
        async with (
            serving(*responses) as server,
            open_transport_to(server.base_url, max_body_bytes=100) as transport,
        ):
            with pytest.raises(DecodeError):
                await transport(get(server.base_url))
            assert (await transport(get(server.base_url))).status == 200

    async def test_is_read_in_pieces_so_small_that_no_memory_is_mapped(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain, largest = socket.socket.recv, dict[int, int]()

        def recv(self: socket.socket, size: int) -> bytes:
            if self.family == socket.AF_INET:  # and not the loop's own pair
                port = self.getpeername()[1]
                largest[port] = max(size, largest.get(port, 0))
            return plain(self, size)

        monkeypatch.setattr(socket.socket, "recv", recv)
        async with (
            serving(http(200, b"x" * 300_000)) as server,
            open_transport_to(server.base_url) as transport,
        ):
            response = await transport(get(server.base_url))
        assert (len(response.body), largest[URL(server.base_url).port or 0]) == (300_000, 65_536)

    async def test_of_an_error_is_cut_at_64_kib(self) -> None:
        async with (
            serving(http(500, b"x" * 100_000)) as server,
            open_transport_to(server.base_url) as transport,
        ):
            response = await transport(get(server.base_url))
        assert (response.status, len(response.body), response.whole) == (500, 65_536, False)

    async def test_that_ends_too_early_is_a_transport_error(self) -> None:
        async with serving(truncated(200)) as server, open_transport_to(server.base_url) as transport:
            with pytest.raises(TransportError, match="closed in the middle of the response") as caught:
                await transport(get(server.base_url))
        assert caught.value.sent

    @pytest.mark.parametrize("status", [302, 401, 404, 409, 429, 503])
    async def test_of_an_error_that_ends_too_early_keeps_the_status(self, status: int) -> None:
        async with serving(truncated(status)) as server, open_transport_to(server.base_url) as transport:
            response = await transport(get(server.base_url))
        assert (response.status, response.whole) == (status, False)
        assert response.headers["x-request-id"] == "r1"

    @pytest.mark.parametrize("timeouts", [Timeouts(read=0.05), Timeouts(attempt=0.05)])
    async def test_of_an_error_that_stalls_keeps_the_status(self, timeouts: Timeouts) -> None:
        stalled = b"HTTP/1.1 409 X\r\nContent-Length: 99\r\n\r\nhalf"
        async with (
            serving(stalled) as server,
            open_transport_to(server.base_url, timeouts=timeouts) as transport,
        ):
            assert (await transport(get(server.base_url))).status == 409
            task = asyncio.current_task()
            assert task is not None
            assert not task.cancelling()


class TestABrokenResponse:
    @pytest.mark.parametrize(
        "raw",
        [
            b"SMTP ready\r\n\r\n" + ScriptedServer.CLOSE,
            b"HTTP/1.1 200 X\r\nContent-Length: many\r\n\r\n" + ScriptedServer.CLOSE,
            http(200, b"", f"X-Long: {'x' * 65_537}"),
        ],
        ids=["no HTTP", "no length", "headers too large"],
    )
    async def test_is_a_transport_error_and_not_the_400_that_aiohttp_invents(self, raw: bytes) -> None:
        async with serving(raw) as server, open_transport_to(server.base_url) as transport:
            with pytest.raises(TransportError, match="not valid HTTP, or its headers are too large"):
                await transport(get(server.base_url))

    async def test_is_not_one_with_a_header_of_64_kib(self) -> None:
        raw = http(429, b"", "Retry-After: 3", f"X-Long: {'x' * (65_536 - len('X-Long'))}")
        async with serving(raw) as server, open_transport_to(server.base_url) as transport:
            response = await transport(get(server.base_url))
        assert (response.status, response.headers["Retry-After"]) == (429, "3")

    async def test_is_not_in_doubt_if_the_connection_was_refused(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            base_url = f"http://127.0.0.1:{free.getsockname()[1]}"
        async with open_transport_to(base_url) as transport:
            with pytest.raises(ConnectionFailed, match=r"no connection to 127\.0\.0\.1:\d+: ") as caught:
                await transport(get(base_url))
        assert not caught.value.sent

    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_does_not_make_aiohttp_send_the_request_again(self, method: str) -> None:
        """Depends on `_retry_connection`, which is private: else aiohttp would send the GET twice."""
        async with (
            serving(OK, ScriptedServer.CLOSE) as server,
            open_transport_to(server.base_url) as transport,
        ):
            await transport(get(server.base_url))
            with pytest.raises(TransportError, match="closed the connection before it responded") as caught:
                await transport(send(method, server.base_url))
        assert (len(server.requests), caught.value.sent) == (2, True)

    async def test_that_never_begins_is_a_read_time_out(self) -> None:
        timeouts = Timeouts(read=0.05)
        async with (
            serving(None) as server,
            open_transport_to(server.base_url, timeouts=timeouts) as transport,
        ):
            with pytest.raises(RequestTimeout, match=r"paused for longer than read=0.05 s$") as caught:
                await transport(get(server.base_url))
        assert caught.value.sent
        assert (caught.value.limit, caught.value.seconds) == ("read", 0.05)

    async def test_that_takes_too_long_is_a_time_out_of_the_attempt(self) -> None:
        timeouts = Timeouts(attempt=0.05)
        async with (
            serving(None) as server,
            open_transport_to(server.base_url, timeouts=timeouts) as transport,
        ):
            with pytest.raises(RequestTimeout, match=r"attempt took longer than attempt=0.05 s$") as caught:
                await transport(get(server.base_url))
        assert (caught.value.limit, caught.value.seconds) == ("attempt", 0.05)

    @pytest.mark.parametrize(
        "raw", [ScriptedServer.CLOSE, truncated(200), b"SMTP\r\n\r\n" + ScriptedServer.CLOSE]
    )
    async def test_is_an_error_without_the_token_even_in_its_context(self, raw: bytes) -> None:
        async with serving(raw) as server, open_transport_to(server.base_url) as transport:
            with pytest.raises(TransportError) as caught:
                await transport(get(server.base_url))
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        assert "static-token" not in "".join(traceback.format_exception(caught.value))
