"""Which waiting call the gate lets pass first, in virtual time."""

import asyncio
import random
import sys

import pytest

from backupify_async import RateLimit, RetryPolicy
from backupify_async._call_context import BACKGROUND
from backupify_async._transport.gate import Gate
from backupify_async._transport.rate import Ticket, make_limiter
from backupify_async._transport.rate.fixed_rate import FixedRateLimiter
from backupify_async._transport.wait_queue import WaitQueue
from tests.support.scripted import now, settled
from tests.support.transport_values import make_refusal

pytestmark = pytest.mark.looptime


class Queue:
    """A gate whose only permit is taken, and the order in which the waiting calls pass."""

    def __init__(self) -> None:
        self.gate = Gate(FixedRateLimiter(RateLimit(None, adaptive=False), RetryPolicy()), 1)
        self.order: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def fill(self) -> None:
        """Take the permit."""
        self._holder = await self.gate.acquire()

    def free(self) -> None:
        """Release the permit."""
        self.gate.release(self._holder)

    async def arrive(self, *names: str) -> None:
        """Let calls wait in this order.

        Args:
            names: `b...` is background work, `a...` began before all others, `ab...` is both.
        """
        for name in names:
            self.tasks.append(asyncio.create_task(self._pass(name)))
        await settled()

    async def _pass(self, name: str) -> None:
        BACKGROUND.set(name.startswith(("b", "ab")))
        ticket = await self.gate.acquire(1 if name.startswith("a") else None)
        self.order.append(name)
        self.gate.release(ticket)

    async def drain(self) -> list[str]:
        self.free()
        await asyncio.gather(*self.tasks)
        return self.order


@pytest.fixture
async def queue() -> Queue:
    subject = Queue()
    await subject.fill()
    return subject


class TestTheOrder:
    async def test_background_work_waits_for_other_calls(self, queue: Queue) -> None:
        await queue.arrive("b1", "b2", "c1", "c2")
        assert await queue.drain() == ["c1", "c2", "b1", "b2"]

    async def test_the_call_that_began_first_is_sent_first(self, queue: Queue) -> None:
        await queue.arrive("c1", "b1", "a1", "c2", "a2")
        assert await queue.drain() == ["a1", "a2", "c1", "c2", "b1"]

    async def test_one_grant_in_eight_goes_to_background_work(self, queue: Queue) -> None:
        await queue.arrive(*(f"c{number}" for number in range(30)), *(f"b{number}" for number in range(5)))
        order = await queue.drain()
        assert [order.index(f"b{number}") for number in range(3)] == [7, 15, 23]

    async def test_a_stream_of_other_calls_does_not_starve_it(self, queue: Queue) -> None:
        await queue.arrive("b1", *(f"c{number}" for number in range(100)))
        assert (await queue.drain()).index("b1") == 7

    async def test_of_background_work_the_oldest_is_sent_first(self, queue: Queue) -> None:
        await queue.arrive("b1", "ab1", "c1")
        assert await queue.drain() == ["c1", "ab1", "b1"]

    async def test_a_cancelled_call_whose_task_has_not_run_since_is_skipped(self, queue: Queue) -> None:
        await queue.arrive("c1", "b1")
        queue.tasks[0].cancel()
        queue.free()
        await queue.tasks[1]
        assert (queue.order, queue.gate.in_flight, queue.gate.waiting) == (["b1"], 0, 0)

    @pytest.mark.parametrize("seed", range(5))
    async def test_within_a_priority_the_first_to_arrive_is_sent_first(self, queue: Queue, seed: int) -> None:
        chance = random.Random(seed)
        names = [f"{chance.choice('abc')}{number:03}" for number in range(200)]
        await queue.arrive(*names)
        for index in chance.sample(range(200), 40):
            queue.tasks[index].cancel()
        queue.free()
        await asyncio.gather(*queue.tasks, return_exceptions=True)
        for kind in "abc":
            sent = [name for name in queue.order if name.startswith(kind)]
            assert sent == sorted(sent)
        assert (len(queue.order), queue.gate.in_flight, queue.gate.waiting) == (160, 0, 0)


@pytest.mark.slow
class TestAHundredThousand:
    async def test_waiting_calls_are_taken_oldest_first_and_cancelled_ones_use_no_memory(self) -> None:
        queue, loop, count = WaitQueue(), asyncio.get_running_loop(), 100_000
        turns = [loop.create_future() for _ in range(count)]
        for began in random.Random(1).sample(range(count), count):
            queue.join(began, turns[began], repeatable=began % 2 == 0)
        for began in range(count):
            if began % 1000:
                turns[began].cancel()
                queue.give_up()
        sizes = [sys.getsizeof(heap) for heap in (queue._repeatable, queue._unrepeatable)]
        assert (queue.waiting, sum(sizes) < 10_000) == (100, True)
        assert [queue.take_next() for _ in range(100) if queue.has_next()] == turns[::1000]
        assert (queue.waiting, queue.has_next()) == (0, False)


@pytest.mark.slow
class TestTenThousand:
    async def test_calls_cancelled_at_once_do_not_change_the_gate(self) -> None:
        subject = Gate(make_limiter(RateLimit(None, adaptive=True), RetryPolicy(), 64), 64)
        subject.on_response(now(), Ticket(-0.1), 429, {}, make_refusal(5.0))
        waiters = [asyncio.create_task(subject.acquire()) for _ in range(10_000)]
        await settled()
        for waiter in waiters:
            waiter.cancel()
        await asyncio.wait(waiters)
        assert (subject.in_flight, subject.waiting) == (0, 0)
        subject.release(await subject.acquire())  # the probe
        await subject.acquire()
        assert now() == pytest.approx(5.0)

    async def test_calls_cancelled_just_when_granted_give_their_slots_back(self) -> None:
        subject = Gate(make_limiter(RateLimit(1, burst=64, adaptive=True), RetryPolicy(), 64), 8)
        tickets = [await subject.acquire() for _ in range(8)]
        waiters = [asyncio.create_task(subject.acquire()) for _ in range(10_000)]
        await settled()
        for ticket in tickets:
            subject.release(ticket)
        for waiter in waiters:
            waiter.cancel()
        await asyncio.wait(waiters)
        assert (subject.in_flight, subject.waiting) == (0, 0)
        for _ in range(8):
            await subject.acquire()
        assert now() == 0
