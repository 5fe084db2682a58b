"""A transport that swallows the cancellation of a call: the call is not sent again."""

import asyncio
from collections.abc import Callable

import pytest

from backupify_async import (
    BackupifyClient,
    ClientClosed,
    RequestTimeout,
    StaticToken,
    Timeouts,
    TransportError,
    fan_out,
)
from backupify_async._transport.request import DeliveryUnknown
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.scripted import DEMO, PING, TRIGGER, Script, now

pytestmark = pytest.mark.looptime


def unavailable(request: PreparedRequest) -> Response:
    return respond(request, 503)


def unauthorized(request: PreparedRequest) -> Response:
    return respond(request, 401)


def throttled(request: PreparedRequest) -> Response:
    return respond(request, 429, headers={"Retry-After": "60"})


def broken(request: PreparedRequest) -> Response:
    raise TransportError("the connection was lost")


class SwallowingTransport(FakeTransport):
    """Responds to requests of `path` once it is cancelled, as `ending` does, and at once to others."""

    def __init__(self, ending: Callable[[PreparedRequest], Response], path: str = "") -> None:
        super().__init__(Script())
        self.ending, self.path = ending, path

    async def __call__(self, request: PreparedRequest) -> Response:
        self.sent.append((now(), request))
        if not request.url.path.endswith(self.path):
            return respond(request, 200, {"access_token": "a-token"})
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            await asyncio.sleep(1)
        return self.ending(request)


@pytest.fixture(params=[unavailable, unauthorized, throttled, broken], ids=lambda ending: ending.__name__)
def transport(request: pytest.FixtureRequest) -> SwallowingTransport:
    return SwallowingTransport(request.param)


async def test_after_the_total_time_out_it_is_not_sent_again(transport: SwallowingTransport) -> None:
    async with session_over(transport, timeouts=Timeouts(total=5)) as session:
        with pytest.raises(RequestTimeout, match="total=5 s"):
            await session.send(PING)
        assert now() == 6
    assert len(transport.sent) == 1


async def test_after_close_it_is_not_sent_again(transport: SwallowingTransport) -> None:
    async with session_over(transport) as session:
        task = asyncio.create_task(session.send(PING))
        await asyncio.sleep(1)
        await session.close()
        assert now() == 2
    with pytest.raises(ClientClosed):
        await task
    assert len(transport.sent) == 1


async def test_after_the_caller_cancelled_it_is_not_sent_again(transport: SwallowingTransport) -> None:
    async with session_over(transport) as session:
        task = asyncio.create_task(session.send(PING))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        assert now() == 2
    assert task.cancelled()
    assert len(transport.sent) == 1


async def test_a_trigger_whose_caller_was_cancelled_is_not_reconciled() -> None:
    transport = SwallowingTransport(broken)
    async with BackupifyClient(StaticToken("a-token"), transport=transport) as client:
        task = asyncio.create_task(client.backups.trigger(1))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    assert len(transport.sent) == 1


async def test_a_trigger_that_ran_out_of_time_is_in_doubt() -> None:
    async with session_over(SwallowingTransport(broken), timeouts=Timeouts(total=5)) as session:
        with pytest.raises(DeliveryUnknown):
            await session.send(TRIGGER)


async def test_a_token_request_is_not_sent_again_after_close() -> None:
    transport = SwallowingTransport(unavailable, path="/oauth/token")
    async with session_over(transport, credentials=DEMO) as session:
        task = asyncio.create_task(session.send(PING))
        await asyncio.sleep(1)
        await session.close()
        with pytest.raises(ClientClosed):
            await task
        await asyncio.sleep(1000)
    assert len(transport.sent) == 1


async def test_a_fan_out_that_is_left_early_ends_with_the_transport(transport: SwallowingTransport) -> None:
    async with session_over(transport) as session:

        async def ping(_: int) -> Response:
            return await session.send(PING)

        async with fan_out(ping, range(1000), concurrency=4):
            await asyncio.sleep(1)
        assert now() == 2
    assert len(transport.sent) == 4


async def test_a_call_that_timed_out_in_the_transport_is_retried() -> None:
    async def time_out(_: PreparedRequest) -> Response:
        try:
            async with asyncio.timeout(5):
                await asyncio.sleep(1000)
        except TimeoutError:
            raise RequestTimeout("no response within 5 s") from None
        raise AssertionError

    transport = FakeTransport(Script())
    transport.slow = time_out
    async with session_over(transport) as session:
        assert (await session.send(PING)).status == 200
    assert len(transport.sent) == 2


async def test_a_call_in_a_task_that_was_cancelled_before_is_retried() -> None:
    transport = FakeTransport(Script())
    transport.slow = lambda request: asyncio.sleep(0, respond(request, 503))
    async with session_over(transport) as session:

        async def clean_up() -> int:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                return (await session.send(PING)).status
            return 0

        task = asyncio.create_task(clean_up())
        await asyncio.sleep(1)
        task.cancel()
        assert await task == 200
    assert len(transport.sent) == 2
