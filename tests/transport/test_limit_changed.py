"""What a hook is told of the limit: what matters, at most once a second, and nothing where nothing is met."""

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
NOTHING_MET = Statistics(0, 0, None, 0, 0, 0, 500, LimitSource.NONE, None)


class Listener:
    """Remembers what it is told of the limit, and when."""

    def __init__(self) -> None:
        self.told: list[tuple[float, LimitChanged]] = []

    def __call__(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, LimitChanged):
            self.told.append((now(), event))

    @property
    def reasons(self) -> list[SpeedReason]:
        """Why calls left as fast as they did, one after the other."""
        return [event.speed_reason for _, event in self.told]


def carrier_of(server: Server) -> FakeTransport:
    def answer(request: PreparedRequest) -> Response:
        reply = server(now())
        asks = {} if reply.retry_after is None else {"Retry-After": f"{reply.retry_after:g}"}
        return respond(request, reply.status, b"", {**reply.headers, **asks})

    return FakeTransport(answer, round_trip=0.05)


async def heard_of(server: Server, count: int) -> Listener:
    """What is told while so many calls meet a server."""
    listener = Listener()
    async with session_over(carrier_of(server), rate_limit=LEARNING, on_event=listener) as session:
        await pings(session, count)
    return listener


async def pings(session: Session, count: int) -> None:
    await asyncio.gather(*(session.send(PING) for _ in range(count)))


class TestALimit:
    async def test_that_is_not_met_is_not_reported(self) -> None:
        assert (await heard_of(lambda at: OK, 1_000)).told == []

    async def test_is_reported_from_the_first_refusal_until_it_is_known(self) -> None:
        listener = await heard_of(bucket(50, 10), 1_000)
        reasons = list(dict.fromkeys(listener.reasons))
        assert reasons[:2] == [SpeedReason.FINDING, SpeedReason.AT_LIMIT]
        assert listener.told[0][0] < 0.5
        assert listener.told[-1][1].limit_source is LimitSource.HISTORY
        assert listener.told[-1][1].limit_per_second == pytest.approx(50, rel=0.05)

    async def test_is_reported_at_most_once_a_second(self) -> None:
        listener = await heard_of(window(40, 2.0), 600)
        assert len(listener.told) > 5
        assert all(later - earlier > 0.999 for (earlier, _), (later, _) in pairwise(listener.told))

    async def test_that_is_announced_is_reported_with_its_source(self) -> None:
        listener = await heard_of(window(50, 5.0, headers=True), 120)
        assert {event.limit_source for _, event in listener.told} == {LimitSource.HEADERS}
        assert SpeedReason.QUOTA in listener.reasons


class TestAPause:
    async def test_is_reported_with_its_end_though_no_response_comes_in_it(self) -> None:
        listener = Listener()
        refusing = carrier_of(lambda at: Reply(429, 30.0) if at < 30 else OK)
        async with session_over(refusing, rate_limit=LEARNING, on_event=listener) as session:
            asking = asyncio.create_task(session.send(PING))
            await asyncio.sleep(2)
            ((_, told),) = listener.told
            assert told.speed_reason is SpeedReason.RETRY_AFTER
            assert told.paused_until is not None
            assert timedelta(seconds=28) < told.paused_until - datetime.now(UTC) < timedelta(seconds=30)
            await asking


class TestAServerThatIsDown:
    async def test_is_reported_when_it_begins_and_when_it_ends(self) -> None:
        def answer(request: PreparedRequest) -> Response:
            if 1 <= now() < 11:
                raise ConnectionFailed("refused", sent=False)
            return respond(request)

        listener, transport = Listener(), FakeTransport(answer, round_trip=0.05)
        async with session_over(transport, rate_limit=LEARNING, on_event=listener) as session:
            for _ in range(3):
                looks = [Request("GET", f"/v1/backup_instances/{number}/x") for number in range(100)]
                await asyncio.gather(*(session.send(look) for look in looks))
                await asyncio.sleep(1)
        assert listener.reasons == [SpeedReason.DOWN, SpeedReason.NOT_LIMITED]
        assert listener.told[0][0] < 3
        assert 11 <= listener.told[1][0] < 17


class TestTheWatch:
    @pytest.fixture
    def watch(self) -> Iterator["Watched"]:
        watched = Watched()
        yield watched
        watched.watch.close()

    @pytest.mark.parametrize(("rate", "matters"), [(41.0, False), (59.0, False), (39.0, True), (61.0, True)])
    async def test_a_rate_matters_that_differs_by_more_than_a_fifth(
        self, watch: "Watched", rate: float, *, matters: bool
    ) -> None:
        await watch.sees(50.0)
        await watch.sees(rate)
        assert len(watch.told) == 1 + matters

    async def test_small_steps_add_up(self, watch: "Watched") -> None:
        for rate in (50.0, 55.0, 60.0, 65.0):
            await watch.sees(rate)
        rates = [event.limit_per_second for event in watch.told if isinstance(event, LimitChanged)]
        assert rates == [50.0, 65.0]

    async def test_it_checks_at_once_and_then_once_a_second_while_it_is_stirred(
        self, watch: "Watched"
    ) -> None:
        for _ in range(35):
            watch.watch.stir()
            await asyncio.sleep(0.1)
        assert watch.looked_at == pytest.approx([0.0, 1.0, 2.0, 3.0], abs=0.01)

    async def test_it_checks_once_after_the_last_stir(self, watch: "Watched") -> None:
        watch.watch.stir()
        await asyncio.sleep(0.5)
        watch.watch.stir()
        await asyncio.sleep(60)
        assert watch.looked_at == pytest.approx([0.0, 1.0], abs=0.01)

    async def test_it_checks_no_more_once_it_is_closed(self, watch: "Watched") -> None:
        watch.watch.stir()
        watch.watch.close()
        await asyncio.sleep(5)
        assert watch.looked_at == []


class Watched:
    """A watch, and what it sees."""

    def __init__(self) -> None:
        self.now = NOTHING_MET
        self.told: list[Event] = []
        self.looked_at: list[float] = []
        self.watch = LimitWatch(self.told.append, self.statistics)

    def statistics(self) -> Statistics:
        self.looked_at.append(now())
        return self.now

    async def sees(self, rate: float) -> None:
        """Let it look at what has become of the limit."""
        self.now = attrs.evolve(NOTHING_MET, limit_source=LimitSource.HISTORY, limit_per_second=rate)
        self.watch.stir()
        await asyncio.sleep(1.1)


class TestLooks:
    @pytest.fixture
    def looks(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        looks: list[float] = []

        def look(_: Session) -> Statistics:
            looks.append(now())
            return NOTHING_MET

        monkeypatch.setattr(Session, "statistics", look)
        return looks

    async def test_there_are_none_once_the_session_is_closed(self, looks: list[float]) -> None:
        async with session_over(carrier_of(lambda at: OK), on_event=Listener()) as session:
            await pings(session, 3)
            before = len(looks)
        await asyncio.sleep(5)
        assert len(looks) == before == 1

    async def test_there_are_none_without_a_hook(self, looks: list[float]) -> None:
        async with session_over(carrier_of(bucket(50, 10)), rate_limit=LEARNING) as session:
            await pings(session, 100)
        assert looks == []
