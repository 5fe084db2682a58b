"""A transport over a `ClientSession` of the user's, which the client neither changes nor closes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from backupify_async import AiohttpTransport, BackupifyClient, ConfigurationError, StaticToken
from tests.support.aiohttp_transports import get, open_transport
from tests.support.raw_servers import ScriptedServer, http, serving
from tests.support.transport_values import make_response

OK = http(200, b'{"id": 7, "status": "running"}')


@contextlib.asynccontextmanager
async def user_session(**options: Any) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(**options) as session:
        yield session


class TestASessionOfTheUsers:
    async def test_is_open_after_the_client_is_closed(self) -> None:
        async with serving(OK) as server, user_session() as session:
            transport = AiohttpTransport(session=session)
            async with BackupifyClient(
                StaticToken("t"), base_url=server.base_url, transport=transport
            ) as client:
                await client.backups.get_active(42)
            assert not session.closed
            async with session.get(server.base_url) as response:
                assert response.status == 200

    async def test_is_used_with_its_connector_and_its_trace_configs(self) -> None:
        trace, started = aiohttp.TraceConfig(), []

        async def record(_session: object, _context: object, params: aiohttp.TraceRequestStartParams) -> None:
            started.append(params.url.path)

        trace.on_request_start.append(record)
        connector = aiohttp.TCPConnector(limit=3)
        async with serving(OK) as server, user_session(connector=connector, trace_configs=[trace]) as own:
            transport = AiohttpTransport(session=own)
            assert transport.max_concurrency == 3
            async with open_transport(server.base_url, transport):
                await transport(get(server.base_url, "/v1/ping"))
        assert started == ["/v1/ping"]

    async def test_that_trusts_the_environment_sends_through_its_proxy(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        api = "http://api.example"
        async with serving(OK) as proxy, user_session(trust_env=True) as session:
            monkeypatch.setenv("HTTP_PROXY", proxy.base_url)
            transport = AiohttpTransport(session=session)
            async with open_transport(api, transport, allow_insecure=True):
                await transport(get(api))
        assert proxy.requests[0].startswith(b"GET http://api.example/v1/ping")


class TestOverASessionOfTheUsers:
    async def sent_to(self, *responses: bytes) -> tuple[int, ScriptedServer]:
        async with serving(*responses) as server, user_session() as session:
            transport = AiohttpTransport(session=session)
            async with open_transport(server.base_url, transport):
                response = await transport(get(server.base_url))
                return response.status, server

    async def test_no_redirect_is_followed(self) -> None:
        status, server = await self.sent_to(http(302, b"", "Location: /elsewhere"), OK)
        assert (status, len(server.requests)) == (302, 1)

    async def test_nothing_is_resent(self) -> None:
        async with serving(OK, ScriptedServer.CLOSE, OK) as server, user_session() as session:
            transport = AiohttpTransport(session=session)
            async with open_transport(server.base_url, transport):
                await transport(get(server.base_url))
                with pytest.raises(Exception, match="closed the connection"):
                    await transport(get(server.base_url))
        assert len(server.requests) == 2

    async def test_no_cookie_is_sent_or_kept(self) -> None:
        jar = aiohttp.CookieJar(unsafe=True)
        async with (
            serving(http(200, b"", "Set-Cookie: theirs=1")) as server,
            user_session(cookie_jar=jar, cookies={"mine": "1"}) as session,
        ):
            transport = AiohttpTransport(session=session)
            async with open_transport(server.base_url, transport):
                await transport(get(server.base_url))
        assert not [line for line in server.header_lines if line.startswith("Cookie")]
        assert [cookie.key for cookie in jar] == ["mine"]

    async def test_an_incomplete_gzip_is_an_error(self) -> None:
        with pytest.raises(Exception, match="gzip"):
            await self.sent_to(http(200, b"\x1f\x8b\x08\x00", "Content-Encoding: gzip"))


class TestRefused:
    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"headers": {"X-Tenant": "s3cret"}}, "session: has headers: give them to the client"),
            ({"proxy": "http://u:s3cret@proxy.example"}, "session: has proxy: give its proxy= to the client"),
            (
                {"middlewares": (lambda request, handler: make_response(),)},
                "session: has middlewares: a middleware",
            ),
        ],
    )
    async def test_is_a_setting_that_would_be_ignored_or_break_a_guarantee(
        self, options: dict[str, Any], problem: str
    ) -> None:
        async with user_session(**options) as session:
            with pytest.raises(ConfigurationError, match=problem) as caught:
                AiohttpTransport(session=session)
        assert "s3cret" not in str(caught.value)

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    async def test_is_a_session_with_a_user_and_a_password(self) -> None:
        async with user_session(auth=aiohttp.BasicAuth("user", "s3cret")) as session:
            with pytest.raises(ConfigurationError, match="session: has auth: the client sends a token"):
                AiohttpTransport(session=session)

    async def test_is_a_session_that_is_closed(self) -> None:
        async with user_session() as session:
            pass
        with pytest.raises(ConfigurationError, match="session: is closed"):
            AiohttpTransport(session=session)

    async def test_is_a_connector_beside_a_session(self) -> None:
        async with user_session() as session:
            with pytest.raises(ConfigurationError, match="connector: the session has one already"):
                AiohttpTransport(session.connector, session=session)

    async def test_is_a_transport_that_another_client_uses(self) -> None:
        transport = AiohttpTransport()
        async with open_transport("http://127.0.0.1", transport):
            with pytest.raises(ConfigurationError, match="transport: is open already"):
                async with open_transport("http://127.0.0.1", transport):
                    pass

    def test_is_a_session_of_another_loop(self) -> None:
        async def make() -> aiohttp.ClientSession:
            return aiohttp.ClientSession()

        async def use(session: aiohttp.ClientSession) -> None:
            transport = AiohttpTransport(session=session)
            with pytest.raises(ConfigurationError, match="made in another event loop"):
                async with open_transport("http://127.0.0.1", transport):
                    pass
            await session.close()

        asyncio.run(use(asyncio.run(make())))
