"""A whole session that finds the limit, in virtual time: despite faults, no call waits for ever."""

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from backupify_async import ConnectionFailed, RetryPolicy, TransportError
from backupify_async._transport.session import Session
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async.statistics import LimitSource
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.rate_simulation import LEARNING, Reply, Server, bucket, window
from tests.support.scripted import PING, now

pytestmark = [pytest.mark.looptime, pytest.mark.slow]

ROUND_TRIP = 0.06
PATIENT = RetryPolicy(max_throttled=7_200)


def responses_of(server: Server) -> Callable[[PreparedRequest], Response]:
    """The server's replies, as a transport returns them."""

    def send(request: PreparedRequest) -> Response:
        reply = server(now())
        headers = dict(reply.headers)
        if reply.retry_after is not None:
            headers["Retry-After"] = f"{reply.retry_after:g}"
        return respond(request, reply.status, b"", headers)

    return send


def transport_over(server: Server) -> FakeTransport:
    return FakeTransport(responses_of(server), round_trip=ROUND_TRIP)


async def pings(session: Session, count: int) -> list[Response | BaseException]:
    return await asyncio.gather(*(session.send(PING) for _ in range(count)), return_exceptions=True)


def failures(results: list[Response | BaseException]) -> list[BaseException]:
    return [result for result in results if isinstance(result, BaseException)]


class TestAServerThatRefusesEverythingForTenMinutes:
    @pytest.mark.parametrize("retry_after", [None, 0.0, 1.0, 2.0, 30.0])
    async def test_fails_no_call_and_gets_no_storm_when_it_recovers(self, retry_after: float | None) -> None:
        recovered = bucket(50, 20)
        transport = transport_over(lambda at: Reply(429, retry_after) if 5 <= at < 605 else recovered(at))
        async with session_over(transport, rate_limit=LEARNING, retry=PATIENT) as session:
            results = await pings(session, 1_000)
        assert failures(results) == []
        first = min(at for at in transport.times if at >= 605 - ROUND_TRIP)
        assert len([at for at in transport.times if first <= at < first + 1]) <= 120

    async def test_is_probed_less_than_once_a_second(self) -> None:
        transport = transport_over(lambda at: Reply(429 if at < 600 else 200))
        async with session_over(transport, rate_limit=LEARNING, retry=PATIENT) as session:
            assert failures(await pings(session, 200)) == []
        assert len([at for at in transport.times if 10 <= at < 600]) < 600


class TestFaultsWhileAProbeIsInFlight:
    """A probe or a scout is sent while all other calls wait for its response."""

    KINDS = ("silent", "window", "headers")

    def server(self, kind: str) -> Server:
        return {"silent": bucket(10, 5), "window": window(20, 5.0), "headers": window(20, 5.0, headers=True)}[
            kind
        ]

    @pytest.mark.parametrize("kind", KINDS)
    async def test_network_errors_leave_no_call_waiting(self, kind: str) -> None:
        count, send = 0, responses_of(self.server(kind))

        def failing(request: PreparedRequest) -> Response:
            nonlocal count
            count += 1
            if count % 3 == 0:
                raise (
                    TransportError("reset by peer") if count % 2 else ConnectionFailed("refused", sent=False)
                )
            return send(request)

        transport = FakeTransport(failing, round_trip=ROUND_TRIP)
        retry = RetryPolicy(attempts=50, budget=100_000, max_throttled=7_200)
        async with session_over(transport, rate_limit=LEARNING, retry=retry) as session:
            assert failures(await pings(session, 150)) == []
            assert (session.statistics().in_flight, session.statistics().waiting) == (0, 0)

    @pytest.mark.parametrize("kind", KINDS)
    async def test_cancellations_leave_no_call_waiting(self, kind: str) -> None:
        transport = transport_over(self.server(kind))
        async with session_over(transport, rate_limit=LEARNING, retry=PATIENT) as session:
            tasks = [asyncio.create_task(session.send(PING)) for _ in range(200)]
            while not all(task.done() for task in tasks):
                await asyncio.sleep(ROUND_TRIP / 2)  # in the middle of a round trip
                if session.statistics().in_flight in (1, 2):
                    next((task for task in tasks if not task.done()), tasks[0]).cancel()
            assert now() < 600
            assert isinstance(await session.send(PING), Response)
            assert (session.statistics().in_flight, session.statistics().waiting) == (0, 0)

    @pytest.mark.parametrize("kind", KINDS)
    async def test_cancelling_all_calls_in_flight_leaves_no_call_waiting(self, kind: str) -> None:
        transport = transport_over(self.server(kind))
        async with session_over(transport, rate_limit=LEARNING, retry=PATIENT) as session:
            for _ in range(5):
                tasks = [asyncio.create_task(session.send(PING)) for _ in range(60)]
                await asyncio.sleep(4.99)
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
            results = await pings(session, 20)
            assert failures(results) == []

    async def test_ten_thousand_waiting_calls_cancelled_at_once_leave_no_call_waiting(self) -> None:
        transport = transport_over(window(20, 5.0))
        async with session_over(transport, rate_limit=LEARNING, retry=PATIENT) as session:
            tasks = [asyncio.create_task(session.send(PING)) for _ in range(10_000)]
            await asyncio.sleep(7)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert (session.statistics().in_flight, session.statistics().waiting) == (0, 0)
            assert failures(await pings(session, 60)) == []


