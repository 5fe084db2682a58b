"""`LimitChanged` events: important changes only, at most one a second, and none without a limit."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import attrs
import pytest

from backupify_async import ConnectionFailed, LimitChanged, LimitSource, SpeedReason, Statistics
from backupify_async._transport.report import LimitWatch
from backupify_async._transport.request import Request
from backupify_async._transport.session import Session
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async.events import Event
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.rate_simulation import LEARNING, OK, Reply, Server, bucket, window
from tests.support.scripted import PING, now

pytestmark = pytest.mark.looptime
NO_LIMIT = Statistics(0, 0, None, 0, 0, 0, 500, LimitSource.NONE, None)


class Listener:
    """Records each `LimitChanged` event, and when it was emitted."""

    def __init__(self) -> None:
        self.reports: list[tuple[float, LimitChanged]] = []

    def __call__(self, event: Event) -> None:
        """Record an event."""
        if isinstance(event, LimitChanged):
            self.reports.append((now(), event))

    @property
    def reasons(self) -> list[SpeedReason]:
        """The reason in each event."""
        return [event.speed_reason for _, event in self.reports]


def transport_over(server: Server) -> FakeTransport:
    def send(request: PreparedRequest) -> Response:
        reply = server(now())
        wait = {} if reply.retry_after is None else {"Retry-After": f"{reply.retry_after:g}"}
        return respond(request, reply.status, b"", {**reply.headers, **wait})

    return FakeTransport(send, round_trip=0.05)


async def reports_of(server: Server, count: int) -> Listener:
    """The events while this many calls are sent to a server."""
    listener = Listener()
    async with session_over(transport_over(server), rate_limit=LEARNING, on_event=listener) as session:
        await pings(session, count)
    return listener


async def pings(session: Session, count: int) -> None:
    await asyncio.gather(*(session.send(PING) for _ in range(count)))


class TestALimit:
    async def test_that_is_not_reached_is_not_reported(self) -> None:
        assert (await reports_of(lambda at: OK, 1_000)).reports == []

    async def test_is_reported_from_the_first_refusal_until_it_is_known(self) -> None:
        listener = await reports_of(bucket(50, 10), 1_000)
        reasons = list(dict.fromkeys(listener.reasons))
        assert reasons[:2] == [SpeedReason.FINDING, SpeedReason.AT_LIMIT]
        assert listener.reports[0][0] < 0.5
        assert listener.reports[-1][1].limit_source is LimitSource.HISTORY
        assert listener.reports[-1][1].limit_per_second == pytest.approx(50, rel=0.05)

    async def test_is_reported_at_most_once_a_second(self) -> None:
        listener = await reports_of(window(40, 2.0), 600)
        assert len(listener.reports) > 5
        assert all(later - earlier > 0.999 for (earlier, _), (later, _) in pairwise(listener.reports))

    async def test_that_is_announced_is_reported_with_its_source(self) -> None:
        listener = await reports_of(window(50, 5.0, headers=True), 120)
        assert {event.limit_source for _, event in listener.reports} == {LimitSource.HEADERS}
        assert SpeedReason.QUOTA in listener.reasons


class TestAPause:
    async def test_is_reported_with_its_end_although_no_response_arrives_in_it(self) -> None:
        listener = Listener()
        refusing = transport_over(lambda at: Reply(429, 30.0) if at < 30 else OK)
        async with session_over(refusing, rate_limit=LEARNING, on_event=listener) as session:
            call = asyncio.create_task(session.send(PING))
            await asyncio.sleep(2)
            ((_, event),) = listener.reports
            assert event.speed_reason is SpeedReason.RETRY_AFTER
            assert event.paused_until is not None
            assert timedelta(seconds=28) < event.paused_until - datetime.now(UTC) < timedelta(seconds=30)
            await call


class TestAServerThatIsDown:
    async def test_is_reported_when_it_begins_and_when_it_ends(self) -> None:
        def send(request: PreparedRequest) -> Response:
            if 1 <= now() < 11:
                raise ConnectionFailed("refused", sent=False)
            return respond(request)

        listener, transport = Listener(), FakeTransport(send, round_trip=0.05)
        async with session_over(transport, rate_limit=LEARNING, on_event=listener) as session:
            for _ in range(3):
                requests = [Request("GET", f"/v1/backup_instances/{number}/x") for number in range(100)]
                await asyncio.gather(*(session.send(request) for request in requests))
                await asyncio.sleep(1)
        assert listener.reasons == [SpeedReason.DOWN, SpeedReason.NOT_LIMITED]
        assert listener.reports[0][0] < 3
        assert 11 <= listener.reports[1][0] < 17


class TestTheWatch:
    @pytest.fixture
    def watch(self) -> Iterator["Watched"]:
        watched = Watched()
        yield watched
        watched.watch.close()

    @pytest.mark.parametrize(("rate", "reported"), [(41.0, False), (59.0, False), (39.0, True), (61.0, True)])
    async def test_reports_a_rate_that_differs_by_more_than_a_fifth(
        self, watch: "Watched", rate: float, *, reported: bool
    ) -> None:
        await watch.set_rate(50.0)
        await watch.set_rate(rate)
        assert len(watch.reports) == 1 + reported

    async def test_adds_up_small_changes(self, watch: "Watched") -> None:
        for rate in (50.0, 55.0, 60.0, 65.0):
            await watch.set_rate(rate)
        rates = [event.limit_per_second for event in watch.reports if isinstance(event, LimitChanged)]
        assert rates == [50.0, 65.0]

    async def test_checks_at_once_and_then_once_a_second_while_it_is_stirred(self, watch: "Watched") -> None:
        for _ in range(35):
            watch.watch.stir()
            await asyncio.sleep(0.1)
        assert watch.checked_at == pytest.approx([0.0, 1.0, 2.0, 3.0], abs=0.01)

    async def test_checks_once_after_the_last_stir(self, watch: "Watched") -> None:
        watch.watch.stir()
        await asyncio.sleep(0.5)
        watch.watch.stir()
        await asyncio.sleep(60)
        assert watch.checked_at == pytest.approx([0.0, 1.0], abs=0.01)

    async def test_checks_no_more_once_it_is_closed(self, watch: "Watched") -> None:
        watch.watch.stir()
        watch.watch.close()
        await asyncio.sleep(5)
        assert watch.checked_at == []


class Watched:
    """A watch, the statistics that it checks, and the events that it emits."""

    def __init__(self) -> None:
        self.now = NO_LIMIT
        self.reports: list[Event] = []
        self.checked_at: list[float] = []
        self.watch = LimitWatch(self.reports.append, self.statistics)

    def statistics(self) -> Statistics:
        self.checked_at.append(now())
        return self.now

    async def set_rate(self, rate: float) -> None:
        """Let it check statistics with this rate."""
        self.now = attrs.evolve(NO_LIMIT, limit_source=LimitSource.HISTORY, limit_per_second=rate)
        self.watch.stir()
        await asyncio.sleep(1.1)


class TestChecks:
    @pytest.fixture
    def checks(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        checks: list[float] = []

        def check(_: Session) -> Statistics:
            checks.append(now())
            return NO_LIMIT

        monkeypatch.setattr(Session, "statistics", check)
        return checks

    async def test_are_not_made_once_the_session_is_closed(self, checks: list[float]) -> None:
        async with session_over(transport_over(lambda at: OK), on_event=Listener()) as session:
            await pings(session, 3)
            before = len(checks)
        await asyncio.sleep(5)
        assert len(checks) == before == 1

    async def test_are_not_made_without_a_hook(self, checks: list[float]) -> None:
        async with session_over(transport_over(bucket(50, 10)), rate_limit=LEARNING) as session:
            await pings(session, 100)
        assert checks == []
