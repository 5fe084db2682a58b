"""Sessions whose tokens are refused: by nodes that lag, for a newer one, for good, or for one call alone."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from itertools import pairwise

import pytest

from backupify_async import (
    AuthenticationError,
    BackupifyError,
    RequestTimeout,
    StaticToken,
    Timeouts,
    Token,
    Unauthorized,
)
from backupify_async._transport.request import Request
from backupify_async._transport.session import Session
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.scripted import (
    DEMO,
    PING,
    TRIGGER,
    UNLIMITED,
    Script,
    Vault,
    api_times,
    bearer,
    now,
    settled,
)

pytestmark = pytest.mark.looptime

RoundTrip = Callable[[], float]


class Halfway(FakeTransport):
    """Answers in the middle of the round trip, as a server does."""

    async def __call__(self, request: PreparedRequest) -> Response:
        """Answer a message."""
        self.sent.append((asyncio.get_running_loop().time(), request))
        await asyncio.sleep(self.round_trip / 2)
        response = self.responder(request)
        await asyncio.sleep(self.round_trip / 2)
        return response


class Issuer:
    """A server that gives tokens, and takes those that `takes` lets pass.

    Args:
        takes: Whether a call passes: by the number of its token, and seconds since that was issued.
    """

    def __init__(self, takes: "Callable[[Issuer, PreparedRequest, int, float], bool]") -> None:
        self.takes = takes
        self.issued: list[float] = []

    def __call__(self, request: PreparedRequest) -> Response:
        """Answer one message."""
        if request.url.path.endswith("/oauth/token"):
            self.issued.append(now())
            return respond(request, 200, {"access_token": f"token-{len(self.issued)}", "expires_in": 899})
        number = int(bearer(request).removeprefix("token-"))
        good = self.takes(self, request, number, now() - self.issued[number - 1])
        return respond(request, 200 if good else 401)


def newest_only(server: Issuer, _message: PreparedRequest, number: int, _age: float) -> bool:
    return number == len(server.issued)


def nobody(*_: object) -> bool:
    return False


def one(number: int) -> Request:
    return Request.get("/v1/backup_instances/{instance_id}", instance_id=number)


async def sweep(session: Session, calls: int, workers: int = 16) -> list[BackupifyError]:
    """The errors of so many calls, some at a time."""
    errors = []
    ids = iter(range(calls))

    async def work() -> None:
        for number in ids:
            try:
                await session.send(one(number))
            except BackupifyError as error:
                errors.append(error)

    await asyncio.gather(*(work() for _ in range(workers)))
    return errors


class TestATokenThatIsNotKnownYet:
    @pytest.mark.parametrize("lag", [0.1, 1.5, 4.0])
    async def test_fails_no_call(self, lag: float) -> None:
        server = Issuer(lambda _server, _message, _number, age: age >= lag)
        transport = Halfway(server, round_trip=0.02)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            assert await sweep(session, 2000) == []
        assert len(server.issued) == 2
        assert len(api_times(transport)) < 2000 + 16 * 3 + 10  # 16 wait together, and one of them tries

    async def test_by_some_nodes_fails_no_call(self) -> None:
        dice = random.Random(1)
        server = Issuer(lambda _server, _message, _number, age: age >= 1.5 or dice.random() < 0.5)
        async with session_over(
            Halfway(server, round_trip=0.02), credentials=DEMO, rate_limit=UNLIMITED
        ) as session:
            assert await sweep(session, 2000) == []
        assert len(server.issued) <= 2

    async def test_of_a_vault_that_gives_the_same_again_fails_no_call(self) -> None:
        transport = FakeTransport(
            lambda request: respond(request, 200 if now() >= 1.5 else 401), round_trip=0.02
        )
        vault = Vault(Token("one"))
        async with session_over(transport, credentials=vault, rate_limit=UNLIMITED) as session:
            assert await sweep(session, 200) == []
        assert vault.asked <= 2

    async def test_is_tried_twice_a_second_by_one_of_a_thousand(self) -> None:
        server = Issuer(lambda _server, _message, _number, age: age >= 1.9)
        transport = FakeTransport(server, max_concurrency=2000)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            await asyncio.gather(*(session.send(PING) for _ in range(1000)))
        assert server.issued == [0, 0]
        times = [round(when, 1) for when in api_times(transport)]
        assert [times.count(when) for when in (0, 0.5, 1.0, 1.5, 2.0)] == [1002, 1, 1, 1, 1000]

    async def test_fails_no_trigger(self) -> None:
        server = Issuer(lambda _server, _message, _number, age: age >= 1.5)
        async with session_over(FakeTransport(server), credentials=DEMO) as session:
            assert (await session.send(TRIGGER)).status == 200
        assert now() == pytest.approx(1.5, abs=0.01)


class TestTheWait:
    async def test_gives_the_place_back(self) -> None:
        server = Issuer(lambda _server, request, _number, _age: request.url.path.endswith("ping"))
        transport = FakeTransport(server, round_trip=0.1, max_concurrency=1)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            refused = asyncio.create_task(session.send(one(1)))
            await asyncio.sleep(0.7)  # between two trials
            assert session.statistics().in_flight == 0
            await session.send(PING)
            refused.cancel()

    async def test_obeys_the_total_time_out(self) -> None:
        async with session_over(
            FakeTransport(Issuer(nobody)), credentials=DEMO, timeouts=Timeouts(total=3)
        ) as session:
            for request in (PING, TRIGGER):
                with pytest.raises(RequestTimeout, match="total=3 s") as caught:
                    await session.send(request)
                assert caught.value.sent
        assert now() == 6

    async def test_that_is_cancelled_leaves_nothing_and_stops_nobody(self) -> None:
        server = Issuer(lambda _server, _message, _number, age: age >= 3)
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
        async with session_over(FakeTransport(Issuer(nobody)), credentials=DEMO) as session:
            call = asyncio.create_task(session.send(PING))
            await asyncio.sleep(1.2)
        with pytest.raises(BackupifyError, match="closed during the call"):
            await call
        assert asyncio.all_tasks() == {asyncio.current_task()}


class TestARefusalThatStays:
    @pytest.mark.parametrize("request_", [PING, TRIGGER])
    async def test_is_raised_after_fifteen_seconds_or_a_little_more(self, request_: Request) -> None:
        server = Issuer(nobody)
        transport = FakeTransport(server, round_trip=0.1)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            with pytest.raises(
                Unauthorized, match="gave up: no call is accepted, and a refreshed token was rejected too"
            ):
                await session.send(request_)
        assert 15 <= now() <= 18.1
        assert all(later >= earlier + 5 for earlier, later in pairwise(server.issued[1:]))
        assert len(api_times(transport)) < 40

    async def test_of_a_server_that_is_slow_to_refuse_is_raised_too(self) -> None:
        async with session_over(
            FakeTransport(Issuer(nobody), round_trip=8), credentials=DEMO, rate_limit=UNLIMITED
        ) as session:
            errors = await sweep(session, 8, workers=4)
        assert [type(error) for error in errors] == [Unauthorized] * 8
        assert now() < 100

    async def test_makes_two_thousand_calls_end_soon(self) -> None:
        server = Issuer(nobody)
        transport = FakeTransport(server, round_trip=0.1)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            errors = await sweep(session, 2000, workers=64)
            assert now() < 20
            assert {type(error) for error in errors} == {Unauthorized, AuthenticationError}
            assert len(errors) == 2000
            assert len(api_times(transport)) < 400
            assert len(server.issued) <= 4
            with pytest.raises(
                AuthenticationError, match=r"^the API rejected every token recently; not sent$"
            ):
                await session.send(PING)

    async def test_is_forgotten_after_a_minute(self) -> None:
        server = Issuer(nobody)
        async with session_over(FakeTransport(server), credentials=DEMO, rate_limit=UNLIMITED) as session:
            await sweep(session, 100, workers=64)
            given_up = now()
            server.takes = lambda *_: True
            await asyncio.sleep(59)
            with pytest.raises(AuthenticationError):
                await session.send(PING)
            await asyncio.sleep(1.1)
            assert (await session.send(PING)).status == 200
            assert now() < given_up + 61

    async def test_in_the_midst_of_a_sweep_is_waited_for_once(self) -> None:
        server = Issuer(lambda *_: now() < 5)
        transport = FakeTransport(server, round_trip=0.1)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            errors = await sweep(session, 4000, workers=64)
        assert {type(error) for error in errors} == {Unauthorized}
        assert 25 <= now() < 35

    async def test_of_a_static_token_is_raised_at_once_and_soon_not_sent(self) -> None:
        transport = FakeTransport(lambda request: respond(request, 401))
        async with session_over(transport, credentials=StaticToken("abc"), rate_limit=UNLIMITED) as session:
            errors = [await sweep(session, 1, workers=1) for _ in range(100)]
        assert now() == 0
        assert [type(error) for (error,) in errors] == [Unauthorized] * 10 + [AuthenticationError] * 90
        assert len(transport.sent) == 10

    async def test_of_a_vault_that_gives_the_same_again_is_raised_after_five_seconds(self) -> None:
        vault = Vault(Token("one"))
        transport = FakeTransport(lambda request: respond(request, 401))
        async with session_over(transport, credentials=vault, rate_limit=UNLIMITED) as session:
            with pytest.raises(Unauthorized, match="there is no other token"):
                await session.send(PING)
        assert now() == pytest.approx(5, abs=0.01)
        assert vault.asked == 2

    async def test_does_not_take_the_token_from_others_where_the_renewal_fails(self) -> None:
        script = Script(401)
        async with session_over(FakeTransport(script), credentials=DEMO, rate_limit=UNLIMITED) as session:
            await session.fetch_token()
            script.tokens.append(400)
            with pytest.raises(AuthenticationError, match="answered 400"):
                await session.send(PING)
            assert (await session.send(PING)).status == 200

    async def test_fails_for_all_where_the_renewal_fails(self) -> None:
        script = Script(*[401] * 99)
        async with session_over(FakeTransport(script), credentials=DEMO, rate_limit=UNLIMITED) as session:
            await session.fetch_token()
            script.tokens.append(400)
            errors = await sweep(session, 20, workers=10)
        assert [str(error) for error in errors] == [
            "the token endpoint /oauth/token answered 400: check client id, client secret and base URL"
        ] * 20
        assert now() == 0


class TestARefusalOfOnesOwn:
    async def test_costs_one_replay_and_no_renewal_where_others_pass(self) -> None:
        own = {"17", "500", "501", "502", "900"}
        server = Issuer(lambda _server, request, *_: request.url.name not in own)
        transport = FakeTransport(server, round_trip=0.05)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            first, *_ = await sweep(session, 3000)  # which finds out that there are such
            assert "answered 401; gave up: other calls are accepted with the same token" in str(first)
            began, renewals = now(), len(server.issued)
            transport.sent.clear()
            errors = await sweep(session, 1000)
        assert {type(error) for error in errors} == {Unauthorized}
        sent = [request.url.name for _, request in transport.sent]
        assert {sent.count(name) for name in own} == {2}
        assert (len(errors), len(server.issued)) == (5, renewals)
        assert now() < began + 4

    async def test_waits_for_a_new_token_to_settle(self) -> None:
        server = Issuer(lambda _server, request, *_: request.url.name != "7")
        transport = FakeTransport(server, round_trip=0.05)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            (error,) = await sweep(session, 5000, workers=8)
        assert isinstance(error, Unauthorized)
        assert [request.url.name for _, request in transport.sent].count("7") <= 20

    async def test_of_calls_one_after_another_is_waited_for_once_a_minute(self) -> None:
        server = Issuer(lambda _server, request, *_: int(request.url.name) % 5 > 0)
        async with session_over(FakeTransport(server, round_trip=0.1), credentials=DEMO) as session:
            errors = await sweep(session, 300, workers=1)
        assert len(errors) == 60
        assert now() < 60


class TestClientsThatEndEachOthersTokens:
    @pytest.fixture
    async def clients(self) -> AsyncIterator[Callable[..., "asyncio.Future[list[Session]]"]]:
        """Opens sessions with round trips of their own at one server that takes the newest token only."""
        async with AsyncExitStack() as stack:

            async def opened(server: Issuer, *round_trips: float) -> list[Session]:
                carriers = [Halfway(server, round_trip) for round_trip in round_trips]
                return [
                    await stack.enter_async_context(
                        session_over(transport, credentials=DEMO, rate_limit=UNLIMITED)
                    )
                    for transport in carriers
                ]

            yield opened  # type: ignore[misc]

    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("round_trips", [(0.02, 0.02), (0.5, 0.02), (0.02, 0.02, 0.02), (0.2, 0.02, 0.1)])
    async def test_no_call_fails(
        self,
        clients: Callable[..., "asyncio.Future[list[Session]]"],
        round_trips: tuple[float, ...],
        seed: int,
    ) -> None:
        random.seed(seed)
        server = Issuer(newest_only)
        sessions = await clients(server, *round_trips)

        async def run(session: Session) -> list[BackupifyError]:
            await asyncio.sleep(random.uniform(0, 3))
            return await sweep(session, 400, workers=8)

        assert await asyncio.gather(*map(run, sessions)) == [[] for _ in sessions]