class TestSlowLimits:
    @pytest.mark.parametrize("every", [5, 60])
    @pytest.mark.parametrize("kind", ["window", "silent window", "bucket", "silent bucket", "headers"])
    async def test_let_all_calls_succeed_in_time(self, every: int, kind: str) -> None:
        server = {
            "window": window(1, every),
            "silent window": window(1, every, silent=True),
            "bucket": bucket(1 / every, 1, whole_seconds=True),
            "silent bucket": bucket(1 / every, 1),
            "headers": window(1, every, headers=True),
        }[kind]
        async with session_over(transport_over(server), rate_limit=LEARNING, retry=PATIENT) as session:
            assert failures(await pings(session, 40)) == []
        assert now() < 40 * every * 1.5 + 120

    async def test_let_all_calls_succeed_even_if_retry_after_grows_with_each_refusal(self) -> None:
        count = 0

        def growing(at: float) -> Reply:
            nonlocal count
            count += 1
            return Reply(429, min(100.0, float(count))) if count < 60 and count % 10 else Reply(200)

        async with session_over(transport_over(growing), rate_limit=LEARNING, retry=PATIENT) as session:
            assert failures(await pings(session, 100)) == []


class TestTheClock:
    async def test_a_wall_clock_that_steps_stops_no_call_although_resets_are_epochs(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain = window(20, 5.0)
        begin = 1_800_000_000.0
        counts: dict[int, int] = {}

        def dated(at: float) -> Reply:
            reply, number = plain(at), int(at // 5)
            counts[number] = counts.get(number, 0) + 1
            headers = {
                "X-RateLimit-Remaining": f"{max(0, 20 - counts[number])}",
                "X-RateLimit-Reset": f"{begin + 5 * (number + 1):.0f}",
            }
            return Reply(reply.status, reply.retry_after, headers)

        def stepping() -> float:
            steps = {0: 0.0, 1: -90.0, 2: -3_600.0, 3: 3_600.0}
            return begin + now() + steps.get(int(now() // 10) % 4, 0.0)

        monkeypatch.setattr("time.time", stepping)
        async with session_over(transport_over(dated), rate_limit=LEARNING, retry=PATIENT) as session:
            assert failures(await pings(session, 100)) == []
        assert now() < 25 + 4 * 90


class TestStatistics:
    async def test_name_the_source_and_the_rate(self) -> None:
        transport = transport_over(bucket(50, 10))
        async with session_over(transport, rate_limit=LEARNING, retry=PATIENT) as session:
            with contextlib.suppress(TransportError):
                await pings(session, 1_000)
            statistics = session.statistics()
        assert statistics.limit_source is LimitSource.HISTORY
        assert statistics.limit_per_second == pytest.approx(50, rel=0.02)
