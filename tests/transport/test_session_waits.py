"""What a session waits for in virtual time, what it retries, and what it counts."""

import asyncio

import attrs
import pytest

from backupify_async import (
    APIError,
    ConnectionFailed,
    NotFound,
    RateLimit,
    RateLimited,
    RequestTimeout,
    RetryPolicy,
    ServerError,
    TransportError,
)
from backupify_async._call_context import ATTEMPTS, AttemptCount
from backupify_async._transport.request import DeliveryUnknown, Request
from backupify_async._transport.session import Session
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.scripted import DEMO, PING, TRIGGER, UNLIMITED, Script, Step, after, api_times, token_times
from tests.support.transport_values import upper_bound

pytestmark = pytest.mark.looptime


@pytest.fixture(autouse=True)
def longest_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", upper_bound)


async def pings(session: Session, count: int) -> None:
    await asyncio.gather(*(session.send(PING) for _ in range(count)))


class TestTheRate:
    async def test_calls_are_sent_evenly_after_the_burst(self) -> None:
        transport = FakeTransport(Script())
        async with session_over(
            transport, rate_limit=RateLimit(per_second=2, burst=3, adaptive=False)
        ) as session:
            await pings(session, 6)
        assert transport.times == [0, 0, 0, 0.5, 1.0, 1.5]

    async def test_at_most_max_concurrency_calls_are_in_flight(self) -> None:
        transport = FakeTransport(Script(), round_trip=1, max_concurrency=2)
        async with session_over(transport, rate_limit=UNLIMITED) as session:
            await pings(session, 5)
        assert transport.most_in_flight == 2
        assert transport.times == [0, 0, 1, 1, 2]

    async def test_no_burst_follows_the_wait_for_a_token(self) -> None:
        transport = FakeTransport(Script(), round_trip=5)
        limit = RateLimit(per_second=1, burst=1, adaptive=False)
        async with session_over(transport, credentials=DEMO, rate_limit=limit) as session:
            await pings(session, 4)
        assert (token_times(transport), api_times(transport)) == ([0], [5, 6, 7, 8])

    async def test_a_call_that_waits_for_a_token_holds_no_permit(self) -> None:
        transport = FakeTransport(Script(), round_trip=1, max_concurrency=1)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            call = asyncio.create_task(session.send(PING))
            await asyncio.sleep(0.5)
            assert (session.statistics().in_flight, session.statistics().waiting) == (0, 0)
            await call


class TestA429:
    async def test_pauses_all_calls_and_no_burst_follows(self) -> None:
        transport = FakeTransport(Script((429, after("5"))))
        async with session_over(
            transport, rate_limit=RateLimit(per_second=2, burst=1, adaptive=False)
        ) as session:
            await pings(session, 4)
        assert transport.times == [0, 5, 5.5, 6.0, 6.5]

    async def test_without_a_retry_after_pauses_twice_as_long_after_each_wave(self) -> None:
        transport = FakeTransport(Script(*[429] * 6))
        async with session_over(transport, rate_limit=UNLIMITED) as session:
            await session.send(PING)
        assert transport.times == [0, 1, 3, 7, 15, 23, 31]

    async def test_of_calls_in_flight_together_is_one_wave(self) -> None:
        transport = FakeTransport(Script(*[429] * 5), round_trip=0.25)
        async with session_over(transport, rate_limit=UNLIMITED) as session:
            await pings(session, 5)
        assert transport.times == [0] * 5 + [1.25] * 5

    @pytest.mark.parametrize("sent", [PING, TRIGGER])
    async def test_costs_neither_an_attempt_nor_budget(self, sent: Request) -> None:
        transport = FakeTransport(Script(*[(429, after("1"))] * 20))
        policy = RetryPolicy(attempts=1, budget=0)
        async with session_over(transport, rate_limit=UNLIMITED, retry=policy) as session:
            await session.send(sent)
            assert (session.statistics().refused, session.statistics().retried) == (20, 0)
        assert transport.times == list(range(21))

    async def test_is_retried_for_max_throttled_seconds(self) -> None:
        transport = FakeTransport(Script(*[(429, after("10"))] * 9))
        async with session_over(transport, retry=RetryPolicy(max_throttled=30)) as session:
            with pytest.raises(RateLimited, match=r"gave up: refused for 30 s, and max_throttled=30 s"):
                await session.send(PING)
        assert transport.times == [0, 10, 20, 30]

    async def test_releases_the_permit_during_the_wait(self) -> None:
        transport = FakeTransport(Script((429, after("5"))), max_concurrency=1)
        async with session_over(transport) as session:
            call = asyncio.create_task(session.send(PING))
            await asyncio.sleep(1)
            assert (session.statistics().in_flight, session.statistics().waiting) == (0, 0)
            await call


