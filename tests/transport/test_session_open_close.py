"""Opening and closing a session, and calls before, after and meanwhile."""

import asyncio
import gc

import pytest

from backupify_async import (
    ClientClosed,
    ConfigurationError,
    ConnectionFailed,
    RateLimit,
    RequestTimeout,
    Settings,
    StaticToken,
    Timeouts,
    Token,
)
from backupify_async._transport.request import DeliveryUnknown, Request
from backupify_async._transport.session import Session
from tests.support.fake_transport import FakeTransport, session_over
from tests.support.scripted import DEMO, PING, TRIGGER, UNLIMITED, Script, after, now, settled
from tests.support.transport_values import upper_bound

pytestmark = pytest.mark.looptime

SLOW = RateLimit(per_second=0.01, burst=1, adaptive=False)


def unopened() -> Session:
    settings = Settings(credentials=StaticToken("static-token"), base_url="http://127.0.0.1")
    return Session(settings, FakeTransport(Script()))


async def begun(session: Session, request: Request = PING, *, after_: float = 1) -> "asyncio.Task[object]":
    """A call that was started `after_` seconds ago."""
    task: asyncio.Task[object] = asyncio.create_task(session.send(request))
    await asyncio.sleep(after_)
    return task


class TestOpening:
    async def test_a_call_before_it_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="the client is not open"):
            await unopened().send(PING)

    async def test_fetching_a_token_before_it_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="the client is not open"):
            await unopened().fetch_token()

    async def test_it_can_be_done_twice(self) -> None:
        session = unopened()
        await session.open()
        await session.open()
        assert (await session.send(PING)).status == 200
        await session.close()

    async def test_two_at_once_open_the_transport_once(self) -> None:
        opened = []

        class SlowToOpen(FakeTransport):
            async def open(self, settings: Settings) -> None:
                opened.append(settings)
                await asyncio.sleep(1)

        settings = Settings(credentials=StaticToken("static-token"), base_url="http://127.0.0.1")
        session = Session(settings, SlowToOpen(Script()))
        await asyncio.gather(session.open(), session.open())
        assert (await session.send(PING)).status == 200
        await session.close()
        assert len(opened) == 1

    async def test_a_closed_session_does_not_reopen(self) -> None:
        session = unopened()
        await session.open()
        await session.close()
        with pytest.raises(ClientClosed, match="the client is closed, and does not reopen"):
            await session.open()

    async def test_a_session_that_was_never_open_has_statistics_and_can_be_closed(self) -> None:
        session = unopened()
        assert session.statistics().paused_until is None
        await session.close()
        with pytest.raises(ClientClosed, match="closed"):
            await session.send(PING)

    def test_another_loop_is_refused(self) -> None:
        session = unopened()
        asyncio.run(session.open())
        with pytest.raises(ConfigurationError, match="opened in another event loop"):
            asyncio.run(session.send(PING))
        with pytest.raises(ConfigurationError, match="opened in another event loop"):
            asyncio.run(session.open())
        gc.collect()

    async def test_a_session_that_failed_to_open_is_not_open(self) -> None:
        class Broken(FakeTransport):
            async def open(self, settings: Settings) -> None:
                raise RuntimeError("no sockets today")

        settings = Settings(credentials=StaticToken("static-token"), base_url="http://127.0.0.1")
        session = Session(settings, Broken(Script()))
        with pytest.raises(RuntimeError):
            await session.open()
        with pytest.raises(ConfigurationError, match="not open"):
            await session.send(PING)


