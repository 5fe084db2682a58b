"""Who goes first at the gate, in virtual time."""

import asyncio
import random

import pytest

from backupify_async import RateLimit, RetryPolicy
from backupify_async.priority import BACKGROUND
from backupify_async.transport.gate import Gate
from backupify_async.transport.rate import make_limiter
from backupify_async.transport.rate.plain import PlainLimiter
from tests.transport.scripted import now, settled

pytestmark = pytest.mark.looptime


class Queue:
    """A gate of one place that is taken, and the order in which those go that wait."""

    def __init__(self) -> None:
        self.gate = Gate(PlainLimiter(RateLimit(None, adaptive=False), RetryPolicy()), 1)
        self.order: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def arrive(self, *names: str) -> None:
        """`b` is background work, `a` goes again, all else is a call."""
        for name in names:
            self.tasks.append(asyncio.create_task(self._pass(name)))
        await settled()

    async def _pass(self, name: str) -> None:
        BACKGROUND.set(name.startswith("b"))
        await self.gate.enter(again=name.startswith("a"))
        self.order.append(name)
        self.gate.leave()

    async def drain(self) -> list[str]:
        self.gate.leave()
        await asyncio.gather(*self.tasks)
        return self.order


@pytest.fixture
async def queue() -> Queue:
    subject = Queue()
    await subject.gate.enter()
    return subject


class TestTheOrder:
    async def test_background_work_lets_others_pass(self, queue: Queue) -> None:
        await queue.arrive("b1", "b2", "c1", "c2")
        assert await queue.drain() == ["c1", "c2", "b1", "b2"]

    async def test_who_goes_again_goes_first(self, queue: Queue) -> None:
        await queue.arrive("c1", "b1", "a1", "c2", "a2")
        assert await queue.drain() == ["a1", "a2", "c1", "c2", "b1"]

    async def test_one_grant_in_eight_goes_to_background_work(self, queue: Queue) -> None:
        await queue.arrive(*(f"c{number}" for number in range(30)), *(f"b{number}" for number in range(5)))
        order = await queue.drain()
        assert [order.index(f"b{number}") for number in range(3)] == [7, 15, 23]

    async def test_a_stream_of_others_does_not_starve_it(self, queue: Queue) -> None:
        await queue.arrive("b1", *(f"c{number}" for number in range(100)))
        assert (await queue.drain()).index("b1") == 7

    async def test_background_work_that_goes_again_keeps_its_turn(self, queue: Queue) -> None:
        async def again() -> None:
            BACKGROUND.set(True)
            await queue.gate.enter(again=True)
            queue.order.append("again")
            queue.gate.leave()

        await queue.arrive("c1")
        queue.tasks.append(asyncio.create_task(again()))
        await settled()
        assert await queue.drain() == ["again", "c1"]

    @pytest.mark.parametrize("seed", range(5))
    async def test_within_a_priority_first_come_is_first_served(self, queue: Queue, seed: int) -> None:
        chance = random.Random(seed)
        names = [f"{chance.choice('abc')}{number:03}" for number in range(200)]
        await queue.arrive(*names)
        for index in chance.sample(range(200), 40):
            queue.tasks[index].cancel()
        queue.gate.leave()
        await asyncio.gather(*queue.tasks, return_exceptions=True)
        for kind in "abc":
            went = [name for name in queue.order if name.startswith(kind)]
            assert went == sorted(went)
        assert (len(queue.order), queue.gate.in_flight, queue.gate.waiting) == (160, 0, 0)


class TestTenThousand:
    async def test_waiters_cancelled_at_once_leave_the_gate_as_it_was(self) -> None:
        subject = Gate(make_limiter(RateLimit(None, adaptive=True), RetryPolicy(), 64), 64)
        subject.told(now(), -0.1, 429, 5.0, {})
        waiters = [asyncio.create_task(subject.enter()) for _ in range(10_000)]
        await settled()
        for waiter in waiters:
            waiter.cancel()
        await asyncio.wait(waiters)
        assert (subject.in_flight, subject.waiting) == (0, 0)
        await subject.enter()
        assert now() == pytest.approx(5.0)

    async def test_those_granted_in_that_moment_give_their_slots_back(self) -> None:
        subject = Gate(make_limiter(RateLimit(1, burst=64, adaptive=True), RetryPolicy(), 64), 8)
        for _ in range(8):
            await subject.enter()
        waiters = [asyncio.create_task(subject.enter()) for _ in range(10_000)]
        await settled()
        for _ in range(8):
            subject.leave()
        for waiter in waiters:
            waiter.cancel()
        await asyncio.wait(waiters)
        assert (subject.in_flight, subject.waiting) == (0, 0)
        for _ in range(8):
            await subject.enter()
        assert now() == 0
