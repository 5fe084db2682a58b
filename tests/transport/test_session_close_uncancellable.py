"""`close()` ends although a user's transport or limiter ignores its cancellation."""

import asyncio
import contextlib
import logging
import math

import pytest

from backupify_async import AdaptiveLimiter, ClientClosed
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.scripted import DEMO, PING, Script, now

pytestmark = pytest.mark.looptime


async def ended(task: asyncio.Task[Response]) -> None:
    """Wait until a call and what it started have ended, here and not in real time when the loop closes."""
    with pytest.raises(ClientClosed):
        await task
    await asyncio.sleep(100)


class UncancellableTransport(FakeTransport):
    """Responds to requests of `path` only after a long time, and ignores cancellations."""

    def __init__(self, *, path: str) -> None:
        super().__init__(Script())
        self.path = path
        self.closed = False

    async def close(self) -> None:
        self.closed = True

    async def __call__(self, request: PreparedRequest) -> Response:
        end = asyncio.get_running_loop().time() + 1000
        while request.url.path.endswith(self.path) and not self.closed:
            try:
                await asyncio.sleep(max(0.0, end - asyncio.get_running_loop().time()))
            except asyncio.CancelledError:
                await asyncio.sleep(60)
                break
        return respond(request, 200, {"access_token": "a-token"})


@pytest.mark.parametrize("path", ["/v1/ping", "/oauth/token"])
async def test_it_ends_within_ten_seconds_and_closes_the_transport(path: str) -> None:
    transport = UncancellableTransport(path=path)
    async with session_over(transport, credentials=DEMO) as session:
        task = asyncio.create_task(session.send(PING))
        await asyncio.sleep(1)
        await session.close()
        assert now() == 11
        assert transport.closed
    await ended(task)


async def test_an_acquire_that_ignores_its_cancellation_is_waited_for_for_ten_seconds() -> None:
    class UncancellableLimiter(AdaptiveLimiter):
        def earliest(self, now: float, in_flight: int) -> float:
            return math.inf

        async def acquire(self, waiting: int) -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1000)
            await asyncio.sleep(60)

    async with session_over(FakeTransport(Script()), limiter=UncancellableLimiter()) as session:
        task = asyncio.create_task(session.send(PING))
        await asyncio.sleep(1)
        await session.close()
        assert now() == 11
    await ended(task)


async def test_it_logs_how_many_calls_ignored_their_cancellation(caplog: pytest.LogCaptureFixture) -> None:
    async with session_over(UncancellableTransport(path="/v1/ping")) as session:
        task = asyncio.create_task(session.send(PING))
        await asyncio.sleep(1)
        with caplog.at_level(logging.WARNING, "backupify_async"):
            await session.close()
    await ended(task)
    assert "under calls that went on for 10 s after their cancellation: 1" in caplog.text
