"""Sessions whose token is rejected for a while, by servers that lag, or after another client's refresh."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from backupify_async import BackupifyError, RequestTimeout, Timeouts, Token
from backupify_async._transport.session import Session
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.scripted import DEMO, PING, TRIGGER, UNLIMITED, Vault, api_times, now, settled
from tests.transport.token_issuer import (
    Halfway,
    Issuer,
    accepts_newest,
    accepts_none,
    errors_of_calls,
    get_instance,
)

pytestmark = pytest.mark.looptime


class TestATokenThatIsNotKnownYet:
    @pytest.mark.parametrize("lag", [0.1, 1.5, 4.0])
    async def test_fails_no_call(self, lag: float) -> None:
        server = Issuer(lambda _server, _request, _number, age: age >= lag)
        transport = Halfway(server, round_trip=0.02)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            assert await errors_of_calls(session, 2000) == []
        assert len(server.issued) == 2
        assert len(api_times(transport)) < 2000 + 16 * 3 + 10  # 16 wait together, and one of them probes

    async def test_to_some_nodes_fails_no_call(self) -> None:
        dice = random.Random(1)
        server = Issuer(lambda _server, _request, _number, age: age >= 1.5 or dice.random() < 0.5)
        async with session_over(
            Halfway(server, round_trip=0.02), credentials=DEMO, rate_limit=UNLIMITED
        ) as session:
            assert await errors_of_calls(session, 2000) == []
        assert len(server.issued) <= 2

    async def test_fails_no_call_if_the_vault_returns_the_same_token_again(self) -> None:
        transport = FakeTransport(
            lambda request: respond(request, 200 if now() >= 1.5 else 401), round_trip=0.02
        )
        vault = Vault(Token("one"))
        async with session_over(transport, credentials=vault, rate_limit=UNLIMITED) as session:
            assert await errors_of_calls(session, 200) == []
        assert vault.asked <= 2

    async def test_is_probed_twice_a_second_by_one_of_a_thousand_calls(self) -> None:
        server = Issuer(lambda _server, _request, _number, age: age >= 1.9)
        transport = FakeTransport(server, max_concurrency=2000)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            await asyncio.gather(*(session.send(PING) for _ in range(1000)))
        assert server.issued == [0, 0]
        times = [round(at, 1) for at in api_times(transport)]
        assert [times.count(at) for at in (0, 0.5, 1.0, 1.5, 2.0)] == [1002, 1, 1, 1, 1000]

    async def test_fails_no_trigger(self) -> None:
        server = Issuer(lambda _server, _request, _number, age: age >= 1.5)
        async with session_over(FakeTransport(server), credentials=DEMO) as session:
            assert (await session.send(TRIGGER)).status == 200
        assert now() == pytest.approx(1.5, abs=0.01)


class TestTheWait:
    async def test_holds_no_permit(self) -> None:
        server = Issuer(lambda _server, request, _number, _age: request.url.path.endswith("ping"))
        transport = FakeTransport(server, round_trip=0.1, max_concurrency=1)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            refused = asyncio.create_task(session.send(get_instance(1)))
            await asyncio.sleep(0.7)  # between two probes
            assert session.statistics().in_flight == 0
            await session.send(PING)
            refused.cancel()

    async def test_obeys_the_total_time_out(self) -> None:
        async with session_over(
            FakeTransport(Issuer(accepts_none)), credentials=DEMO, timeouts=Timeouts(total=3)
        ) as session:
            for request in (PING, TRIGGER):
                with pytest.raises(RequestTimeout, match="total=3 s") as caught:
                    await session.send(request)
                assert caught.value.sent
        assert now() == 6

    async def test_of_cancelled_calls_does_not_stop_the_others(self) -> None:
        server = Issuer(lambda _server, _request, _number, age: age >= 3)
        async with session_over(FakeTransport(server), credentials=DEMO, rate_limit=UNLIMITED) as session:
            calls = [asyncio.create_task(session.send(PING)) for _ in range(100)]
            await asyncio.sleep(1.2)
            for call in calls[:-1]:
                call.cancel()
            assert (await calls[-1]).status == 200
            assert session._keeper._rejected == {}
            await settled()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_ends_with_the_client(self) -> None:
        async with session_over(FakeTransport(Issuer(accepts_none)), credentials=DEMO) as session:
            call = asyncio.create_task(session.send(PING))
            await asyncio.sleep(1.2)
        with pytest.raises(BackupifyError, match="closed during the call"):
            await call
        assert asyncio.all_tasks() == {asyncio.current_task()}


class TestClientsThatInvalidateEachOthersTokens:
    @pytest.fixture
    async def clients(self) -> AsyncIterator[Callable[..., "asyncio.Future[list[Session]]"]]:
        """Opens one session for each round trip, all with one server."""
        async with AsyncExitStack() as stack:

            async def open_sessions(server: Issuer, *round_trips: float) -> list[Session]:
                transports = [Halfway(server, round_trip) for round_trip in round_trips]
                return [
                    await stack.enter_async_context(
                        session_over(transport, credentials=DEMO, rate_limit=UNLIMITED)
                    )
                    for transport in transports
                ]

            yield open_sessions  # type: ignore[misc]

    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("round_trips", [(0.02, 0.02), (0.5, 0.02), (0.02, 0.02, 0.02), (0.2, 0.02, 0.1)])
    async def test_no_call_fails(
        self,
        clients: Callable[..., "asyncio.Future[list[Session]]"],
        round_trips: tuple[float, ...],
        seed: int,
    ) -> None:
        random.seed(seed)
        server = Issuer(accepts_newest)
        sessions = await clients(server, *round_trips)

        async def run(session: Session) -> list[BackupifyError]:
            await asyncio.sleep(random.uniform(0, 3))
            return await errors_of_calls(session, 400, workers=8)

        assert await asyncio.gather(*map(run, sessions)) == [[] for _ in sessions]
