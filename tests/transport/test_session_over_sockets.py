"""A whole session over a real socket, and what its errors show."""

import pytest

from backupify_async import (
    APIError,
    AuthenticationError,
    BackupifyError,
    ClientCredentials,
    RateLimited,
    RetryPolicy,
    Settings,
    TransportError,
)
from backupify_async._transport.aiohttp_transport import AiohttpTransport
from backupify_async._transport.session import Session
from tests.support.raw_servers import ScriptedServer, http, serving
from tests.support.scripted import PING

TOKEN = http(200, b'{"access_token": "t0ken-of-the-server", "expires_in": "899"}')
OK = http(200, b"[]")
SECRET = "s3cret"


async def failure(*responses: bytes | None, **options: int) -> tuple[BackupifyError, ScriptedServer]:
    """The error of one call to a server with these responses."""
    async with serving(*responses) as server:
        settings = Settings(
            credentials=ClientCredentials("demo", SECRET),
            base_url=server.base_url,
            retry=RetryPolicy(attempts=1),
            **options,  # type: ignore[arg-type]
        )
        session = Session(settings, AiohttpTransport())
        await session.open()
        try:
            with pytest.raises(BackupifyError) as caught:
                await session.send(PING)
        finally:
            await session.close()
    return caught.value, server


async def test_a_redirect_is_an_error_that_shows_its_origin_only() -> None:
    error, server = await failure(TOKEN, http(302, b"", "Location: https://evil.example/steal?x=1"))
    assert type(error) is APIError
    assert str(error) == (
        "GET /v1/ping answered 302: a redirect to https://evil.example, which is not followed"
    )
    assert len(server.requests) == 2


async def test_the_retry_after_of_a_raw_429_is_read() -> None:
    error, _ = await failure(TOKEN, http(429, b"Retry later\n", "retry-after: 900"))
    assert isinstance(error, RateLimited)
    assert error.retry_after == 900


async def test_a_token_that_the_server_echoes_is_not_shown() -> None:
    error, _ = await failure(TOKEN, http(403, b'{"error": "t0ken-of-the-server may not"}'))
    assert str(error) == 'GET /v1/ping answered 403: {"error": "[secret] may not"}'


@pytest.mark.parametrize("body", [b"<html>s3cret</html>", b'{"secret": "s3cret"}', b""])
async def test_an_unexpected_response_of_the_token_endpoint_is_not_shown(body: bytes) -> None:
    error, _ = await failure(http(200, body, "Content-Type: text/html"))
    assert isinstance(error, AuthenticationError)
    assert SECRET not in str(error) + repr(error)


async def test_a_redirect_of_the_token_endpoint_gets_no_secret() -> None:
    async with serving(TOKEN) as elsewhere:
        error, _ = await failure(http(307, b"", f"Location: {elsewhere.base_url}/oauth/token"))
    assert isinstance(error, AuthenticationError)
    assert elsewhere.requests == []


async def test_a_token_endpoint_that_closes_the_connection_is_not_a_wrong_secret() -> None:
    error, _ = await failure(ScriptedServer.CLOSE)
    assert isinstance(error, TransportError)
    assert not isinstance(error, AuthenticationError)


async def test_a_token_response_over_the_cap_does_not_show_the_token() -> None:
    error, _ = await failure(TOKEN, max_body_bytes=50)
    assert "t0ken-of-the-server" not in str(error) + repr(error)
