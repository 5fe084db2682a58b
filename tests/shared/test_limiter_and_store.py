"""What becomes of calls if the store of a `SharedLimiter` fails: in virtual time."""

import asyncio
import logging
import math

import pytest

from backupify_async import ConfigurationError, RateLimit, SharedStoreAway, SharedStoreBack
from backupify_async._shared.limiter import SharedLimiter
from backupify_async._shared.messages import News
from backupify_async._shared.own_calls import OwnCalls
from backupify_async._shared.record import decode
from backupify_async._shared.store import Change, StoreMisused, StoreUnavailable
from backupify_async._shared.watched_store import WatchedStore
from backupify_async._transport.gate import Gate
from backupify_async.events import Event
from tests.shared.limiter_groups import TEN_A_SECOND, call, calls, members, refused_call
from tests.support.faulty_store import FaultyStore, Memory
from tests.support.scripted import now

pytestmark = pytest.mark.looptime


class TestAStoreThatIsAway:
    async def test_at_the_start_leaves_each_member_its_own_limiter(self) -> None:
        memory = Memory(away=True)
        async with members(memory, 1) as [(one, gate)]:
            assert one.store_away
            await calls(gate, 5)
            memory.away = False
            await asyncio.sleep(1.0)
            assert not one.store_away
            assert decode(memory.values["limit"]).members.keys() == {one._id}

    @pytest.mark.parametrize("how", ["away", "hangs"])
    async def test_leaves_each_member_its_share_of_the_rate_within_a_second(self, how: str) -> None:
        memory = Memory()
        async with members(memory, 4, RateLimit(40, burst=1)) as group:
            sweeps = [asyncio.create_task(calls(gate, 1000)) for _, gate in group]
            await asyncio.sleep(5.0)
            setattr(memory, how, True)
            await asyncio.sleep(1.0)
            assert all(one.store_away for one, _ in group)
            sent_before = sum(one._sent_before for one, _ in group)
            await asyncio.sleep(4.0)
            assert 100 <= sum(one._sent_before for one, _ in group) - sent_before <= 160
            setattr(memory, how, False)
            await asyncio.sleep(1.5)
            assert not any(one.store_away for one, _ in group)
            for sweep in sweeps:
                sweep.cancel()
            await asyncio.wait(sweeps)

    async def test_is_reported_within_a_second_though_it_only_hangs(self) -> None:
        memory, events = Memory(), list[Event]()
        store = WatchedStore(FaultyStore(memory), events.append)
        one = SharedLimiter(store, TEN_A_SECOND, on_late=store.report_away)
        await one.open()
        memory.hangs = True
        await asyncio.sleep(1.6)  # a turn begins within one second, and has 0.5
        assert store.away_since is not None
        memory.hangs = False
        await asyncio.sleep(1.5)
        await one.close()
        assert [type(event) for event in events] == [SharedStoreAway, SharedStoreBack]
        assert events[0] == SharedStoreAway("it does not respond in time")

    async def test_is_logged_once_and_so_is_its_return(self, caplog: pytest.LogCaptureFixture) -> None:
        memory = Memory()
        with caplog.at_level(logging.INFO, "backupify_async.shared"):
            async with members(memory, 1):
                memory.away = True
                await asyncio.sleep(5)
                memory.away = False
                await asyncio.sleep(2)
        assert [(one.levelname, one.message) for one in caplog.records] == [
            ("WARNING", "the store of the shared limit is away: it is away"),
            ("INFO", "the store of the shared limit is back"),
        ]

    async def test_does_not_keep_a_client_from_closing(self) -> None:
        memory = Memory()
        async with members(memory, 1, TEN_A_SECOND) as [(_, gate)]:
            await call(gate)
            memory.hangs = True
            began = now()
        assert now() - began <= 1.1


class TestAStoreWhoseClockIsSet:
    @pytest.mark.parametrize("seconds", [-30.0, -0.9, -0.4, 0.4, 0.9, 30.0])
    async def test_delays_no_call(self, seconds: float) -> None:
        memory = Memory()
        async with members(memory, 2, TEN_A_SECOND) as [(one, mine), (_, theirs)]:
            await asyncio.gather(calls(mine, 5), calls(theirs, 5))
            memory.clock_error = seconds
            await asyncio.sleep(3.0)
            began = now()
            await asyncio.gather(calls(mine, 5), calls(theirs, 5))
            assert now() - began < 1.5
            scale = decode(memory.values["limit"]).scale
            assert one._exchange.ahead == pytest.approx(1000.0 + seconds + scale.offset, abs=0.01)


@pytest.mark.parametrize("latency", [0.05, 0.2, 0.35, 0.42])
async def test_calls_go_on_however_slow_the_store_is(latency: float) -> None:
    async with members(Memory(latency=(latency, latency)), 2, TEN_A_SECOND) as [(_, mine), (_, theirs)]:
        began = now()
        await asyncio.gather(calls(mine, 20), calls(theirs, 20))
        assert now() - began < 20.0


async def test_a_slot_that_comes_a_second_after_its_date_is_not_used() -> None:  # its process was stopped
    own, ahead = OwnCalls(64), 1000.0
    own.waiting = 2
    granted = [(1, ahead - 1.0), (2, ahead - 0.5)]
    news = News(True, 1, granted, (), (), 0, math.inf, False, False, -math.inf, -math.inf)
    own.learn(own.batch(0.0), news, ahead, 0.0)
    own.give_back(0.0)
    assert (own.held, own.first_slot) == (1, 0.0)


