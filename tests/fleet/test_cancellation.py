"""Fan-outs that are left early or cancelled."""

import asyncio
import contextlib

import pytest

from backupify_async import fan_out
from tests.support.work import AsyncKeys, Keys, Work, now, other_tasks

pytestmark = pytest.mark.looptime


class TestLeavingEarly:
    async def test_cancels_calls_in_flight_and_waits_for_their_end(self) -> None:
        cleaned: list[int] = []

        async def clean_up(key: int) -> None:
            try:
                await asyncio.sleep(1 if key == 0 else 1000)
            finally:
                await asyncio.sleep(5)
                cleaned.append(key)

        async with fan_out(clean_up, range(10), concurrency=3) as outcomes:
            await anext(outcomes)
        assert (sorted(cleaned), now(), other_tasks()) == ([0, 1, 2], 11, set())

    async def test_puts_each_call_that_was_begun_in_leftover_or_unfinished(self) -> None:
        work = Work(lambda key: key)
        async with fan_out(work, Keys([1, 2, 30, 40, 50]), concurrency=4) as outcomes:
            first = await anext(outcomes)
            await asyncio.sleep(5)
        assert first.key == 1
        assert [outcome.key for outcome in outcomes.leftover] == [2]
        assert sorted(outcomes.unfinished) == [30, 40, 50]

    async def test_puts_a_call_that_fails_on_cancellation_in_leftover(self) -> None:
        async def fails_on_cancel(_key: int) -> None:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                raise LookupError("cut short") from None

        async with fan_out(fails_on_cancel, [1, 2], concurrency=2) as outcomes:
            await asyncio.sleep(1)
        assert [(outcome.key, str(outcome.error)) for outcome in outcomes.leftover] == [
            (1, "cut short"),
            (2, "cut short"),
        ]
        assert outcomes.unfinished == []

    async def test_after_the_last_outcome_has_nothing_leftover_or_unfinished(self) -> None:
        async with fan_out(Work(), range(3)) as outcomes:
            _ = [outcome async for outcome in outcomes]
        assert (outcomes.leftover, outcomes.unfinished) == ([], [])

    async def test_by_an_exception_of_the_consumer_cancels_calls_too(self) -> None:
        work = Work(100)

        async def consume() -> None:
            async with fan_out(work, range(10)):
                await asyncio.sleep(1)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await consume()
        assert (work.in_flight, other_tasks()) == (0, set())

    async def test_before_the_first_outcome_begins_no_call(self) -> None:
        work = Work()
        async with fan_out(work, range(10)):
            pass
        assert (work.begun, other_tasks()) == ([], set())

    async def test_before_the_first_outcome_ends_the_iteration(self) -> None:
        async with fan_out(Work(), range(10)) as outcomes:
            pass
        assert await asyncio.wait_for(anext(outcomes, None), 10) is None

    async def test_begins_no_call_after_one_that_ignores_its_cancellation(self) -> None:
        begun: list[int] = []

        async def stubborn(key: int) -> None:
            begun.append(key)
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1000)

        async def leave_early() -> None:
            async with fan_out(stubborn, range(10), concurrency=2):
                await asyncio.sleep(1)

        leaving = asyncio.create_task(leave_early())
        await asyncio.wait([leaving], timeout=100)
        ended, others = leaving.done(), other_tasks() - {leaving}
        for task in others:  # so that no task keeps running, even if the test fails
            while not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=1)
        await leaving
        assert (ended, begun) == (True, [0, 1])


class TestCancellation:
    @pytest.mark.parametrize("at", [0.0, 0.5, 1.0, 5.5])
    @pytest.mark.parametrize("ordered", [False, True])
    async def test_from_outside_is_raised_and_leaves_no_task(self, at: float, ordered: bool) -> None:
        work, source = Work(), AsyncKeys(range(1000), seconds=0.1)
        sweep = asyncio.ensure_future(fan_out(work, source, concurrency=8, ordered=ordered))
        await asyncio.sleep(at)
        sweep.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sweep
        assert (other_tasks(), work.in_flight, source.closed) == (set(), 0, True)

    async def test_twice_still_waits_for_calls_in_flight(self) -> None:
        cleaned: list[int] = []

        async def clean_up(key: int) -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(10)
                cleaned.append(key)

        source = AsyncKeys(range(2))
        sweep = asyncio.ensure_future(fan_out(clean_up, source))
        for _ in range(3):
            await asyncio.sleep(1)
            sweep.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sweep
        assert (sorted(cleaned), now(), source.closed) == ([0, 1], 11, True)

    async def test_by_a_time_out_raises_the_time_out(self) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(fan_out(Work(1000), range(10)), 5)
        assert (other_tasks(), now()) == (set(), 5)

    @pytest.mark.parametrize(
        ("ordered", "consumer_first"), [(False, False), (False, True), (True, True), (True, False)]
    )
    async def test_of_all_tasks_of_the_loop_begins_no_call(self, ordered: bool, consumer_first: bool) -> None:
        work = Work(100)
        sweep = asyncio.ensure_future(fan_out(work, range(1000), concurrency=8, ordered=ordered))
        await asyncio.sleep(1)
        workers = other_tasks() - {sweep}
        for task in (sweep, *workers) if consumer_first else (*workers, sweep):
            task.cancel()  # as asyncio.run() does at its end
        with pytest.raises(asyncio.CancelledError):
            await sweep
        assert (len(work.begun), other_tasks()) == (8, set())

    async def test_of_a_worker_by_its_function_is_the_outcome_of_the_key(self) -> None:
        async def cancels_itself(key: int) -> int:
            if key == 1:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            await asyncio.sleep(1)
            return key

        results = await fan_out(cancels_itself, range(3), concurrency=3)
        assert (set(results.values), set(results.errors)) == ({0, 2}, {1})
