"""Sessions whose tokens are rejected for good, or for one call only."""

import asyncio
from itertools import pairwise

import pytest

from backupify_async import AuthenticationError, StaticToken, Token, Unauthorized
from backupify_async._transport.request import Request
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.scripted import DEMO, PING, TRIGGER, UNLIMITED, Script, Vault, api_times, now
from tests.transport.token_issuer import Issuer, accepts_none, errors_of_calls

pytestmark = pytest.mark.looptime


class TestARejectionThatLasts:
    @pytest.mark.parametrize("request_", [PING, TRIGGER])
    async def test_is_raised_after_fifteen_to_eighteen_seconds(self, request_: Request) -> None:
        server = Issuer(accepts_none)
        transport = FakeTransport(server, round_trip=0.1)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            with pytest.raises(
                Unauthorized, match="gave up: no call is accepted, and a refreshed token was rejected too"
            ):
                await session.send(request_)
        assert 15 <= now() <= 18.1
        assert all(later >= earlier + 5 for earlier, later in pairwise(server.issued[1:]))
        assert len(api_times(transport)) < 40

    async def test_is_raised_too_if_responses_take_long(self) -> None:
        async with session_over(
            FakeTransport(Issuer(accepts_none), round_trip=8), credentials=DEMO, rate_limit=UNLIMITED
        ) as session:
            errors = await errors_of_calls(session, 8, workers=4)
        assert [type(error) for error in errors] == [Unauthorized] * 8
        assert now() < 100

    async def test_ends_two_thousand_calls_soon(self) -> None:
        server = Issuer(accepts_none)
        transport = FakeTransport(server, round_trip=0.1)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            errors = await errors_of_calls(session, 2000, workers=64)
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
        server = Issuer(accepts_none)
        async with session_over(FakeTransport(server), credentials=DEMO, rate_limit=UNLIMITED) as session:
            await errors_of_calls(session, 100, workers=64)
            given_up = now()
            server.accepts = lambda *_: True
            await asyncio.sleep(59)
            with pytest.raises(AuthenticationError):
                await session.send(PING)
            await asyncio.sleep(1.1)
            assert (await session.send(PING)).status == 200
            assert now() < given_up + 61

    async def test_during_many_calls_is_waited_for_once(self) -> None:
        server = Issuer(lambda *_: now() < 5)
        transport = FakeTransport(server, round_trip=0.1)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            errors = await errors_of_calls(session, 4000, workers=64)
        assert {type(error) for error in errors} == {Unauthorized}
        assert 25 <= now() < 35

    async def test_of_a_static_token_is_raised_at_once_and_soon_without_a_request(self) -> None:
        transport = FakeTransport(lambda request: respond(request, 401))
        async with session_over(transport, credentials=StaticToken("abc"), rate_limit=UNLIMITED) as session:
            errors = [await errors_of_calls(session, 1, workers=1) for _ in range(100)]
        assert now() == 0
        assert [type(error) for (error,) in errors] == [Unauthorized] * 10 + [AuthenticationError] * 90
        assert len(transport.sent) == 10

    async def test_is_raised_after_five_seconds_if_the_vault_returns_the_same_token_again(self) -> None:
        vault = Vault(Token("one"))
        transport = FakeTransport(lambda request: respond(request, 401))
        async with session_over(transport, credentials=vault, rate_limit=UNLIMITED) as session:
            with pytest.raises(Unauthorized, match="there is no other token"):
                await session.send(PING)
        assert now() == pytest.approx(5, abs=0.01)
        assert vault.asked == 2

    async def test_leaves_the_token_to_other_calls_if_the_refresh_fails(self) -> None:
        script = Script(401)
        async with session_over(FakeTransport(script), credentials=DEMO, rate_limit=UNLIMITED) as session:
            await session.fetch_token()
            script.tokens.append(400)
            with pytest.raises(AuthenticationError, match="answered 400"):
                await session.send(PING)
            assert (await session.send(PING)).status == 200

    async def test_fails_all_calls_if_the_refresh_fails(self) -> None:
        script = Script(*[401] * 99)
        async with session_over(FakeTransport(script), credentials=DEMO, rate_limit=UNLIMITED) as session:
            await session.fetch_token()
            script.tokens.append(400)
            errors = await errors_of_calls(session, 20, workers=10)
        assert [str(error) for error in errors] == [
            "the token endpoint /oauth/token answered 400: check client id, client secret and base URL"
        ] * 20
        assert now() == 0


class TestARejectionOfOneCall:
    async def test_costs_one_resending_and_no_refresh_while_others_are_accepted(self) -> None:
        rejected = {"17", "500", "501", "502", "900"}
        server = Issuer(lambda _server, request, *_: request.url.name not in rejected)
        transport = FakeTransport(server, round_trip=0.05)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            first, *_ = await errors_of_calls(session, 3000)  # after these the session knows such calls
            assert "answered 401; gave up: other calls are accepted with the same token" in str(first)
            began, refreshes = now(), len(server.issued)
            transport.sent.clear()
            errors = await errors_of_calls(session, 1000)
        assert {type(error) for error in errors} == {Unauthorized}
        sent = [request.url.name for _, request in transport.sent]
        assert {sent.count(name) for name in rejected} == {2}
        assert (len(errors), len(server.issued)) == (5, refreshes)
        assert now() < began + 4

    async def test_is_not_raised_before_a_new_token_has_settled(self) -> None:
        server = Issuer(lambda _server, request, *_: request.url.name != "7")
        transport = FakeTransport(server, round_trip=0.05)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            (error,) = await errors_of_calls(session, 5000, workers=8)
        assert isinstance(error, Unauthorized)
        assert [request.url.name for _, request in transport.sent].count("7") <= 20

    async def test_of_calls_one_after_another_is_waited_for_once_a_minute(self) -> None:
        server = Issuer(lambda _server, request, *_: int(request.url.name) % 5 > 0)
        async with session_over(FakeTransport(server, round_trip=0.1), credentials=DEMO) as session:
            errors = await errors_of_calls(session, 300, workers=1)
        assert len(errors) == 60
        assert now() < 60
