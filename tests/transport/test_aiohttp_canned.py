"""What the transport passes to aiohttp, and how it reads aiohttp's responses, with aioresponses."""

from typing import Any

import aiohttp
import pytest
from yarl import URL

from backupify_async import DecodeError, TransportError
from tests.support.aiohttp_transports import TOKEN, get, open_transport_to, send
from tests.support.canned import API, canned

PING = ("GET", URL(f"{API}/v1/ping"))


async def options_of(method: str, **more: Any) -> dict[str, Any]:
    """The arguments of aiohttp's request."""
    with canned() as api:
        api.add(f"{API}/v1/ping", method)
        async with open_transport_to(API) as transport:
            await transport(send(method, API, **more))
        return dict(api.requests[method, PING[1]][0].kwargs)


class TestARequest:
    async def test_follows_no_redirect(self) -> None:
        assert (await options_of("GET"))["allow_redirects"] is False

    async def test_has_the_token_and_its_own_headers(self) -> None:
        headers = (await options_of("GET", headers={"X-Mine": "1"}))["headers"]
        assert (headers["Authorization"], headers["X-Mine"]) == (f"Bearer {TOKEN}", "1")

    async def test_has_its_body(self) -> None:
        assert (await options_of("POST", body=b"a=1"))["data"] == b"a=1"

    async def test_without_a_body_has_no_content_type(self) -> None:
        assert (await options_of("POST"))["skip_auto_headers"] == ("Content-Type",)


class TestAResponse:
    @pytest.mark.parametrize("status", [200, 404, 500])
    async def test_is_returned_whole_with_any_status(self, status: int) -> None:
        with canned() as api:
            api.get(PING[1], status=status, body=b"pong", headers={"X-Request-Id": "r-1"})
            async with open_transport_to(API) as transport:
                response = await transport(get(API))
        assert (response.status, response.body, response.headers["x-request-id"]) == (status, b"pong", "r-1")

    async def test_with_a_body_over_the_limit_is_a_decode_error(self) -> None:
        with canned() as api:
            api.get(PING[1], body=b"x" * 101)
            async with open_transport_to(API, max_body_bytes=100) as transport:
                with pytest.raises(DecodeError):
                    await transport(get(API))


class TestAnErrorOfAiohttp:
    @pytest.mark.parametrize("error", [aiohttp.ClientPayloadError(), aiohttp.ServerDisconnectedError()])
    async def test_is_raised_as_one_of_ours_without_the_token(self, error: Exception) -> None:
        with canned() as api:
            api.get(PING[1], exception=error)
            async with open_transport_to(API) as transport:
                with pytest.raises(TransportError) as caught:
                    await transport(get(API))
        assert TOKEN not in f"{caught.value!r} {caught.value.__cause__!r}"