class TestAStoreThatIsEmptied:
    async def test_is_seeded_anew_by_any_member(self) -> None:
        memory = Memory()
        async with members(memory, 2) as [(_, first), (other, _)]:
            await refused_call(first, 3.0)
            await asyncio.sleep(0.1)
            memory.clear()
            await asyncio.sleep(1.1)
            record = decode(memory.values["limit"])
            assert record.felt_at is not None
            assert len(record.members) == 2
            assert other.paused_until > now() + 0.5


class TestAValueThatCannotBeRead:
    @pytest.mark.parametrize("value", [b"torn", b"{}", b'{"format":"backupify_async limit","version":99}'])
    async def test_is_put_aside_and_the_store_taken_for_empty(self, value: bytes) -> None:
        memory = Memory(values={"limit": value})
        async with members(memory, 1, TEN_A_SECOND) as [(_, gate)]:
            await calls(gate, 3)
        assert memory.put_aside == [value]

    async def test_of_another_version_that_comes_back_ends_the_sharing(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        other = b'{"format":"backupify_async limit","version":99}'
        memory = Memory(values={"limit": other})
        async with members(memory, 1, TEN_A_SECOND) as [(one, gate)]:
            await calls(gate, 3)
            memory.values["limit"] = other
            await calls(gate, 3)
            assert one.store_away
            assert "two versions of backupify_async share this store" in caplog.text
            turns = memory.turns
            await calls(gate, 3)
            assert memory.turns == turns


async def test_a_store_that_is_misused_is_an_error_when_the_client_is_opened() -> None:
    class Misused(FaultyStore):
        async def turn(self, name: str, change: Change) -> None:
            raise StoreMisused("it is on a network disk")

    gate_of = SharedLimiter(Misused(Memory()))
    with pytest.raises(ConfigurationError, match="network disk"):
        await gate_of.open()
    await gate_of.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_store_that_raises_something_else_leaves_the_calls_going(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(FaultyStore):
        broken = False

        async def turn(self, name: str, change: Change) -> None:
            if self.broken:
                raise ZeroDivisionError
            await super().turn(name, change)

    store = Broken(Memory())
    one = SharedLimiter(store, TEN_A_SECOND)
    await one.open()
    gate = Gate(one, 64)
    await calls(gate, 3)
    store.broken = True
    assert len(await calls(gate, 3)) == 3
    assert "the store of the shared limit raised" in caplog.text
    await gate.close()
    await one.close()


class TestClosing:
    """A member that leaves closes its store, whatever becomes of its last turn."""

    class Store(FaultyStore):
        fault: Exception | None = None
        closed = False

        async def turn(self, name: str, change: Change) -> None:
            if self.fault is not None:
                raise self.fault
            await super().turn(name, change)

        async def close(self) -> None:
            self.closed = True
            await super().close()

    async def test_closes_the_store_if_the_last_turn_raises(self) -> None:
        store = self.Store(Memory())
        one = SharedLimiter(store)
        await one.open()
        store.fault = ZeroDivisionError()
        await one.close()
        assert store.closed

    async def test_closes_the_store_if_it_is_cancelled(self) -> None:
        memory = Memory()
        store = self.Store(memory)
        one = SharedLimiter(store)
        await one.open()
        memory.hangs = True
        closing = asyncio.create_task(one.close())
        await asyncio.sleep(0.1)
        closing.cancel()
        await asyncio.wait([closing])
        assert store.closed

    async def test_leaves_the_group_if_the_opening_was_cancelled_after_the_first_turn(self) -> None:
        memory = Memory(latency=(0.1, 0.1))
        one = SharedLimiter(self.Store(memory))
        opening = asyncio.create_task(one.open())
        while not memory.writes:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.01)
        opening.cancel()
        await asyncio.wait([opening])
        await one.close()
        assert decode(memory.values["limit"]).members == {}


async def test_announcements_of_others_let_no_member_try_a_store_more_often_that_is_away_for_it() -> None:
    memory, tries, often = Memory(), list[float](), RateLimit(100, burst=1)

    class Refusing(FaultyStore):
        async def turn(self, name: str, change: Change) -> None:
            if now() > 2.0:
                tries.append(now())
                raise StoreUnavailable("it refuses this member")
            await super().turn(name, change)

    one = SharedLimiter(Refusing(memory), often)
    await one.open()
    refused = Gate(one, 64)
    async with members(memory, 2, often) as group:
        sweeps = [asyncio.create_task(calls(gate, 1000)) for gate in (refused, *(gate for _, gate in group))]
        await asyncio.sleep(7.0)
        assert 8 <= len(tries) <= 15
        for sweep in sweeps:
            sweep.cancel()
        await asyncio.wait(sweeps)
    await refused.close()
    await one.close()


async def test_an_announcement_that_fails_costs_no_slot(caplog: pytest.LogCaptureFixture) -> None:
    class Mute(FaultyStore):
        async def announce(self) -> None:
            raise StoreUnavailable("it has no channel")

    one = SharedLimiter(Mute(Memory()), TEN_A_SECOND)
    await one.open()
    gate = Gate(one, 64)
    await calls(gate, 5)
    assert not one.store_away
    assert not caplog.records
    await gate.close()
    await one.close()


async def test_an_error_of_the_store_that_repeats_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    store = TestClosing.Store(Memory())
    one = SharedLimiter(store)
    await one.open()
    store.fault = ZeroDivisionError()
    await asyncio.sleep(60.0)
    assert sum(one.exc_info is not None for one in caplog.records) == 1
    await one.close()
