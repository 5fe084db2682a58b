"""Checks of an idle instance that fail."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from backupify_async import APIError, PermissionDenied
from backupify_async._resources.backups import Backups, internals
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.raw_servers import ONCE
from tests.support.scripted import UNLIMITED, now


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
class TestChecksThatFail:
    @pytest.mark.parametrize("status", [403, 500])
    async def test_are_concurrent_from_then_on(self, status: int) -> None:
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
