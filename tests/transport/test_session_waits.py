"""What a session waits for, in virtual time."""

import asyncio

import pytest

from backupify_async import RateLimit
from backupify_async.transport.request import Message, Request, Response
from tests.stand_ins import FakeCarrier, respond, session_over

pytestmark = pytest.mark.looptime


async def test_calls_leave_evenly_after_the_burst() -> None:
    carrier = FakeCarrier(respond)
    async with session_over(carrier, rate_limit=RateLimit(per_second=2, burst=3)) as session:
        await asyncio.gather(*(session.send(Request("GET", "/v1/ping")) for _ in range(6)))
    assert carrier.times == [0, 0, 0, 0.5, 1.0, 1.5]


async def test_a_429_pauses_everyone_and_no_burst_follows() -> None:
    def answer(message: Message) -> Response:
        first = len(carrier.sent) == 1
        return respond(message, 429, b"Retry later", {"retry-after": "5"}) if first else respond(message)

    carrier = FakeCarrier(answer)
    async with session_over(carrier, rate_limit=RateLimit(per_second=2, burst=1)) as session:
        await asyncio.gather(*(session.send(Request("GET", "/v1/ping")) for _ in range(4)))
    assert carrier.times == [0, 5, 5.5, 6.0, 6.5]
