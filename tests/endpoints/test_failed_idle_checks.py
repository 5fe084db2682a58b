"""Failing checks whether an instance exists, after a 404 of `get_active`."""

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
    """Idle instances that respond to checks with one status."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.checks: list[float] = []
        """When each check was made."""

    def __call__(self, message: PreparedRequest) -> Response:
        if message.url.name == "active":
            return respond(message, 404, {"error": "none"})
        self.checks.append(now())
        return respond(message, self.status, {"id": 1} if self.status == 200 else {"error": "no"})


@contextlib.asynccontextmanager
async def idle(instances: Instances) -> AsyncIterator[Backups]:
    transport = FakeTransport(instances, round_trip=1)
    async with session_over(transport, rate_limit=UNLIMITED, retry=ONCE) as session:
        yield Backups(session)


@pytest.mark.looptime
class TestChecksThatFail:
    @pytest.mark.parametrize("status", [403, 500])
    async def test_make_later_checks_concurrent(self, status: int) -> None:
        instances = Instances(status=status)
        async with idle(instances) as backups:
            calls = [backups.get_active(number) for number in range(32)]
            errors = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(error, APIError) and error.status == status for error in errors] == [True] * 32
        assert len(instances.checks) == 32
        assert max(Counter(instances.checks).values()) > 1

    async def test_have_no_effect_once_one_succeeds(self) -> None:
        instances = Instances(status=403)
        async with idle(instances) as backups:
            with pytest.raises(PermissionDenied):
                await backups.get_active(1)
            instances.status = 200
            assert [await backups.get_active(number) for number in range(5)] == [None] * 5
            assert (len(instances.checks), internals(backups).idle.answered) == (2, 4)