class TestA503:
    async def test_with_a_retry_after_pauses_all_calls(self) -> None:
        transport = FakeTransport(Script((503, after("5"))))
        async with session_over(
            transport, rate_limit=RateLimit(per_second=2, burst=1, adaptive=False)
        ) as session:
            await pings(session, 3)
            assert session.statistics().refused == 1
        assert transport.times == [0, 5, 5.5, 6]

    async def test_with_a_retry_after_costs_neither_an_attempt_nor_budget(self) -> None:
        transport = FakeTransport(Script(*[(503, after("5"))] * 3))
        async with session_over(transport, retry=RetryPolicy(attempts=1, budget=0)) as session:
            await session.send(PING)
        assert transport.times == [0, 5, 10, 15]

    @pytest.mark.parametrize("step", [503, (503, after("5")), (503, after("500"))])
    async def test_leaves_a_trigger_in_doubt(self, step: Step) -> None:
        transport = FakeTransport(Script(step))
        async with session_over(transport) as session:
            with pytest.raises(DeliveryUnknown):
                await session.send(TRIGGER)
        assert transport.times == [0]

    async def test_without_a_retry_after_pauses_no_call(self) -> None:
        transport = FakeTransport(Script(503), max_concurrency=1)
        async with session_over(transport, rate_limit=UNLIMITED, retry=RetryPolicy(base=4)) as session:
            await pings(session, 3)
        assert transport.times == [0, 0, 0, 4]

    async def test_with_a_retry_after_over_the_cap_fails_only_that_call(self) -> None:
        transport = FakeTransport(Script((503, after("121"))))
        async with session_over(transport) as session:
            with pytest.raises(ServerError, match=r"Retry-After 121 s is over max_retry_after=120 s"):
                await session.send(PING)
            await session.send(PING)
            assert not session.is_blocked()
        assert transport.times == [0, 0]


class TestBackOff:
    async def test_doubles_with_each_attempt(self) -> None:
        transport = FakeTransport(Script(*[500] * 4))
        async with session_over(transport) as session:
            with pytest.raises(ServerError, match=r"gave up: sent 4 times$"):
                await session.send(PING)
        assert transport.times == [0, 0.5, 1.5, 3.5]

    async def test_releases_the_permit(self) -> None:
        transport = FakeTransport(Script(500), max_concurrency=1)
        async with session_over(transport, rate_limit=UNLIMITED, retry=RetryPolicy(base=4)) as session:
            await pings(session, 3)
        assert transport.times == [0, 0, 0, 4]

    async def test_is_followed_by_a_new_slot_of_the_limiter(self) -> None:
        transport = FakeTransport(Script(500, 500))
        limit = RateLimit(per_second=0.1, burst=1, adaptive=False)
        async with session_over(transport, rate_limit=limit) as session:
            await session.send(PING)
        assert transport.times == [0, 10, 20]

    async def test_a_refusal_does_not_count_against_the_attempts(self) -> None:
        transport = FakeTransport(Script(500, 429, (503, after("1")), 500))
        async with session_over(transport, retry=RetryPolicy(attempts=3)) as session:
            await session.send(PING)
        assert len(transport.sent) == 5

    async def test_a_get_whose_response_was_lost_is_retried(self) -> None:
        transport = FakeTransport(Script(TransportError("lost"), RequestTimeout("read")))
        async with session_over(transport) as session:
            assert (await session.send(PING)).status == 200

    async def test_a_trigger_that_was_not_sent_is_sent_again(self) -> None:
        transport = FakeTransport(Script(ConnectionFailed("no route", sent=False)))
        async with session_over(transport) as session:
            assert (await session.send(TRIGGER)).status == 200

    async def test_a_trigger_that_could_never_be_sent_is_not_in_doubt(self) -> None:
        transport = FakeTransport(Script(*[ConnectionFailed("no route", sent=False) for _ in range(4)]))
        async with session_over(transport) as session:
            with pytest.raises(ConnectionFailed, match=r"gave up: tried 4 times"):
                await session.send(TRIGGER)

    @pytest.mark.parametrize("step", [500, 501, 408, TransportError("lost"), RequestTimeout("read")])
    async def test_a_trigger_with_an_unclear_response_is_sent_once(self, step: int | TransportError) -> None:
        transport = FakeTransport(Script(step))
        async with session_over(transport) as session:
            with pytest.raises(DeliveryUnknown) as caught:
                await session.send(TRIGGER)
        assert len(transport.sent) == 1
        assert caught.value.sent_at == transport.sent[0][1].sent_at
        assert isinstance(caught.value.cause, APIError | TransportError)

    async def test_an_error_of_the_caller_is_raised_at_once(self) -> None:
        transport = FakeTransport(Script(404))
        async with session_over(transport) as session:
            with pytest.raises(NotFound):
                await session.send(PING)
        assert len(transport.sent) == 1

    async def test_an_accepted_status_is_no_error(self) -> None:
        transport = FakeTransport(Script(404))
        async with session_over(transport) as session:
            response = await session.send(attrs.evolve(PING, answers=frozenset({404})))
        assert response.status == 404


