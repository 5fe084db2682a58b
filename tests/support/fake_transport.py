"""A transport without a network, for virtual time; a session and a client over it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import orjson
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from backupify_async import BackupifyClient
from backupify_async._transport import token_rejections
from backupify_async._transport.session import Session
from backupify_async._transport.transport import PreparedRequest, Response, Transport
from backupify_async.config import RateLimit, Settings
from backupify_async.credentials import StaticToken

SlowResponder = Callable[[PreparedRequest], Awaitable[Response]]


def respond(
    request: PreparedRequest,
    status: int = 200,
    body: bytes | object = b"",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response to a request; a body that is not bytes is written as JSON."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(request, status, CIMultiDictProxy(CIMultiDict(headers or {})), content)


class FakeTransport:
    """Responds to requests by a function, after a round trip of loop time, and records when they came."""

    def __init__(
        self,
        responder: Callable[[PreparedRequest], Response],
        round_trip: float = 0.0,
        max_concurrency: int = 64,
    ) -> None:
        self.responder = responder
        self.round_trip = round_trip
        self.max_concurrency = max_concurrency
        self.sent: list[tuple[float, PreparedRequest]] = []
        self.slow: SlowResponder | None = None
        """Responds to the next request, without the round trip."""
        self.in_flight = 0
        self.most_in_flight = 0

    async def open(self, settings: Settings) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """There is nothing to close."""

    async def __call__(self, request: PreparedRequest) -> Response:
        """Respond to a request, `round_trip` seconds later."""
        self.sent.append((asyncio.get_running_loop().time(), request))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            slow, self.slow = self.slow, None
            if slow is not None:
                return await slow(request)
            if self.round_trip:
                await asyncio.sleep(self.round_trip)
            return self.responder(request)
        finally:
            self.in_flight -= 1

    @property
    def times(self) -> list[float]:
        """When each request was sent, in seconds of the loop."""
        return [round(when, 6) for when, _ in self.sent]


@contextlib.asynccontextmanager
async def session_over(transport: Transport, **options: Any) -> AsyncIterator[Session]:
    """A session over a transport, with a static token where there are no `credentials`."""
    credentials = options.pop("credentials", StaticToken("static-token"))
    on_event, limiter = options.pop("on_event", None), options.pop("limiter", None)
    options.setdefault("rate_limit", RateLimit(10, adaptive=False))
    settings = Settings(credentials=credentials, base_url="http://127.0.0.1", **options)
    session = Session(settings, transport, on_event, limiter)
    await session.open()
    try:
        yield session
    finally:
        await session.close()


def client_over(
    respond_to: Callable[[PreparedRequest], Response], round_trip: float = 0.0, **options: Any
) -> tuple[BackupifyClient, FakeTransport]:
    """A client over a fake transport, with a static token and without a rate limit."""
    transport = FakeTransport(respond_to, round_trip)
    options = {"rate_limit": RateLimit(None, adaptive=False), **options}
    credentials = options.pop("credentials", StaticToken("a-token-of-24-characters"))
    return BackupifyClient(credentials, transport=transport, **options), transport


def always(body: object, status: int = 200, **headers: str) -> Callable[[PreparedRequest], Response]:
    """The same response to each request."""
    return lambda request: respond(request, status, body, headers)


def shorten_token_troubles(monkeypatch: pytest.MonkeyPatch, times: float) -> None:
    """Divide all waits after a 401 by this number: a test over sockets waits in real time."""
    for name in (
        "_PROBE_INTERVAL",
        "_SETTLING",
        "_REFRESH_INTERVAL",
        "_YIELD",
        "_PATIENCE",
        "_PATIENCE_ONCE_ACCEPTED",
        "_LAST_CHANCE",
    ):
        monkeypatch.setattr(token_rejections, name, getattr(token_rejections, name) / times)
    monkeypatch.setattr(
        "backupify_async._transport.token_keeper.REFRESH_JITTER", token_rejections.REFRESH_JITTER / times
    )
