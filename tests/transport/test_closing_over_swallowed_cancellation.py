"""A user's part that swallows its cancellation does not keep `close()` from its end."""

import asyncio
import contextlib
import logging
import math

import pytest

from backupify_async import AdaptiveLimiter
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.scripted import DEMO, PING, Script, now

pytestmark = pytest.mark.looptime


class StubbornTransport(FakeTransport):
    """Answers in its own time, whatever happens to the task that calls it."""

    def __init__(self, *, stubborn_for: str) -> None:
        super().__init__(Script())
        self.stubborn_for = stubborn_for
        self.closed = False

    async def close(self) -> None:
        self.closed = True

    async def __call__(self, message: PreparedRequest) -> Response:
        end = asyncio.get_running_loop().time() + 1000
        while message.url.path.endswith(self.stubborn_for) and not self.closed:
            try:
                await asyncio.sleep(max(0.0, end - asyncio.get_running_loop().time()))
            except asyncio.CancelledError:
                await asyncio.sleep(60)
                break
        return respond(message, 200, {"access_token": "a-token"})


@pytest.mark.parametrize("stubborn_for", ["/v1/ping", "/oauth/token"])
async def test_it_ends_within_ten_seconds_and_closes_the_transport(stubborn_for: str) -> None:
    transport = StubbornTransport(stubborn_for=stubborn_for)
    async with session_over(transport, credentials=DEMO) as session:
        task = asyncio.create_task(session.send(PING))
        await asyncio.sleep(1)
        await session.close()
        assert now() == 11
        assert transport.closed
    await asyncio.wait([task])


async def test_an_acquire_that_goes_on_is_waited_for_for_ten_seconds() -> None:
    class Stubborn(AdaptiveLimiter):
        def earliest(self, now: float, in_flight: int) -> float:
            return math.inf

        async def acquire(self) -> None:
            while True:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(60)
                    return

    async with session_over(FakeTransport(Script()), limiter=Stubborn()) as session:
        task = asyncio.create_task(session.send(PING))
        await asyncio.sleep(1)
        await session.close()
        assert now() == 11
    await asyncio.wait([task])


async def test_it_says_what_happened(caplog: pytest.LogCaptureFixture) -> None:
    async with session_over(StubbornTransport(stubborn_for="/v1/ping")) as session:
        task = asyncio.create_task(session.send(PING))
        await asyncio.sleep(1)
        with caplog.at_level(logging.WARNING, "backupify_async"):
            await session.close()
    await asyncio.wait([task])
    assert "under calls that went on for 10 s after their cancellation: 1" in caplog.text