class TestTheBudget:
    async def test_is_named_in_the_error_when_it_is_spent(self) -> None:
        transport = FakeTransport(Script(*[500] * 9))
        async with session_over(transport, retry=RetryPolicy(attempts=9, budget=12)) as session:
            with pytest.raises(ServerError, match=r"gave up: the client's retry budget is spent$"):
                await session.send(PING)
            assert session.statistics().budget_left == 2
        assert len(transport.sent) == 3

    async def test_is_shared_by_all_calls(self) -> None:
        transport = FakeTransport(lambda request: respond(request, 500))
        async with session_over(transport, rate_limit=UNLIMITED, retry=RetryPolicy(budget=20)) as session:
            calls = (session.send(PING) for _ in range(50))
            errors = await asyncio.gather(*calls, return_exceptions=True)
        assert len(transport.sent) == 50 + 4
        assert {type(error) for error in errors} == {ServerError}

    async def test_gets_back_what_a_successful_retry_cost(self) -> None:
        transport = FakeTransport(Script(500, 500))
        async with session_over(transport, retry=RetryPolicy(budget=100)) as session:
            await session.send(PING)
            assert session.statistics().budget_left == 95


class TestStatistics:
    async def test_count_requests_and_waiting_calls(self) -> None:
        transport = FakeTransport(Script(500, (429, after("10"))), round_trip=1, max_concurrency=2)
        async with session_over(transport, rate_limit=UNLIMITED) as session:
            calls = [asyncio.create_task(session.send(PING)) for _ in range(3)]
            await asyncio.sleep(0.5)
            assert (session.statistics().in_flight, session.statistics().waiting) == (2, 1)
            await asyncio.sleep(1)
            statistics = session.statistics()
            await asyncio.gather(*calls)
        assert (statistics.requests, statistics.refused, statistics.retried) == (3, 1, 1)
        assert statistics.paused_until is not None
        assert statistics.budget_left == 495

    async def test_of_a_fan_out_count_the_attempts(self) -> None:
        transport = FakeTransport(Script(500, 429))
        count = AttemptCount()
        ATTEMPTS.set(count)
        async with session_over(transport, credentials=DEMO) as session:
            await session.send(PING)
        assert count.sent == 3


async def test_an_exception_of_another_library_is_raised_unchanged() -> None:
    def broken(request: PreparedRequest) -> Response:
        raise LookupError("a bug")

    async with session_over(FakeTransport(broken)) as session:
        with pytest.raises(LookupError):
            await session.send(PING)
        assert session.statistics().in_flight == 0
