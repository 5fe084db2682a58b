"""Refusals behind a long queue, looks that fail, and settings that cannot work."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable

import attrs
import pytest

from backupify_async import (
    APIError,
    ClientCredentials,
    ConfigurationError,
    DecodeError,
    PermissionDenied,
    RateLimit,
    RateLimited,
    RetryPolicy,
)
from backupify_async._resources.backups import Backups, internals
from backupify_async._transport.request import Request
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.clients import client_of
from tests.support.raw_servers import ONCE, by_method
from tests.support.scripted import PING, UNLIMITED, Script, after, api_times, now
from tests.support.stand_ins import FakeTransport, http, respond, session_over

HUNDRED_A_SECOND = attrs.evolve(UNLIMITED, per_second=100, burst=1)


def refusing(status: int, number: str, times: int) -> Callable[[PreparedRequest], Response]:
    """Answers 200, but refuses one call so many times, with a small Retry-After."""
    left = times

    def answer(message: PreparedRequest) -> Response:
        nonlocal left
        if message.url.name != number or not left:
            return respond(message)
        left -= 1
        return respond(message, status, b"", after("0.01"))

    return answer


def one(number: int) -> Request:
    return Request.get("/v1/backup_instances/{instance_id}", instance_id=number)


@pytest.mark.looptime
class TestARefusedCall:
    @pytest.mark.parametrize("status", [429, 503])
    async def test_does_not_give_up_because_the_queue_is_long(self, status: int) -> None:
        transport = FakeTransport(refusing(status, "5", 2))
        retry = RetryPolicy(max_throttled=2)
        async with session_over(transport, rate_limit=HUNDRED_A_SECOND, retry=retry) as session:
            answers = await asyncio.gather(*(session.send(one(number)) for number in range(300)))
        assert [answer.status for answer in answers] == [200] * 300

    async def test_lets_three_others_go_first_and_no_more(self) -> None:
        transport = FakeTransport(refusing(429, "5", 2))
        async with session_over(transport, rate_limit=HUNDRED_A_SECOND) as session:
            await asyncio.gather(*(session.send(one(number)) for number in range(10)))
        assert [message.url.name for _, message in transport.sent] == list("012345678595")

    async def test_gives_up_once_it_was_refused_for_too_long(self) -> None:
        transport = FakeTransport(Script(*[(429, after("1"))] * 100))
        async with session_over(transport, retry=RetryPolicy(max_throttled=2)) as session:
            with pytest.raises(RateLimited, match="max_throttled=2 s"):
                await session.send(PING)
        assert now() == 2

    async def test_pauses_even_where_the_cap_is_nothing(self) -> None:
        transport = FakeTransport(Script(429, 429, 429))
        retry = RetryPolicy(cap=0)
        async with session_over(transport, rate_limit=UNLIMITED, retry=retry) as session:
            await session.send(PING)
        times = api_times(transport)
        assert len(times) == 4
        assert min(later - sooner for sooner, later in itertools.pairwise(times)) >= 0.1


class Instances:
    """Idle instances, the looks at which answer with one status."""

    def __init__(self, look: int) -> None:
        self.look = look
        self.looks: list[float] = []

    def __call__(self, message: PreparedRequest) -> Response:
        if message.url.name == "active":
            return respond(message, 404, {"error": "none"})
        self.looks.append(now())
        return respond(message, self.look, {"id": 1} if self.look == 200 else {"error": "no"})


@contextlib.asynccontextmanager
async def idle(instances: Instances) -> AsyncIterator[Backups]:
    transport = FakeTransport(instances, round_trip=1)
    async with session_over(transport, rate_limit=UNLIMITED, retry=ONCE) as session:
        yield Backups(session)


@pytest.mark.looptime
class TestLooksThatFail:
    @pytest.mark.parametrize("status", [403, 500])
    async def test_are_side_by_side_from_then_on(self, status: int) -> None:
        instances = Instances(look=status)
        async with idle(instances) as backups:
            calls = [backups.get_active(number) for number in range(32)]
            errors = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(error, APIError) and error.status == status for error in errors] == [True] * 32
        assert len(instances.looks) == 32
        assert max(Counter(instances.looks).values()) > 1

    async def test_are_forgotten_once_one_succeeds(self) -> None:
        instances = Instances(look=403)
        async with idle(instances) as backups:
            with pytest.raises(PermissionDenied):
                await backups.get_active(1)
            instances.look = 200
            assert [await backups.get_active(number) for number in range(5)] == [None] * 5
            assert (len(instances.looks), internals(backups).idle.answered) == (2, 4)


class TestGetActive:
    @pytest.mark.parametrize("body", ['[{"id":7}]', '{"backups":[{"id":7}]}', '{"backup":{"id":7}}'])
    async def test_of_a_list_of_one_is_that_one(self, body: str) -> None:
        async with by_method(http(200, body.encode()), b"") as url, client_of(url) as client:
            active = await client.backups.get_active(1)
        assert active is not None
        assert active.id == 7

    @pytest.mark.parametrize("body", ['[{"id":7},{"id":8}]', '{"backups":[{"id":7},{"id":8}]}', "[7]"])
    async def test_of_any_other_list_is_no_guess(self, body: str) -> None:
        async with by_method(http(200, body.encode()), b"") as url, client_of(url) as client:
            with pytest.raises(DecodeError):
                await client.backups.get_active(1)


class TestSettings:
    @pytest.mark.parametrize("rate", [10**400, -(10**400)])
    def test_a_rate_that_no_float_holds_is_named(self, rate: int) -> None:
        with pytest.raises(ValueError, match="per_second"):
            RateLimit(per_second=rate)

    @pytest.mark.parametrize("blank", ["  ", "\t", "\n"])
    def test_a_secret_of_white_space_is_none(self, blank: str) -> None:
        with pytest.raises(ConfigurationError, match="client secret"):
            ClientCredentials("a", blank)
