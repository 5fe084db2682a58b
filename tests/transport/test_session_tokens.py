"""How a session obtains and refreshes its token, and what it does when the server rejects it."""

import asyncio
from collections import Counter
from unittest.mock import Mock

import pytest

from backupify_async import (
    AuthenticationError,
    RateLimit,
    RateLimited,
    RetryPolicy,
    ServerError,
    Settings,
    Token,
    Unauthorized,
)
from backupify_async._transport.session import Session
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.scripted import (
    DEMO,
    PING,
    TRIGGER,
    UNLIMITED,
    Script,
    Vault,
    after,
    api_times,
    bearer,
    now,
    token_times,
)
from tests.support.transport_values import upper_bound

pytestmark = pytest.mark.looptime


@pytest.fixture(autouse=True)
def longest_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", upper_bound)


def bearers(transport: FakeTransport) -> list[str]:
    return [bearer(request) for _, request in transport.sent if not request.url.path.endswith("/oauth/token")]


class TestTheTokenRequest:
    async def test_is_the_documented_form(self) -> None:
        transport = FakeTransport(Script())
        async with session_over(transport, credentials=DEMO) as session:
            await session.send(PING)
        request = transport.sent[0][1]
        assert (request.method, str(request.url)) == ("POST", "http://127.0.0.1/oauth/token")
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert "Authorization" not in request.headers
        assert request.body == (
            b"client_id=demo&client_secret=s3cret&grant_type=client_credentials&scope=write"
        )

    async def test_can_be_made_before_the_first_call(self) -> None:
        transport = FakeTransport(Script())
        async with session_over(transport, credentials=DEMO) as session:
            await session.fetch_token()
            await session.fetch_token()
            await session.send(PING)
        assert (len(token_times(transport)), bearers(transport)) == (1, ["token-1"])

    async def test_is_made_once_for_any_number_of_calls(self) -> None:
        transport = FakeTransport(Script(), round_trip=1)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            await asyncio.gather(*(session.send(PING) for _ in range(100)))
        assert token_times(transport) == [0]

    @pytest.mark.parametrize("steps", [(429,), ((429, after("0.5")),), (408,), (500,), (503,)])
    async def test_is_repeated_after_a_transient_failure(self, steps: tuple[int]) -> None:
        transport = FakeTransport(Script(tokens=steps))
        async with session_over(transport, credentials=DEMO) as session:
            await session.send(PING)
        assert token_times(transport) == [0, 0.5]

    async def test_waits_as_long_as_its_retry_after_says(self) -> None:
        transport = FakeTransport(Script(tokens=((429, after("7")), (503, after("9")))))
        async with session_over(transport, credentials=DEMO) as session:
            await session.send(PING)
        assert token_times(transport) == [0, 7, 16]

    async def test_with_a_429_pauses_the_calls_too(self) -> None:
        transport = FakeTransport(Script(tokens=(429,)))
        async with session_over(transport, credentials=DEMO) as session:
            await session.send(PING)
        assert (token_times(transport), api_times(transport)) == ([0, 0.5], [1])

    async def test_with_a_429_counts_for_the_limiter_as_a_call_does(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        transport = FakeTransport(Script(tokens=(429,)))
        async with session_over(transport, credentials=DEMO) as session:
            limiter = session._limiter
            spies = {name: Mock(wraps=getattr(limiter, name)) for name in ("on_send", "on_response")}
            for name, spy in spies.items():
                monkeypatch.setattr(limiter, name, spy)
            await session.send(PING)
        assert [spy.call_count for spy in spies.values()] == [2, 2]

    async def test_with_a_long_retry_after_fails_all_calls_unsent(self) -> None:
        transport = FakeTransport(Script(tokens=((429, after("3600")),)))
        async with session_over(transport, credentials=DEMO) as session:
            for _ in range(3):
                with pytest.raises(RateLimited):
                    await session.send(PING)
            assert session.is_blocked()
        assert len(transport.sent) == 1

    async def test_with_a_429_is_counted_in_the_statistics(self) -> None:
        transport = FakeTransport(Script(tokens=(429,)))
        async with session_over(transport, credentials=DEMO) as session:
            await session.send(PING)
            assert session.statistics().refused == 1

    async def test_that_keeps_failing_is_a_server_error_without_the_body(self) -> None:
        transport = FakeTransport(lambda request: respond(request, 500, b"echo: s3cret"))
        async with session_over(transport, credentials=DEMO) as session:
            with pytest.raises(ServerError, match=r"^POST /oauth/token answered 500; gave up: sent 4 times$"):
                await session.send(PING)
        assert len(transport.sent) == 4

    async def test_with_a_5xx_is_made_again_a_second_later(self) -> None:
        transport = FakeTransport(Script(tokens=(500,)))
        async with session_over(transport, credentials=DEMO, retry=RetryPolicy(attempts=1)) as session:
            with pytest.raises(ServerError):
                await session.send(PING)
            await session.send(PING)
        assert token_times(transport) == [0, 1]

    async def test_that_keeps_failing_is_made_less_and_less_often(self) -> None:
        transport = FakeTransport(Script(tokens=(503,) * 10_000))
        policy = RetryPolicy(attempts=1, budget=0)
        async with session_over(transport, credentials=DEMO, retry=policy, rate_limit=UNLIMITED) as session:
            for _ in range(10):
                calls = (session.send(PING) for _ in range(100))
                errors = await asyncio.gather(*calls, return_exceptions=True)
                assert {type(error) for error in errors} == {ServerError}
        assert token_times(transport) == [0, 1, 3, 7, 15, 31, 61, 91, 121, 151]

    async def test_that_keeps_getting_429_is_made_less_and_less_often(self) -> None:
        transport = FakeTransport(Script(tokens=(429,) * 10_000))
        policy = RetryPolicy(attempts=1, budget=0, max_throttled=0)
        async with session_over(transport, credentials=DEMO, retry=policy) as session:
            while now() < 60:
                with pytest.raises(RateLimited):
                    await session.send(PING)
                await asyncio.sleep(0.125)
        assert len(token_times(transport)) == 12  # two for each refresh, 1, 2, 4, 8, 16 and 30 s apart

    async def test_with_a_wrong_secret_is_not_repeated_for_a_minute(self) -> None:
        transport = FakeTransport(Script(tokens=(401,) * 2))
        async with session_over(transport, credentials=DEMO) as session:
            calls = (session.send(PING) for _ in range(100))
            errors = await asyncio.gather(*calls, return_exceptions=True)
            await asyncio.sleep(59.9)
            with pytest.raises(AuthenticationError):
                await session.send(PING)
            assert len(transport.sent) == 1
            await asyncio.sleep(0.1)
            with pytest.raises(AuthenticationError):
                await session.send(PING)
        assert {type(error) for error in errors} == {AuthenticationError}
        assert token_times(transport) == [0, 60]

    async def test_gives_each_waiting_call_its_own_error(self) -> None:
        transport = FakeTransport(Script(tokens=(401,)), round_trip=1)
        async with session_over(transport, credentials=DEMO) as session:
            calls = (session.send(PING) for _ in range(10))
            errors = await asyncio.gather(*calls, return_exceptions=True)
        assert len(set(map(id, errors))) == 10

    async def test_goes_below_the_prefix_of_the_base_url(self) -> None:
        transport = FakeTransport(Script())
        settings = Settings(credentials=DEMO, base_url="http://127.0.0.1/proxy/")
        session = Session(settings, transport)
        await session.open()
        await session.send(PING)
        await session.close()
        assert [request.url.path for _, request in transport.sent] == ["/proxy/oauth/token", "/proxy/v1/ping"]


class TestA401:
    async def test_during_a_thousand_calls_causes_one_refresh_and_all_succeed(self) -> None:
        script = Script()
        transport = FakeTransport(script, round_trip=0.1)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            calls = [asyncio.create_task(session.send(PING)) for _ in range(1000)]
            await asyncio.sleep(0.75)
            script.refused.add("token-1")
            done = await asyncio.gather(*calls)
        assert {response.status for response in done} == {200}
        assert len(token_times(transport)) == 2
        assert Counter(bearers(transport))["token-1"] < 600

    async def test_costs_neither_an_attempt_nor_budget(self) -> None:
        transport = FakeTransport(Script(401))
        policy = RetryPolicy(attempts=1, budget=0)
        async with session_over(transport, credentials=DEMO, retry=policy) as session:
            await session.send(TRIGGER)
            assert session.statistics().retried == 0
        assert bearers(transport) == ["token-1", "token-2"]

    async def test_costs_a_second_slot_of_the_limiter(self) -> None:
        transport = FakeTransport(Script(401))
        limit = RateLimit(per_second=0.5, burst=1, adaptive=False)
        async with session_over(transport, credentials=DEMO, rate_limit=limit) as session:
            await session.send(PING)
        assert api_times(transport) == [0, 2]

    async def test_of_a_static_token_is_raised_at_once(self) -> None:
        transport = FakeTransport(Script(401))
        async with session_over(transport) as session:
            with pytest.raises(Unauthorized, match=r"gave up: there is no other token$"):
                await session.send(PING)
        assert len(transport.sent) == 1

    async def test_asks_the_credentials_of_the_user_once_more(self) -> None:
        transport, vault = FakeTransport(Script(401)), Vault(Token("one"), Token("two"))
        async with session_over(transport, credentials=vault) as session:
            await session.send(PING)
        assert (bearers(transport), vault.asked) == (["one", "two"], 2)

    async def test_followed_by_a_failed_refresh_raises_its_error(self) -> None:
        script = Script(401)
        transport = FakeTransport(script)
        async with session_over(transport, credentials=DEMO) as session:
            await session.fetch_token()
            script.tokens.append(400)
            with pytest.raises(AuthenticationError, match="the token endpoint /oauth/token answered 400"):
                await session.send(TRIGGER)
        assert len(api_times(transport)) == 1


class TestATokenThatExpires:
    async def test_is_refreshed_in_advance_and_no_call_waits(self) -> None:
        transport = FakeTransport(Script(life=100), round_trip=1)
        async with session_over(transport, credentials=DEMO) as session:
            await session.send(PING)
            for _ in range(3):
                await asyncio.sleep(39)
                await session.send(PING)
        assert token_times(transport) == [0, 81]
        assert api_times(transport) == [1, 41, 81, 121]

    async def test_while_its_call_waits_at_the_gate_is_replaced_before_the_call_is_sent(self) -> None:
        transport = FakeTransport(Script(life=10), round_trip=1, max_concurrency=1)
        limit = RateLimit(per_second=0.05, burst=1, adaptive=False)
        async with session_over(transport, credentials=DEMO, rate_limit=limit) as session:
            await asyncio.gather(*(session.send(PING) for _ in range(2)))
        assert bearers(transport) == ["token-1", "token-2"]
        assert api_times(transport) == [1, 22]

    async def test_does_not_cost_a_waiting_call_its_turn(self) -> None:
        transport, order = FakeTransport(Script(life=50)), []

        async def call(session: Session, name: str, delay: float) -> None:
            await asyncio.sleep(delay)
            await session.send(PING)
            order.append(name)

        limit = RateLimit(per_second=0.1, burst=1, adaptive=False)
        async with session_over(transport, credentials=DEMO, rate_limit=limit) as session:
            early = [call(session, f"early {number}", 0) for number in range(6)]
            await asyncio.gather(*early, call(session, "late", 45))
        assert order == [*(f"early {number}" for number in range(6)), "late"]
