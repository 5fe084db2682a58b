"""The total time-out of a call: whether the request was sent, and whether its outcome is in doubt."""

import asyncio

import pytest

from backupify_async import ConnectionFailed, RateLimit, RequestTimeout, ServerError, Timeouts
from backupify_async._transport.request import DeliveryUnknown, Request
from tests.support.fake_transport import FakeTransport, session_over
from tests.support.scripted import DEMO, PING, TRIGGER, Script, Step, after, now
from tests.support.transport_values import upper_bound

pytestmark = pytest.mark.looptime

GET_AND_TRIGGER = pytest.mark.parametrize("request_", [PING, TRIGGER])
FIVE = Timeouts(total=5)
TOO_LATE = r"^the call took longer than total=5 s$"


@pytest.fixture(autouse=True)
def longest_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", upper_bound)


@GET_AND_TRIGGER
async def test_a_call_at_the_gate_was_not_sent(request_: Request) -> None:
    transport = FakeTransport(Script())
    limit = RateLimit(per_second=0.01, burst=1, adaptive=False)
    async with session_over(transport, rate_limit=limit, timeouts=FIVE) as session:
        await session.send(PING)
        with pytest.raises(RequestTimeout, match=TOO_LATE) as caught:
            await session.send(request_)
    assert (caught.value.sent, now(), len(transport.sent)) == (False, 5, 1)


@GET_AND_TRIGGER
async def test_a_call_that_waits_for_a_token_was_not_sent(request_: Request) -> None:
    transport = FakeTransport(Script(), round_trip=9)
    async with session_over(transport, credentials=DEMO, timeouts=FIVE) as session:
        with pytest.raises(RequestTimeout, match=TOO_LATE) as caught:
            await session.send(request_)
    assert (caught.value.sent, now()) == (False, 5)


async def test_a_get_in_flight_was_sent() -> None:
    async with session_over(FakeTransport(Script(), round_trip=9), timeouts=FIVE) as session:
        with pytest.raises(RequestTimeout, match=TOO_LATE) as caught:
            await session.send(PING)
    assert (caught.value.sent, now()) == (True, 5)


async def test_a_trigger_in_flight_is_in_doubt() -> None:
    transport = FakeTransport(Script(), round_trip=9)
    async with session_over(transport, timeouts=FIVE) as session:
        with pytest.raises(DeliveryUnknown) as caught:
            await session.send(TRIGGER)
    assert isinstance(caught.value.cause, RequestTimeout)
    assert caught.value.sent_at == transport.sent[0][1].sent_at


@pytest.mark.parametrize("step", [(429, after("9")), 429])
async def test_a_trigger_that_was_refused_is_not_in_doubt(step: Step) -> None:
    transport = FakeTransport(Script(*[step] * 9))
    async with session_over(transport, timeouts=FIVE) as session:
        with pytest.raises(RequestTimeout, match=TOO_LATE):
            await session.send(TRIGGER)
    assert now() == 5


async def test_a_trigger_that_was_not_sent_before_is_not_in_doubt() -> None:
    transport = FakeTransport(
        Script(*[ConnectionFailed("no route", sent=False) for _ in range(4)]), round_trip=2
    )
    async with session_over(transport, timeouts=Timeouts(total=2.25)) as session:
        with pytest.raises(RequestTimeout, match=r"total=2.25 s$") as caught:
            await session.send(TRIGGER)
    assert (caught.value.sent, now()) == (False, 2.25)
    assert (caught.value.limit, caught.value.seconds) == ("total", 2.25)


async def test_a_trigger_that_is_in_flight_again_is_in_doubt() -> None:
    transport = FakeTransport(Script((429, after("1"))), round_trip=3)
    async with session_over(transport, timeouts=FIVE) as session:
        with pytest.raises(DeliveryUnknown) as caught:
            await session.send(TRIGGER)
    assert caught.value.sent_at == transport.sent[1][1].sent_at


async def test_a_trigger_whose_token_was_rejected_is_not_in_doubt() -> None:
    transport = FakeTransport(Script(401), round_trip=2)
    async with session_over(transport, credentials=DEMO, timeouts=FIVE) as session:
        with pytest.raises(RequestTimeout):  # 2 s for the token, 2 s for the 401, 1 s of the refresh
            await session.send(TRIGGER)


async def test_a_get_that_backs_off_was_sent() -> None:
    async with session_over(FakeTransport(Script((503, after("9")))), timeouts=FIVE) as session:
        with pytest.raises(RequestTimeout, match=TOO_LATE) as caught:
            await session.send(PING)
    assert caught.value.sent


async def test_a_get_whose_token_was_rejected_was_sent() -> None:
    transport = FakeTransport(Script(401), round_trip=2)
    async with session_over(transport, credentials=DEMO, timeouts=FIVE) as session:
        with pytest.raises(RequestTimeout) as caught:  # while the token is refreshed
            await session.send(PING)
    assert caught.value.sent


async def test_all_attempts_count_together() -> None:
    transport = FakeTransport(Script(*[500] * 4), round_trip=2)
    async with session_over(transport, timeouts=FIVE) as session:
        with pytest.raises(RequestTimeout):
            await session.send(PING)
    assert transport.times == [0, 2.5]


async def test_an_error_in_time_is_raised() -> None:
    async with session_over(FakeTransport(Script(501)), timeouts=FIVE) as session:
        with pytest.raises(ServerError):
            await session.send(PING)


async def test_there_is_none_by_default() -> None:
    async with session_over(FakeTransport(Script(), round_trip=100_000)) as session:
        assert (await session.send(PING)).status == 200


async def test_a_call_cancelled_as_its_time_runs_out_ends_once() -> None:
    async with session_over(FakeTransport(Script(), round_trip=9), timeouts=FIVE) as session:
        task = asyncio.create_task(session.send(PING))
        asyncio.get_running_loop().call_at(5, task.cancel)
        await asyncio.wait([task])
        assert task.cancelled() or isinstance(task.exception(), RequestTimeout)
        assert session.statistics().in_flight == 0