class TestClosing:
    @pytest.fixture(autouse=True)
    def upper_bound(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("random.uniform", upper_bound)

    async def ended(self, session: Session, *tasks: "asyncio.Task[object]") -> list[type[object]]:
        """Close the session, which must take no time and leave no task. Returns what the calls ended with."""
        before = now()
        await session.close()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert now() == before
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert (session.statistics().in_flight, session.statistics().waiting) == (0, 0)
        return [type(result) for result in results]

    async def test_it_can_be_done_twice(self) -> None:
        async with session_over(FakeTransport(Script())) as session:
            assert await self.ended(session) == []
            assert await self.ended(session) == []

    async def test_it_ends_calls_that_wait_at_the_gate(self) -> None:
        async with session_over(FakeTransport(Script()), rate_limit=SLOW) as session:
            await session.send(PING)
            tasks = [await begun(session), await begun(session, TRIGGER)]
            assert await self.ended(session, *tasks) == [ClientClosed] * 2

    async def test_it_ends_calls_in_flight(self) -> None:
        async with session_over(FakeTransport(Script(), round_trip=9)) as session:
            assert await self.ended(session, await begun(session)) == [ClientClosed]

    async def test_it_leaves_a_trigger_in_flight_in_doubt(self) -> None:
        async with session_over(FakeTransport(Script(), round_trip=9)) as session:
            task = await begun(session, TRIGGER)
            assert await self.ended(session, task) == [DeliveryUnknown]
        error = task.exception()
        assert isinstance(error, DeliveryUnknown)
        assert isinstance(error.cause, ClientClosed)

    @pytest.mark.parametrize("request_", [PING, TRIGGER])
    async def test_it_ends_calls_that_back_off(self, request_: Request) -> None:
        async with session_over(FakeTransport(Script(ConnectionFailed("no route", sent=False)))) as session:
            task = await begun(session, request_, after_=0.1)
            assert await self.ended(session, task) == [ClientClosed]

    @pytest.mark.parametrize("request_", [PING, TRIGGER])
    async def test_it_ends_calls_that_wait_out_a_pause(self, request_: Request) -> None:
        async with session_over(FakeTransport(Script((429, after("9"))))) as session:
            assert await self.ended(session, await begun(session, request_)) == [ClientClosed]

    async def test_it_ends_calls_that_wait_for_a_token(self) -> None:
        async with session_over(FakeTransport(Script(), round_trip=9), credentials=DEMO) as session:
            tasks = [await begun(session), await begun(session, TRIGGER)]
            assert await self.ended(session, *tasks) == [ClientClosed] * 2

    async def test_it_ends_calls_that_wait_for_credentials_of_the_user(self) -> None:
        class Vault:
            async def token(self) -> Token:
                await asyncio.sleep(9)
                return Token("too late")

        async with session_over(FakeTransport(Script()), credentials=Vault()) as session:
            assert await self.ended(session, await begun(session)) == [ClientClosed]

    async def test_it_ends_calls_whose_token_request_backs_off(self) -> None:
        transport = FakeTransport(Script(tokens=((503, after("9")),)))
        async with session_over(transport, credentials=DEMO) as session:
            assert await self.ended(session, await begun(session)) == [ClientClosed]

    async def test_it_ends_a_wait_for_only_a_token(self) -> None:
        async with session_over(FakeTransport(Script(), round_trip=9), credentials=DEMO) as session:
            task: asyncio.Task[object] = asyncio.create_task(session.fetch_token())
            await asyncio.sleep(1)
            assert await self.ended(session, task) == [ClientClosed]

    async def test_it_ends_a_token_refresh_that_no_call_waits_for(self) -> None:
        async with session_over(FakeTransport(Script(life=100), round_trip=9), credentials=DEMO) as session:
            await session.send(PING)
            await asyncio.sleep(75)
            await session.send(PING)
            assert len(asyncio.all_tasks()) == 1 + 1
            assert await self.ended(session) == []

    async def test_a_call_whose_response_arrives_in_the_same_turn_of_the_loop_returns_or_is_ended(
        self,
    ) -> None:
        async with session_over(FakeTransport(Script(), round_trip=5)) as session:
            task = await begun(session, after_=5)
            (kind,) = await self.ended(session, task)
            assert kind.__name__ in ("ClientClosed", "Response")

    async def test_a_call_that_is_being_timed_out_is_not_ended_twice(self) -> None:
        transport = FakeTransport(Script(), round_trip=9)
        async with session_over(transport, timeouts=Timeouts(total=5)) as session:
            task: asyncio.Task[object] = asyncio.create_task(session.send(PING))
            await asyncio.sleep(5)
            assert (await self.ended(session, task))[0] in (ClientClosed, RequestTimeout)

    async def test_a_cancelled_close_ends_everything_too(self) -> None:
        async with session_over(FakeTransport(Script(), round_trip=9), rate_limit=UNLIMITED) as session:
            tasks = [await begun(session) for _ in range(3)]
            closing = asyncio.create_task(session.close())
            await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait([closing, *tasks])
            assert await self.ended(session) == []
        assert {type(task.exception()) for task in tasks} == {ClientClosed}

    async def test_a_call_after_it_is_refused(self) -> None:
        async with session_over(FakeTransport(Script())) as session:
            await session.close()
            for call in (session.send(PING), session.fetch_token()):
                with pytest.raises(ClientClosed, match="the client is closed"):
                    await call

    async def test_a_cancelled_call_is_cancelled_and_not_closed(self) -> None:
        async with session_over(FakeTransport(Script(), round_trip=9)) as session:
            task = await begun(session)
            task.cancel()
            await settled()
            assert task.cancelled()
