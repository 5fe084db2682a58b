"""What the gate of one client sees: `SharedLimiter` over a store in memory, in virtual time."""

import asyncio
import itertools

import pytest

from backupify_async import AsyncLimiter, LimitSource, RateLimit
from backupify_async._shared.record import decode
from backupify_async._transport.gate import Gate
from backupify_async._transport.rate.limiter import OpenableLimiter
from tests.shared.limiter_groups import TEN_A_SECOND, call, calls, limiter, members, refused_call
from tests.support.fake_transport import FakeTransport, session_over
from tests.support.faulty_store import Memory
from tests.support.scripted import PING, Script, after, now

pytestmark = pytest.mark.looptime


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
    async def test_is_not_shown_as_sent(self) -> None:
        memory = Memory()
        async with members(memory, 1, TEN_A_SECOND) as [(_, gate)]:
            ticket = await gate.acquire()
            gate.release(ticket, unused=True)
            await asyncio.sleep(0.2)
            (slot,) = decode(memory.values["limit"]).slots.values()
            assert not slot.sent

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
