"""One request over a real socket, and what may come back."""

import asyncio
import gzip
import socket
import traceback
from pathlib import Path

import aiohttp
import attrs
import pytest
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from backupify_async import (
    BackupifyClient,
    ClientClosed,
    ConfigurationError,
    ConnectionFailed,
    DecodeError,
    RequestTimeout,
    StaticToken,
    Timeouts,
    TransportError,
)
from backupify_async._transport import aiohttp_connections
from backupify_async._transport.aiohttp_transport import AiohttpTransport
from backupify_async.version import __version__
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


class TestWhatIsSent:
    async def test_every_request_says_who_we_are_and_what_we_read(self) -> None:
        async with (
            serving(OK) as server,
            BackupifyClient(StaticToken("static-token"), base_url=server.base_url) as client,
        ):
            await client.backups.get(42, 1)
        assert "Accept-Encoding: gzip, deflate" in server.header_lines
        assert f"User-Agent: backupify-async/{__version__}" in server.header_lines
        assert "Accept: application/json" in server.header_lines
        assert "Authorization: Bearer static-token" in server.header_lines

    async def test_a_post_without_a_body_has_no_content_type(self) -> None:
        async with serving(OK) as server, open_transport_to(server.base_url) as transport:
            await transport(send("POST", server.base_url))
        assert not [line for line in server.header_lines if line.startswith("Content-Type")]
        assert "Content-Length: 0" in server.header_lines

    async def test_a_form_has_its_content_type_once(self) -> None:
        kind = "application/x-www-form-urlencoded"
        async with serving(OK) as server, open_transport_to(server.base_url) as transport:
            await transport(send("POST", server.base_url, "/x", b"a=b", {"Content-Type": kind}))
        assert server.requests[0].endswith(b"\r\n\r\na=b")
        lines = [line for line in server.header_lines if line.startswith("Content-Type")]
        assert lines == [f"Content-Type: {kind}"]

    @pytest.mark.parametrize("path", ["/v1/a%2Fb/c", "/v1/x?page%5Bnumber%5D=2&q=%2F", "/v1/%252e"])
    async def test_a_path_goes_as_it_stands(self, path: str) -> None:
        async with serving(OK) as server, open_transport_to(server.base_url) as transport:
            plain = get(server.base_url)
            url = plain.url.build(scheme="http", host="127.0.0.1", port=plain.url.port)
            url = type(url)(str(url).rstrip("/") + path, encoded=True)
            await transport(attrs.evolve(plain, url=url))
        assert server.requests[0].startswith(f"GET {path} HTTP/1.1\r\n".encode())

    async def test_no_cookie_is_kept(self) -> None:
        """Through a proxy, for aiohttp keeps none from a bare address anyway."""
        cookie, api = http(200, b"", "Set-Cookie: session=1; Path=/"), "http://api.example"
        async with (
            serving(cookie) as server,
            open_transport_to(api, proxy=server.base_url, allow_insecure=True) as transport,
        ):
            for _ in range(2):
                await transport(get(api))
        assert not [line for line in server.header_lines if line.startswith("Cookie")]


