"""What the gate of one client sees: `SharedLimiter` over a store in memory, in virtual time."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from backupify_async import (
    AsyncLimiter,
    ConfigurationError,
    LimitSource,
    RateLimit,
    RetryPolicy,
    SharedStoreAway,
    SharedStoreBack,
)
from backupify_async._shared.limiter import SharedLimiter
from backupify_async._shared.record import decode
from backupify_async._shared.store import Change, StoreMisused, StoreUnavailable
from backupify_async._shared.watched_store import WatchedStore
from backupify_async._transport.gate import Gate
from backupify_async._transport.rate import CallOutcome, Observation
from backupify_async._transport.rate.limiter import OpenableLimiter
from backupify_async.events import Event
from tests.support.fake_transport import FakeTransport, session_over
from tests.support.faulty_store import FaultyStore, Memory
from tests.support.scripted import PING, Script, after, now

pytestmark = pytest.mark.looptime

TEN_A_SECOND = RateLimit(10, burst=1)


def limiter(memory: Memory, limit: RateLimit | None = None, max_concurrency: int = 64) -> SharedLimiter:
    return SharedLimiter(
        FaultyStore(memory), RateLimit(None) if limit is None else limit, RetryPolicy(), max_concurrency
    )


@asynccontextmanager
async def members(
    memory: Memory, count: int, limit: RateLimit | None = None
) -> AsyncIterator[list[tuple[SharedLimiter, Gate]]]:
    """Members of a group, each at its gate."""
    limiters = [limiter(memory, limit) for _ in range(count)]
    gates = [Gate(one, 64) for one in limiters]
    for one in limiters:
        await one.open()
    try:
        yield list(zip(limiters, gates, strict=True))
    finally:
        for one, gate in zip(limiters, gates, strict=True):
            await gate.close()
            await one.close()


async def call(gate: Gate, *, takes: float = 0.05) -> float:
    """Send a call; return when it was sent."""
    ticket = await gate.acquire()
    sent = now()
    await asyncio.sleep(takes)
    gate.on_response(now(), ticket, 200, {})
    gate.release(ticket)
    return sent


async def refused_call(gate: Gate, retry_after: float) -> None:
    """Send a call that is refused for so long."""
    ticket, sent = await gate.acquire(), now()
    await asyncio.sleep(0.05)
    over_cap = retry_after > RetryPolicy().max_retry_after
    ticket.outcome = CallOutcome.REFUSED
    gate._limiter.on_response(ticket, Observation(sent, now(), 429, retry_after, None, over_cap))
    gate.release(ticket)


async def calls(gate: Gate, count: int) -> list[float]:
    """Send calls, all at once."""
    return list(await asyncio.gather(*(call(gate) for _ in range(count))))


def test_it_is_a_limiter_that_is_awaited_opened_and_closed() -> None:
    one = limiter(Memory())
    assert isinstance(one, AsyncLimiter)
    assert isinstance(one, OpenableLimiter)


class TestWithoutALimit:
    async def test_calls_wait_for_nothing_and_the_store_hears_of_members_once_a_second(self) -> None:
        memory = Memory()
        async with members(memory, 1) as [(one, gate)]:
            for _ in range(1000):
                await call(gate, takes=0.01)
            assert now() < 10.1
            assert one.estimate(now()).source is LimitSource.NONE
            assert memory.turns <= 12

    async def test_all_members_start_with_as_many_calls_as_one_client(self) -> None:
        async with members(Memory(), 4) as group:
            await asyncio.sleep(0.01)
            waiting = [asyncio.create_task(call(gate)) for _, gate in group for _ in range(20)]
            await asyncio.sleep(0.01)
            assert sum(gate.in_flight for _, gate in group) <= 13
            await asyncio.gather(*waiting)


class TestACeiling:
    async def test_is_kept_by_all_members_together(self) -> None:
        async with members(Memory(), 4, TEN_A_SECOND) as group:
            began = now()
            done = await asyncio.gather(*(calls(gate, 10) for _, gate in group))
        sent = sorted(itertools.chain.from_iterable(done))
        apart = [later - earlier for earlier, later in itertools.pairwise(sent)]
        assert min(apart) == pytest.approx(0.1, abs=1e-6)
        assert sent[-1] - began == pytest.approx(3.9, abs=0.01)

    async def test_is_shared_evenly(self) -> None:
        async with members(Memory(), 4, TEN_A_SECOND) as group:
            done = await asyncio.gather(*(calls(gate, 10) for _, gate in group))
        assert max(max(sent) for sent in done) - min(max(sent) for sent in done) < 0.35

    async def test_is_shared_evenly_with_a_member_that_comes_later(self) -> None:
        async with members(Memory(), 2, TEN_A_SECOND) as [(_, busy), (_, late)]:
            sweep = asyncio.create_task(calls(busy, 30))
            await asyncio.sleep(1.0)
            begun = now()
            assert await call(late) - begun <= 0.2
            await sweep

    @pytest.mark.parametrize("other", [RateLimit(None), RateLimit(100, burst=1), RateLimit(100, burst=50)])
    async def test_is_kept_though_other_members_have_a_higher_one_or_none(self, other: RateLimit) -> None:
        memory = Memory()
        async with (
            members(memory, 1, TEN_A_SECOND) as [(_, mine)],
            members(memory, 1, other) as [(_, theirs)],
        ):
            await asyncio.sleep(0.1)
            began = now()
            await asyncio.gather(calls(mine, 20), calls(theirs, 20))
            assert now() - began >= 3.9


class TestARefusal:
    async def test_of_one_member_is_known_to_all(self) -> None:
        async with members(Memory(), 2) as [(_, first), (other, second)]:
            await refused_call(first, 3.0)
            await asyncio.sleep(0.01)
            assert other.paused_until == pytest.approx(now() + 2.9, abs=0.2)
            refused_at = now()
            sent = await call(second)
            assert sent - refused_at > 0.9  # a probe; the others wait for 3 s

    async def test_that_asks_for_too_long_a_wait_fails_the_calls_of_all(self) -> None:
        async with members(Memory(), 2) as [(_, first), (other, _)]:
            await refused_call(first, 900.0)
            await asyncio.sleep(0.01)
            assert other.blocked_until == pytest.approx(now() + 900, abs=0.1)

    async def test_is_learned_from_by_a_whole_session(self) -> None:
        shared = limiter(Memory())
        script = Script(200, (429, after("2")))
        async with session_over(FakeTransport(script), limiter=shared) as session:
            await asyncio.gather(*(session.send(PING) for _ in range(5)))
            assert 1 < now() < 4
            assert session.statistics().limit_source is not LimitSource.NONE


class TestTheNextRun:
    async def test_begins_at_the_limit_that_was_learned(self) -> None:
        memory = Memory()
        async with members(memory, 1) as [(_, gate)]:
            await refused_call(gate, 3.0)
        await asyncio.sleep(0.5)
        async with members(memory, 1) as [(again, gate)]:
            assert again.paused_until > now() + 1.5

    async def test_finds_no_member_and_no_slot_of_the_last_one(self) -> None:
        memory = Memory()
        async with members(memory, 2, TEN_A_SECOND) as group:
            await asyncio.gather(*(calls(gate, 3) for _, gate in group))
        record = decode(memory.values["limit"])
        assert (record.members, record.slots) == ({}, {})


class TestACancelledCall:
    async def test_leaves_its_slot_to_the_next_one(self) -> None:
        async with members(Memory(), 1, TEN_A_SECOND) as [(_, gate)]:
            await call(gate)
            waits = asyncio.create_task(gate.acquire())
            await asyncio.sleep(0.01)
            waits.cancel()
            began = now()
            assert await call(gate) - began < 0.1

    async def test_that_nobody_follows_costs_the_group_nothing(self) -> None:
        memory = Memory()
        async with members(memory, 2, TEN_A_SECOND) as [(_, gate), (_, other)]:
            await call(gate)
            waits = [asyncio.create_task(gate.acquire()) for _ in range(5)]
            await asyncio.sleep(0.01)
            for task in waits:
                task.cancel()
            sent = await calls(other, 20)
            assert sent[-1] - sent[0] < 2.4
            await asyncio.sleep(2)
            assert decode(memory.values["limit"]).slots == {}

    async def test_that_was_granted_gives_the_slot_to_another_one(self) -> None:
        async with members(Memory(), 1, TEN_A_SECOND) as [(_, gate)]:
            ticket = await gate.acquire()
            gate.release(ticket, unused=True)
            began = now()
            assert await call(gate) == began


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


async def test_no_more_calls_are_in_flight_than_the_client_allows() -> None:
    one = limiter(Memory(), RateLimit(1000, burst=1), max_concurrency=3)
    gate = Gate(one, 3)
    await one.open()
    most = 0

    async def long_call() -> None:
        nonlocal most
        ticket = await gate.acquire()
        most = max(most, gate.in_flight)
        await asyncio.sleep(0.5)
        gate.on_response(now(), ticket, 200, {})
        gate.release(ticket)

    began = now()
    await asyncio.gather(*(long_call() for _ in range(9)))
    assert most == 3
    assert now() - began < 1.7
    await gate.close()
    await one.close()
