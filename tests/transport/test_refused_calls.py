"""How long a refused call is retried, and which calls are sent before it."""

import asyncio
import itertools
from collections.abc import Callable

import attrs
import pytest

from backupify_async import RateLimited, RetryPolicy
from backupify_async._transport.request import Request
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.scripted import PING, UNLIMITED, Script, after, api_times, now

pytestmark = pytest.mark.looptime
HUNDRED_A_SECOND = attrs.evolve(UNLIMITED, per_second=100, burst=1)


def refusing(status: int, number: str, times: int) -> Callable[[PreparedRequest], Response]:
    """Respond with 200, but refuse one call this many times, with a small Retry-After."""
    remaining = times

    def server(request: PreparedRequest) -> Response:
        nonlocal remaining
        if request.url.name != number or not remaining:
            return respond(request)
        remaining -= 1
        return respond(request, status, b"", after("0.01"))

    return server


def get_instance(number: int) -> Request:
    return Request.get("/v1/backup_instances/{instance_id}", instance_id=number)


class TestARefusedCall:
    @pytest.mark.parametrize("status", [429, 503])
    async def test_does_not_give_up_because_the_queue_is_long(self, status: int) -> None:
        transport = FakeTransport(refusing(status, "5", 2))
        retry = RetryPolicy(max_throttled=2)
        async with session_over(transport, rate_limit=HUNDRED_A_SECOND, retry=retry) as session:
            responses = await asyncio.gather(*(session.send(get_instance(number)) for number in range(300)))
        assert [response.status for response in responses] == [200] * 300

    async def test_is_sent_again_after_at_most_three_others(self) -> None:
        transport = FakeTransport(refusing(429, "5", 2))
        async with session_over(transport, rate_limit=HUNDRED_A_SECOND) as session:
            await asyncio.gather(*(session.send(get_instance(number)) for number in range(10)))
        assert [request.url.name for _, request in transport.sent] == list("012345678595")

    async def test_gives_up_once_it_was_refused_for_too_long(self) -> None:
        transport = FakeTransport(Script(*[(429, after("1"))] * 100))
        async with session_over(transport, retry=RetryPolicy(max_throttled=2)) as session:
            with pytest.raises(RateLimited, match="max_throttled=2 s"):
                await session.send(PING)
        assert now() == 2

    async def test_pauses_even_if_the_cap_is_zero(self) -> None:
        transport = FakeTransport(Script(429, 429, 429))
        retry = RetryPolicy(cap=0)
        async with session_over(transport, rate_limit=UNLIMITED, retry=retry) as session:
            await session.send(PING)
        times = api_times(transport)
        assert len(times) == 4
        assert min(later - sooner for sooner, later in itertools.pairwise(times)) >= 0.1