class TestTheBody:
    @pytest.mark.parametrize(
        "raw",
        [http(200, b"x" * 100), chunked(b"x" * 60, b"x" * 40), packed(b"x" * 100)],
        ids=["plain", "chunked", "packed"],
    )
    async def test_the_cap_may_be_met(self, raw: bytes) -> None:
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
    async def test_more_than_the_cap_is_a_decode_error(self, raw: bytes) -> None:
        async with (
            serving(raw) as server,
            open_transport_to(server.base_url, max_body_bytes=100) as transport,
        ):
            with pytest.raises(DecodeError, match="the body is larger than max_body_bytes=100") as caught:
                await transport(get(server.base_url))
        assert (caught.value.path, caught.value.excerpt) == ("/v1/ping", "x" * 100)

    async def test_a_body_that_comes_faster_than_it_is_read_is_read_whole(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain, pauses = ResponseHandler.pause_reading, list[None]()

        def pause(protocol: ResponseHandler) -> None:
            pauses.append(None)
            plain(protocol)

        monkeypatch.setattr(ResponseHandler, "pause_reading", pause)
        monkeypatch.setattr(aiohttp_connections, "_RECEIVED_BYTES", 2**20)  # else none is that fast here
        raw = chunked(*[b"x"] * 100_000)
        async with serving(raw, OK) as server, open_transport_to(server.base_url) as transport:
            assert (await transport(get(server.base_url))).body == b"x" * 100_000
            assert (await transport(get(server.base_url))).status == 200
        assert pauses

    async def test_the_connection_of_one_too_large_is_not_used_again(self) -> None:
        responses = chunked(b"x" * 101), OK
        async with (
            serving(*responses) as server,
            open_transport_to(server.base_url, max_body_bytes=100) as transport,
        ):
            with pytest.raises(DecodeError):
                await transport(get(server.base_url))
            assert (await transport(get(server.base_url))).status == 200

    async def test_is_read_in_pieces_for_which_no_memory_has_to_be_mapped(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain, most = socket.socket.recv, dict[int, int]()

        def recv(self: socket.socket, size: int) -> bytes:
            if self.family == socket.AF_INET:  # and not the loop's own pair
                port = self.getpeername()[1]
                most[port] = max(size, most.get(port, 0))
            return plain(self, size)

        monkeypatch.setattr(socket.socket, "recv", recv)
        async with (
            serving(http(200, b"x" * 300_000)) as server,
            open_transport_to(server.base_url) as transport,
        ):
            response = await transport(get(server.base_url))
        assert (len(response.body), most[URL(server.base_url).port or 0]) == (300_000, 65_536)

    async def test_an_errors_body_is_cut_and_no_error(self) -> None:
        async with (
            serving(http(500, b"x" * 100_000)) as server,
            open_transport_to(server.base_url) as transport,
        ):
            response = await transport(get(server.base_url))
        assert (response.status, len(response.body), response.whole) == (500, 65_536, False)

    async def test_half_a_body_is_a_transport_error(self) -> None:
        async with serving(truncated(200)) as server, open_transport_to(server.base_url) as transport:
            with pytest.raises(TransportError, match="closed in the middle of the response") as caught:
                await transport(get(server.base_url))
        assert caught.value.sent

    @pytest.mark.parametrize("status", [302, 401, 404, 409, 429, 503])
    async def test_half_an_errors_body_keeps_the_status(self, status: int) -> None:
        async with serving(truncated(status)) as server, open_transport_to(server.base_url) as transport:
            response = await transport(get(server.base_url))
        assert (response.status, response.whole) == (status, False)
        assert response.headers["x-request-id"] == "r1"

    @pytest.mark.parametrize("timeouts", [Timeouts(read=0.05), Timeouts(attempt=0.05)])
    async def test_an_errors_body_that_stalls_keeps_the_status(self, timeouts: Timeouts) -> None:
        stalled = b"HTTP/1.1 409 X\r\nContent-Length: 99\r\n\r\nhalf"
        async with (
            serving(stalled) as server,
            open_transport_to(server.base_url, timeouts=timeouts) as transport,
        ):
            assert (await transport(get(server.base_url))).status == 409
            task = asyncio.current_task()
            assert task is not None
            assert not task.cancelling()


class TestABrokenAnswer:
    @pytest.mark.parametrize(
        "raw",
        [
            b"SMTP ready\r\n\r\n" + ScriptedServer.CLOSE,
            b"HTTP/1.1 200 X\r\nContent-Length: many\r\n\r\n" + ScriptedServer.CLOSE,
            http(200, b"", f"X-Long: {'x' * 65_537}"),
        ],
        ids=["no HTTP", "no length", "headers too large"],
    )
    async def test_it_is_a_transport_error_and_not_the_400_that_aiohttp_makes_up(self, raw: bytes) -> None:
        async with serving(raw) as server, open_transport_to(server.base_url) as transport:
            with pytest.raises(TransportError, match="not valid HTTP, or its headers are too large"):
                await transport(get(server.base_url))

    async def test_a_header_of_64_kib_is_none(self) -> None:
        raw = http(429, b"", "Retry-After: 3", f"X-Long: {'x' * (65_536 - len('X-Long'))}")
        async with serving(raw) as server, open_transport_to(server.base_url) as transport:
            response = await transport(get(server.base_url))
        assert (response.status, response.headers["Retry-After"]) == (429, "3")

    async def test_a_refused_connection_sent_nothing(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            base_url = f"http://127.0.0.1:{free.getsockname()[1]}"
        async with open_transport_to(base_url) as transport:
            with pytest.raises(ConnectionFailed, match=r"no connection to 127\.0\.0\.1:\d+: ") as caught:
                await transport(get(base_url))
        assert not caught.value.sent

    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_a_disconnect_is_one_request_that_we_counted(self, method: str) -> None:
        """Pins `_retry_connection`, which is private: aiohttp would send the GET twice."""
        async with (
            serving(OK, ScriptedServer.CLOSE) as server,
            open_transport_to(server.base_url) as transport,
        ):
            await transport(get(server.base_url))
            with pytest.raises(TransportError, match="closed the connection before it responded") as caught:
                await transport(send(method, server.base_url))
        assert (len(server.requests), caught.value.sent) == (2, True)

    async def test_silence_is_a_read_time_out(self) -> None:
        timeouts = Timeouts(read=0.05)
        async with (
            serving(None) as server,
            open_transport_to(server.base_url, timeouts=timeouts) as transport,
        ):
            with pytest.raises(RequestTimeout, match=r"paused for longer than read=0.05 s$") as caught:
                await transport(get(server.base_url))
        assert caught.value.sent
        assert (caught.value.limit, caught.value.seconds) == ("read", 0.05)

    async def test_an_attempt_that_takes_too_long_is_a_time_out(self) -> None:
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
    async def test_its_error_holds_no_token_even_in_its_context(self, raw: bytes) -> None:
        async with serving(raw) as server, open_transport_to(server.base_url) as transport:
            with pytest.raises(TransportError) as caught:
                await transport(get(server.base_url))
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        assert "static-token" not in "".join(traceback.format_exception(caught.value))


class TestARedirect:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_it_is_not_followed_and_the_token_does_not_travel(self, status: int) -> None:
        async with serving(OK) as elsewhere:
            location = http(status, b"", f"Location: {elsewhere.base_url}/v1/ping")
            async with serving(location) as server, open_transport_to(server.base_url) as transport:
                response = await transport(get(server.base_url))
        assert (response.status, len(server.requests), elsewhere.requests) == (status, 1, [])


class TestTheConnector:
    async def test_one_of_the_callers_stays_open(self) -> None:
        connector = aiohttp.TCPConnector()
        async with serving(OK) as server:
            async with open_transport_to(server.base_url, connector) as transport:
                await transport(get(server.base_url))
            assert not connector.closed
        await connector.close()

    async def test_there_are_no_more_places_than_it_takes(self) -> None:
        connector = aiohttp.TCPConnector(limit=20, limit_per_host=5)
        async with open_transport_to("http://127.0.0.1", connector) as transport:
            assert transport.max_concurrency == 5
        await connector.close()

    async def test_one_without_limits_sets_none(self) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        async with open_transport_to("http://127.0.0.1", connector, max_concurrency=7) as transport:
            assert transport.max_concurrency is None
        await connector.close()

    async def test_one_that_the_user_closed_too_early_is_an_error_of_ours(self) -> None:
        connector = aiohttp.TCPConnector()
        async with open_transport_to("http://127.0.0.1", connector) as transport:
            await connector.close()
            with pytest.raises(ConfigurationError, match="the connector that the client was given is closed"):
                await transport(get("http://127.0.0.1"))

    async def test_one_of_another_loop_is_refused(self) -> None:
        connector = await asyncio.to_thread(lambda: asyncio.run(made_elsewhere()))
        with pytest.raises(ConfigurationError, match="connector: was made in another event loop"):
            async with open_transport_to("http://127.0.0.1", connector):
                pass

    async def test_an_exchange_that_was_never_open_can_be_closed(self) -> None:
        await AiohttpTransport().close()

    async def test_an_exchange_that_is_closed_says_so(self) -> None:
        async with open_transport_to("http://127.0.0.1") as transport:
            await transport.close()
            with pytest.raises(ClientClosed, match="nothing was sent"):
                await transport(get("http://127.0.0.1"))


async def made_elsewhere() -> aiohttp.BaseConnector:
    """A connector of this loop, closed so that it warns nobody."""
    connector = aiohttp.TCPConnector()
    await connector.close()
    return connector


async def test_netrc_is_never_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n", "utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    async with serving(OK) as server, open_transport_to(server.base_url, trust_env=True) as transport:
        await transport(get(server.base_url))
    assert "Authorization: Bearer static-token" in server.header_lines
