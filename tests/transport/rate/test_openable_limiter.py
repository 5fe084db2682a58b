"""A limiter that is opened and closed with its client."""

import asyncio
import math

import pytest

from backupify_async import Estimate, LimitSource, Observation, Ticket
from backupify_async._transport.session import Session
from backupify_async.config import Settings
from backupify_async.credentials import StaticToken
from tests.support.fake_transport import FakeTransport, session_over
from tests.support.scripted import PING, Script

pytestmark = pytest.mark.looptime


class Connected:
    """A limiter that must be opened."""

    paused_until = blocked_until = -math.inf

    def __init__(self, error: Exception | None = None) -> None:
        self.happened: list[str] = []
        self._error = error

    async def open(self) -> None:
        await asyncio.sleep(0.1)
        self.happened.append("open")
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        await asyncio.sleep(0.1)
        self.happened.append("close")

    def earliest(self, now: float, in_flight: int) -> float:
        return now

    def on_send(self, now: float) -> Ticket:
        self.happened.append("send")
        return Ticket(now)

    def on_cancel(self, now: float, ticket: Ticket) -> None: ...

    def on_no_response(self, now: float, ticket: Ticket) -> None: ...

    def on_response(self, ticket: Ticket, observation: Observation) -> None:
        self.happened.append("response")

    def estimate(self, now: float) -> Estimate:
        return Estimate(LimitSource.NONE)


async def test_is_opened_before_the_first_call_and_closed_after_the_last() -> None:
    limiter = Connected()
    async with session_over(FakeTransport(Script()), limiter=limiter) as session:
        await session.send(PING)
    assert limiter.happened == ["open", "send", "response", "close"]


async def test_that_cannot_be_opened_is_closed_and_so_is_the_transport() -> None:
    limiter, closed = Connected(ValueError("no such store")), []

    class Transport(FakeTransport):
        async def close(self) -> None:
            closed.append(self)

    settings = Settings(credentials=StaticToken("static-token"), base_url="http://127.0.0.1")
    transport = Transport(Script())
    session = Session(settings, transport, limiter=limiter)
    with pytest.raises(ValueError, match="no such store"):
        await session.open()
    assert (limiter.happened, closed) == (["open", "close"], [transport])
