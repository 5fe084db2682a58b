"""The gate in virtual time: which call is granted when, and what follows a cancellation."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from backupify_async import RateLimit, RetryPolicy
from backupify_async._transport.gate import Gate, GateBlocked
from backupify_async._transport.rate import Ticket
from backupify_async._transport.rate.fixed_rate import FixedRateLimiter
from tests.support.scripted import now, settled
from tests.support.transport_values import make_refusal

pytestmark = pytest.mark.looptime


def gate(
    max_concurrency: int = 100, per_second: float | None = None, burst: int = 1, **policy: float
) -> Gate:
    limit = RateLimit(per_second=per_second, burst=burst, adaptive=False)
    return Gate(FixedRateLimiter(limit, RetryPolicy(**policy)), max_concurrency)  # type: ignore[arg-type]


async def pass_through(subject: Gate, hold: float = 0.0) -> float:
    """Acquire, hold and release. Returns the time of the grant."""
    ticket = await subject.acquire()
    granted = now()
    try:
        await asyncio.sleep(hold)
    finally:
        subject.release(ticket)
    return granted


@pytest.fixture
async def nothing_left() -> AsyncIterator[None]:
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}


class TimerWithoutWhen:
    """A timer of another event loop, which has no `when`."""

    def __init__(self, timer: asyncio.TimerHandle) -> None:
        self.cancel = timer.cancel


class TestTheOrderOfGrants:
    async def test_does_not_need_timers_with_when(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        call_at = loop.call_at
        monkeypatch.setattr(
            loop, "call_at", lambda *arguments, **options: TimerWithoutWhen(call_at(*arguments, **options))
        )
        subject = gate(per_second=2)
        granted = await asyncio.gather(*(pass_through(subject) for _ in range(4)))
        assert granted == [0.0, 0.5, 1.0, 1.5]

    async def test_slots_are_granted_at_the_rate(self) -> None:
        subject = gate(per_second=2, burst=3)
        assert await asyncio.gather(*(pass_through(subject) for _ in range(6))) == [0, 0, 0, 0.5, 1, 1.5]

    async def test_a_permit_is_granted_once_another_call_releases_it(self) -> None:
        subject = gate(max_concurrency=2)
        assert await asyncio.gather(*(pass_through(subject, 3) for _ in range(5))) == [0, 0, 3, 3, 6]

    async def test_permit_and_slot_are_granted_together(self) -> None:
        subject = gate(max_concurrency=1, per_second=1)
        assert await asyncio.gather(*(pass_through(subject, 2.5) for _ in range(3))) == [0, 2.5, 5]

    async def test_no_slot_is_taken_while_no_permit_is_free(self) -> None:
        subject = gate(max_concurrency=1, per_second=1, burst=2)
        assert await asyncio.gather(*(pass_through(subject, 10) for _ in range(3))) == [0, 10, 20]

    async def test_calls_are_granted_in_the_order_of_arrival(self) -> None:
        subject, order = gate(per_second=1), []

        async def arrive(name: int) -> None:
            await asyncio.sleep(name / 10)
            await pass_through(subject)
            order.append(name)

        await asyncio.gather(*map(arrive, reversed(range(8))))
        assert order == list(range(8))

    async def test_a_new_call_does_not_overtake_one_that_was_just_granted(self) -> None:
        subject, order = gate(max_concurrency=1), []

        async def enter(name: str) -> None:
            ticket = await subject.acquire()
            order.append(name)
            subject.release(ticket)

        ticket = await subject.acquire()
        waiter = asyncio.create_task(enter("waiter"))
        await settled()
        subject.release(ticket)
        await enter("newcomer")
        await waiter
        assert order == ["waiter", "newcomer"]

    async def test_a_new_call_at_the_moment_of_a_slot_does_not_overtake_a_waiting_one(self) -> None:
        subject, overtaken = gate(per_second=1), []

        def arrive() -> None:
            newcomer = subject.acquire()
            try:
                newcomer.send(None)
            except StopIteration:
                overtaken.append(now())
            else:
                with contextlib.suppress(asyncio.CancelledError):
                    newcomer.throw(asyncio.CancelledError())

        asyncio.get_running_loop().call_at(1, arrive)  # before the gate sets its own timer
        assert [await pass_through(subject), await pass_through(subject)] == [0, 1]
        assert overtaken == []

    async def test_the_calls_in_flight_and_those_that_wait_are_counted(self) -> None:
        subject = gate(max_concurrency=2)
        tasks = [asyncio.create_task(pass_through(subject, 1)) for _ in range(5)]
        await settled()
        assert (subject.in_flight, subject.waiting) == (2, 3)
        await asyncio.gather(*tasks)
        assert (subject.in_flight, subject.waiting) == (0, 0)


class TestAPause:
    async def test_waiting_calls_wait_for_its_end(self) -> None:
        subject = gate(per_second=1)
        tasks = [asyncio.create_task(pass_through(subject)) for _ in range(4)]
        await asyncio.sleep(1.5)
        subject.on_response(now(), Ticket(1.0), 429, {}, make_refusal(10.0))
        assert await asyncio.gather(*tasks) == [0, 1, 11.5, 12.5]

    async def test_it_can_be_extended_while_calls_wait(self) -> None:
        subject = gate()
        subject.on_response(now(), Ticket(0.0), 429, {}, make_refusal(5.0))
        task = asyncio.create_task(pass_through(subject))
        await asyncio.sleep(4)
        subject.on_response(now(), Ticket(0.0), 429, {}, make_refusal(5.0))
        assert await task == 9

    async def test_a_new_call_waits_for_its_end_too(self) -> None:
        subject = gate(per_second=10, burst=10)
        subject.on_response(now(), Ticket(0.0), 429, {}, make_refusal(5.0))
        assert await asyncio.gather(*(pass_through(subject) for _ in range(3))) == [5, 5.1, 5.2]


class TestABlockedGate:
    async def test_waiting_calls_fail_at_once(self) -> None:
        subject = gate(max_concurrency=1)
        tasks = [asyncio.create_task(pass_through(subject, 100)) for _ in range(4)]
        await asyncio.sleep(1)
        subject.on_response(now(), Ticket(0.0), 429, {}, make_refusal(3600.0))
        results = await asyncio.gather(*tasks[1:], return_exceptions=True)
        assert (now(), [type(result) for result in results]) == (1, [GateBlocked] * 3)

    async def test_a_new_call_fails_at_once(self) -> None:
        subject = gate()
        subject.on_response(now(), Ticket(0.0), 429, {}, make_refusal(3600.0))
        with pytest.raises(GateBlocked):
            await subject.acquire()
        assert (now(), subject.in_flight, subject.waiting) == (0, 0, 0)

    async def test_it_opens_again_when_the_wait_is_over(self) -> None:
        subject = gate()
        subject.on_response(now(), Ticket(0.0), 429, {}, make_refusal(3600.0))
        await asyncio.sleep(3600)
        assert await pass_through(subject) == 3600

    async def test_a_call_that_fails_and_is_cancelled_at_once_holds_no_permit(self) -> None:
        subject = gate(max_concurrency=1)
        await subject.acquire()
        waiter = asyncio.create_task(subject.acquire())
        await settled()
        subject.on_response(now(), Ticket(0.0), 429, {}, make_refusal(3600.0))
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert (subject.in_flight, subject.waiting) == (1, 0)


@pytest.mark.usefixtures("nothing_left")
class TestCancelling:
    """A call while it waits, just after it was granted, and after it was sent."""

    async def test_a_call_that_waits_for_a_slot_can_be_cancelled(self) -> None:
        subject = gate(per_second=1)
        await pass_through(subject)
        first, second = (asyncio.create_task(pass_through(subject)) for _ in range(2))
        await asyncio.sleep(0.5)
        first.cancel()
        assert await second == 1
        assert (subject.in_flight, subject.waiting) == (0, 0)

    async def test_a_call_that_waits_for_a_permit_can_be_cancelled(self) -> None:
        subject = gate(max_concurrency=1)
        holder, first, second = (asyncio.create_task(pass_through(subject, 2)) for _ in range(3))
        await asyncio.sleep(1)
        first.cancel()
        assert await second == 2
        await holder
        assert (subject.in_flight, subject.waiting) == (0, 0)

    async def test_the_slot_of_a_call_that_was_just_granted_goes_to_the_next(self) -> None:
        subject = gate(max_concurrency=1, per_second=1, burst=2)
        ticket = await subject.acquire()
        first, second = (asyncio.create_task(pass_through(subject)) for _ in range(2))
        await settled()
        subject.release(ticket)
        first.cancel()
        assert await second == 0
        assert (subject.in_flight, subject.waiting) == (0, 0)

    async def test_the_slot_of_a_call_that_was_just_granted_is_free_if_no_other_waits(self) -> None:
        subject = gate(max_concurrency=1, per_second=1, burst=2)
        ticket = await subject.acquire()
        only = asyncio.create_task(pass_through(subject))
        await settled()
        subject.release(ticket)
        only.cancel()
        await asyncio.wait([only])
        assert only.cancelled()
        assert [await pass_through(subject), await pass_through(subject)] == [0, 1]

    async def test_the_slot_of_a_call_that_was_sent_is_spent(self) -> None:
        subject = gate(per_second=1)
        await pass_through(subject)
        task = asyncio.create_task(pass_through(subject, 5))
        await asyncio.sleep(2)
        task.cancel()
        assert [*await asyncio.gather(pass_through(subject), pass_through(subject))] == [2, 3]

    async def test_a_cancelled_call_in_the_queue_is_skipped(self) -> None:
        subject = gate(max_concurrency=1)
        ticket = await subject.acquire()
        first, second = (asyncio.create_task(pass_through(subject)) for _ in range(2))
        await settled()
        first.cancel()
        subject.release(ticket)  # the cancelled one is still in the queue
        assert await second == 0
        assert (subject.in_flight, subject.waiting) == (0, 0)

    async def test_ten_thousand_waiting_calls_can_be_cancelled_at_once(self) -> None:
        subject = gate(per_second=1)
        tasks = [asyncio.create_task(pass_through(subject)) for _ in range(10_000)]
        await asyncio.sleep(2.5)
        for task in tasks:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [result for result in done if isinstance(result, float)] == [0, 1, 2]
        assert (subject.in_flight, subject.waiting) == (0, 0)
        assert await pass_through(subject) == 3

    async def test_no_burst_follows_a_pause_during_which_slots_were_given_back(self) -> None:
        subject = gate(max_concurrency=3, per_second=1, burst=6)
        tickets = [await subject.acquire() for _ in range(3)]
        waiters = [asyncio.create_task(pass_through(subject)) for _ in range(3)]
        await settled()
        for ticket in tickets:
            subject.release(ticket)  # grants the waiters
        subject.on_response(now(), Ticket(0.0), 429, {}, make_refusal(10.0))
        for waiter in waiters:
            waiter.cancel()
        await asyncio.wait(waiters)
        assert await asyncio.gather(*(pass_through(subject) for _ in range(3))) == [10, 11, 12]


class TestClose:
    async def test_closing_stops_the_timer(self) -> None:
        subject = gate(per_second=1)
        await pass_through(subject)
        waiter = asyncio.create_task(pass_through(subject))
        await settled()
        await subject.close()
        await asyncio.sleep(5)
        assert (waiter.done(), subject.waiting) == (False, 1)
        waiter.cancel()

    async def test_an_unused_gate_can_be_closed(self) -> None:
        subject = gate()
        await subject.close()
        assert (subject.in_flight, subject.waiting) == (0, 0)
