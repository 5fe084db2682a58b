"""Token refreshes with a vault that fails, an instance that always gets 401, and cancelled calls."""

import asyncio
import gc
from itertools import pairwise

import pytest

from backupify_async import AuthenticationError, Token, Unauthorized
from backupify_async._transport.request import Request
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.scripted import DEMO, PING, UNLIMITED, Script, Vault, settled, token_times
from tests.support.work import other_tasks

pytestmark = pytest.mark.looptime


class TestAVaultThatRaises:
    async def test_is_asked_again_a_second_later(self) -> None:
        vault = Vault(ConnectionError("blip"), Token("one"))
        async with session_over(FakeTransport(Script()), credentials=vault) as session:
            with pytest.raises(AuthenticationError):
                await session.send(PING)
            await asyncio.sleep(1)
            assert (await session.send(PING)).status == 200
        assert vault.asked == 2

    async def test_is_asked_at_most_twice_by_a_thousand_calls(self) -> None:
        vault = Vault(ConnectionError("down"))
        async with session_over(FakeTransport(Script()), credentials=vault) as session:
            calls = [session.send(PING) for _ in range(1000)]
            errors = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(error) for error in errors} == {AuthenticationError}
        assert vault.asked <= 2

    async def test_an_authentication_error_is_not_asked_again_for_a_minute(self) -> None:
        vault = Vault(AuthenticationError("no such account"), Token("one"))
        async with session_over(FakeTransport(Script()), credentials=vault) as session:
            for pause in (0, 59):
                await asyncio.sleep(pause)
                with pytest.raises(AuthenticationError, match="no such account"):
                    await session.send(PING)
            assert vault.asked == 1
            await asyncio.sleep(1)
            assert (await session.send(PING)).status == 200


def get_instance(number: int) -> Request:
    return Request.get("/v1/backup_instances/{instance_id}", instance_id=number)


class TestAnInstanceThatAlwaysGets401:
    @pytest.mark.parametrize("round_trip", [0.0, 0.1])
    async def test_causes_few_refreshes(self, round_trip: float) -> None:
        script = Script()

        def server(request: PreparedRequest) -> Response:
            instance = request.url.name
            refused = instance.isdigit() and int(instance) % 3 == 0
            return respond(request, 401) if refused else script(request)

        transport = FakeTransport(server, round_trip=round_trip)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            failed = []
            for number in range(300):
                try:
                    await session.send(get_instance(number))
                except Unauthorized:
                    failed.append(number)
        assert failed == list(range(0, 300, 3))
        assert script.issued <= 5

    async def test_causes_no_second_refresh_within_five_seconds(self) -> None:
        script = Script(200, *[401] * 1000)
        transport = FakeTransport(script)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            await session.send(PING)
            await asyncio.sleep(100)  # the token is no longer new
            for _ in range(9):
                with pytest.raises(Unauthorized):
                    await session.send(PING)
        refreshes = token_times(transport)[1:]
        assert refreshes[0] == 100
        assert all(later >= earlier + 5 for earlier, later in pairwise(refreshes))
        assert len(refreshes) <= 4

    async def test_does_not_prevent_the_refresh_of_a_revoked_token(self) -> None:
        script = Script()
        async with session_over(FakeTransport(script), credentials=DEMO, rate_limit=UNLIMITED) as session:
            await session.send(PING)
            await asyncio.sleep(61)
            script.refused.add("token-1")
            calls = [session.send(PING) for _ in range(1000)]
            responses = await asyncio.gather(*calls)
        assert {response.status for response in responses} == {200}
        assert script.issued == 2


def futures() -> int:
    """How many futures and tasks there are."""
    gc.collect()
    return sum(isinstance(thing, asyncio.Future) for thing in gc.get_objects())


@pytest.mark.slow
async def test_twenty_thousand_cancelled_calls_leave_neither_tasks_nor_futures() -> None:
    vault = Vault(Token("one"), takes=50)
    transport = FakeTransport(Script())
    async with session_over(transport, credentials=vault, rate_limit=UNLIMITED) as session:
        first = asyncio.create_task(session.send(PING))
        await settled()
        tasks, before = other_tasks(), futures()
        waiters = [asyncio.create_task(session.send(PING)) for _ in range(20_000)]
        await settled()
        for waiter in waiters:
            waiter.cancel()
        await asyncio.wait(waiters)
        assert all(waiter.cancelled() for waiter in waiters)
        waiters.clear()
        del waiter
        assert other_tasks() == tasks
        assert futures() <= before + 2
        assert (await first).status == 200
    assert (vault.asked, len(transport.sent)) == (1, 1)
