"""A 429 whose Retry-After is over `max_retry_after`: calls fail at once until then."""

import asyncio

import pytest

from backupify_async import RateLimited, RetryPolicy
from tests.support.fake_transport import FakeTransport, session_over
from tests.support.scripted import DEMO, PING, TRIGGER, UNLIMITED, Script, after, now
from tests.support.transport_values import upper_bound

pytestmark = pytest.mark.looptime


async def test_it_is_raised_at_once_and_names_the_cap() -> None:
    transport = FakeTransport(Script((429, after("3600"))))
    async with session_over(transport) as session:
        with pytest.raises(RateLimited, match=r"Retry-After 3600 s is over max_retry_after=120 s") as caught:
            await session.send(PING)
        assert session.is_blocked()
    assert (caught.value.retry_after, now()) == (3600, 0)


async def test_waiting_and_new_calls_fail_at_once_unsent_and_name_the_time() -> None:
    transport = FakeTransport(Script((429, after("3600"))), round_trip=1, max_concurrency=1)
    async with session_over(transport) as session:
        waiters = [session.send(PING) for _ in range(3)]
        errors = await asyncio.gather(*waiters, return_exceptions=True)
        with pytest.raises(RateLimited, match=r"until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ; not sent$") as caught:
            await session.send(TRIGGER)
    assert {type(error) for error in errors} == {RateLimited}
    assert (len(transport.sent), now(), caught.value.retry_after) == (1, 1, 3600)


async def test_calls_are_sent_again_after_that_time() -> None:
    transport = FakeTransport(Script((429, after("3600"))))
    async with session_over(transport) as session:
        with pytest.raises(RateLimited):
            await session.send(PING)
        await asyncio.sleep(3600)
        assert not session.is_blocked()
        await session.send(PING)
    assert transport.times == [0, 3600]


async def test_a_call_that_backs_off_meanwhile_fails_after_its_back_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("random.uniform", upper_bound)
    transport = FakeTransport(Script(500, (429, after("3600"))))
    async with session_over(transport, rate_limit=UNLIMITED, retry=RetryPolicy(base=10, cap=10)) as session:
        backing_off = asyncio.create_task(session.send(PING))
        await asyncio.sleep(1)
        with pytest.raises(RateLimited):
            await session.send(PING)
        with pytest.raises(RateLimited, match="not sent"):
            await backing_off
    assert (len(transport.sent), now()) == (2, 10)


async def test_not_even_a_token_request_is_sent_meanwhile() -> None:
    transport = FakeTransport(Script((429, after("3600"))))
    async with session_over(transport, credentials=DEMO) as session:
        with pytest.raises(RateLimited):
            await session.send(PING)
        await asyncio.sleep(1000)  # the token has expired
        with pytest.raises(RateLimited):
            await session.send(PING)
    assert len(transport.sent) == 2
