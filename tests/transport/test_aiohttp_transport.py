"""What the aiohttp transport sends over a real socket, and with which connector."""

import asyncio
from pathlib import Path

import aiohttp
import attrs
import pytest

from backupify_async import BackupifyClient, ClientClosed, ConfigurationError, StaticToken
from backupify_async._transport.aiohttp_transport import AiohttpTransport
from backupify_async.version import __version__
from tests.support.aiohttp_transports import get, open_transport_to, send
from tests.support.raw_servers import http, serving

OK = http(200, b'{"id": 1}', "Content-Type: application/json")


class TestWhatIsSent:
    async def test_every_request_names_the_client_and_what_it_accepts(self) -> None:
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
    async def test_a_path_is_sent_unchanged(self, path: str) -> None:
        async with serving(OK) as server, open_transport_to(server.base_url) as transport:
            plain = get(server.base_url)
            url = plain.url.build(scheme="http", host="127.0.0.1", port=plain.url.port)
            url = type(url)(str(url).rstrip("/") + path, encoded=True)
            await transport(attrs.evolve(plain, url=url))
        assert server.requests[0].startswith(f"GET {path} HTTP/1.1\r\n".encode())

    async def test_no_cookie_is_kept(self) -> None:
        """The request goes through a proxy: from an IP address aiohttp keeps no cookie anyway."""
        cookie, api = http(200, b"", "Set-Cookie: session=1; Path=/"), "http://api.example"
        async with (
            serving(cookie) as server,
            open_transport_to(api, proxy=server.base_url, allow_insecure=True) as transport,
        ):
            for _ in range(2):
                await transport(get(api))
        assert not [line for line in server.header_lines if line.startswith("Cookie")]


class TestARedirect:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_is_not_followed_and_gets_no_token(self, status: int) -> None:
        async with serving(OK) as elsewhere:
            location = http(status, b"", f"Location: {elsewhere.base_url}/v1/ping")
            async with serving(location) as server, open_transport_to(server.base_url) as transport:
                response = await transport(get(server.base_url))
        assert (response.status, len(server.requests), elsewhere.requests) == (status, 1, [])


class TestTheConnector:
    async def test_of_the_user_stays_open(self) -> None:
        connector = aiohttp.TCPConnector()
        async with serving(OK) as server:
            async with open_transport_to(server.base_url, connector) as transport:
                await transport(get(server.base_url))
            assert not connector.closed
        await connector.close()

    async def test_limits_how_many_requests_are_in_flight(self) -> None:
        connector = aiohttp.TCPConnector(limit=20, limit_per_host=5)
        async with open_transport_to("http://127.0.0.1", connector) as transport:
            assert transport.max_concurrency == 5
        await connector.close()

    async def test_without_limits_limits_nothing(self) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        async with open_transport_to("http://127.0.0.1", connector, max_concurrency=7) as transport:
            assert transport.max_concurrency is None
        await connector.close()

    async def test_that_the_user_closed_too_early_is_an_error_of_ours(self) -> None:
        connector = aiohttp.TCPConnector()
        async with open_transport_to("http://127.0.0.1", connector) as transport:
            await connector.close()
            with pytest.raises(ConfigurationError, match="the connector that the client was given is closed"):
                await transport(get("http://127.0.0.1"))

    async def test_of_another_loop_is_refused(self) -> None:
        connector = await asyncio.to_thread(lambda: asyncio.run(made_elsewhere()))
        with pytest.raises(ConfigurationError, match="connector: was made in another event loop"):
            async with open_transport_to("http://127.0.0.1", connector):
                pass

    async def test_of_a_transport_that_was_never_open_stays_open_when_that_is_closed(self) -> None:
        connector = aiohttp.TCPConnector()
        await AiohttpTransport(connector).close()
        assert not connector.closed
        await connector.close()

    async def test_of_a_closed_transport_sends_nothing(self) -> None:
        async with open_transport_to("http://127.0.0.1") as transport:
            await transport.close()
            with pytest.raises(ClientClosed, match="nothing was sent"):
                await transport(get("http://127.0.0.1"))


async def made_elsewhere() -> aiohttp.BaseConnector:
    """A connector of this loop, closed so that it causes no warning."""
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
