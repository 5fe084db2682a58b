"""A `ClientSession` of the user's with behaviour of its own is refused where the client would bypass it."""

import warnings
from typing import Any

import aiohttp
import pytest

from backupify_async import AiohttpTransport, ConfigurationError

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # aiohttp advises against subclasses

    class CachingSession(aiohttp.ClientSession):
        async def _request(self, *args: Any, **options: Any) -> aiohttp.ClientResponse:
            return await super()._request(*args, **options)

    class SigningSession(aiohttp.ClientSession):
        def request(self, *args: Any, **options: Any) -> Any:
            return super().request(*args, **options)

    class NamedSession(aiohttp.ClientSession):
        """Overrides nothing that sends."""


class SigningRequest(aiohttp.ClientRequest):
    pass


@pytest.mark.parametrize(("kind", "name"), [(CachingSession, "_request"), (SigningSession, "request")])
async def test_a_subclass_that_overrides_sending_is_refused(
    kind: type[aiohttp.ClientSession], name: str
) -> None:
    async with kind() as session:
        with pytest.raises(ConfigurationError, match=rf"{kind.__name__} overrides {name}\(\), which the cl"):
            AiohttpTransport(session=session)


async def test_a_request_class_is_refused() -> None:
    async with aiohttp.ClientSession(request_class=SigningRequest) as session:
        with pytest.raises(ConfigurationError, match="session: has a request_class"):
            AiohttpTransport(session=session)


async def test_a_base_url_is_refused() -> None:
    async with aiohttp.ClientSession("https://api.example") as session:
        with pytest.raises(ConfigurationError, match="has base_url: give it to the client, as base_url="):
            AiohttpTransport(session=session)


async def test_a_subclass_that_sends_as_aiohttp_does_is_accepted() -> None:
    async with NamedSession() as session:
        assert AiohttpTransport(session=session).max_concurrency == 100
