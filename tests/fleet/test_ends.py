"""How a fan-out ends before its keys do: its source fails, its consumer leaves, or it is cancelled."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from backupify_async import fan_out
from tests.support.work import AsyncKeys, Keys, Work, drain, now, other_tasks

pytestmark = pytest.mark.looptime


class SourceFailed(Exception):
    """What a source of keys raises."""


class BaseError(BaseException):
    """Not an `Exception`, and not an end of the process, like pyo3's PanicException and pytest's Failed."""


class Source:
    """Async generators of keys that record when they end, and fail there where asked to."""

    def __init__(self, fails_with: BaseException | None = None, pause: float = 0.0) -> None:
        self.fails_with = fails_with
        self.pause = pause
        self.ended_at: float | None = None

    async def keys(self, *keys: Any) -> AsyncGenerator[Any]:
        try:
            for key in keys:
                yield key
            await asyncio.sleep(self.pause)
            if self.fails_with is not None:
                raise self.fails_with
        finally:
            self.ended_at = now()


class TestASourceThatRaises:
    @pytest.mark.parametrize("ordered", [False, True])
    @pytest.mark.parametrize("concurrency", [1, 2, 3, 10])
    async def test_ends_the_iteration_after_the_outcomes_of_what_was_begun(
        self, concurrency: int, ordered: bool
    ) -> None:
        source = Keys([1, 2, 3], SourceFailed())
        async with fan_out(Work(), source, concurrency=concurrency, ordered=ordered) as outcomes:
            found, error = await drain(outcomes)
        assert ([outcome.key for outcome in found], type(error)) == ([1, 2, 3], SourceFailed)
        assert other_tasks() == set()

    async def test_raises_the_same_where_the_fan_out_is_awaited(self) -> None:
        with pytest.raises(SourceFailed):
            await fan_out(Work(), Source(SourceFailed()).keys(1, 2))
        assert other_tasks() == set()

    async def test_raises_once_and_the_iteration_has_ended_then(self) -> None:
        async with fan_out(Work(), Keys([], SourceFailed())) as outcomes:
            with pytest.raises(SourceFailed):
                await anext(outcomes)
            assert [outcome async for outcome in outcomes] == []

    @pytest.mark.parametrize("concurrency", [1, 5])
    async def test_is_not_read_again_by_the_workers_that_wait_for_it(self, concurrency: int) -> None:
        class Failing(AsyncKeys):
            reads = 0

            async def __anext__(self) -> Any:
                self.reads += 1
                if self.reads == 4:
                    await asyncio.sleep(10)
                    raise SourceFailed
                return self.reads

        source, work = Failing([]), Work(1)
        with pytest.raises(SourceFailed):
            await fan_out(work, source, concurrency=concurrency)
        assert (source.reads, source.closed, work.begun) == (4, True, [1, 2, 3])

    async def test_lets_calls_in_flight_end(self) -> None:
        work = Work(lambda key: 100 * key)
        async with fan_out(work, Keys([1, 2], SourceFailed())) as outcomes:
            assert type((await drain(outcomes))[1]) is SourceFailed
        assert (work.ended, now()) == ([1, 2], 200)

    @pytest.mark.parametrize("error", [asyncio.CancelledError(), BaseError()], ids=repr)
    async def test_can_raise_a_base_exception_which_is_raised_too(self, error: BaseException) -> None:
        with pytest.raises(type(error)):
            await fan_out(Work(), Source(error).keys(1, 2, 3), concurrency=2)


class TestAnAsyncSource:
    async def test_is_closed_at_the_end(self) -> None:
        source = Source()
        await fan_out(Work(), source.keys(1, 2))
        assert source.ended_at is not None

    async def test_is_closed_when_the_consumer_leaves(self) -> None:
        source = Source()
        async with fan_out(Work(), source.keys(*range(100)), concurrency=2) as outcomes:
            await anext(outcomes)
        assert source.ended_at == 1

    async def test_that_was_not_read_is_closed(self) -> None:
        source = AsyncKeys([1])
        async with fan_out(Work(), source):
            pass
        assert source.closed

    async def test_that_waits_for_a_key_does_not_delay_leaving(self) -> None:
        source = Source(pause=1000)
        async with fan_out(Work(), source.keys(1)) as outcomes:
            await anext(outcomes)
        assert (source.ended_at, other_tasks()) == (1, set())


class TestLeavingEarly:
    async def test_cancels_what_is_in_flight_and_waits_for_its_end(self) -> None:
        cleaned: list[int] = []

        async def tidy(key: int) -> None:
            try:
                await asyncio.sleep(1 if key == 0 else 1000)
            finally:
                await asyncio.sleep(5)
                cleaned.append(key)

        async with fan_out(tidy, range(10), concurrency=3) as outcomes:
            await anext(outcomes)
        assert (sorted(cleaned), now(), other_tasks()) == ([0, 1, 2], 11, set())

    async def test_accounts_for_all_that_was_begun(self) -> None:
        work = Work(lambda key: key)
        async with fan_out(work, Keys([1, 2, 30, 40, 50]), concurrency=4) as outcomes:
            first = await anext(outcomes)
            await asyncio.sleep(5)
        assert first.key == 1
        assert [outcome.key for outcome in outcomes.leftover] == [2]
        assert sorted(outcomes.unfinished) == [30, 40, 50]

    async def test_accounts_for_a_call_that_fails_when_it_is_cancelled(self) -> None:
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

    async def test_has_nothing_to_account_for_where_all_was_done(self) -> None:
        async with fan_out(Work(), range(3)) as outcomes:
            _ = [outcome async for outcome in outcomes]
        assert (outcomes.leftover, outcomes.unfinished) == ([], [])

    async def test_by_an_exception_of_the_consumer_is_the_same(self) -> None:
        work = Work(100)

        async def consume() -> None:
            async with fan_out(work, range(10)):
                await asyncio.sleep(1)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await consume()
        assert (work.in_flight, other_tasks()) == (0, set())

    async def test_before_anything_has_begun_calls_nothing(self) -> None:
        work = Work()
        async with fan_out(work, range(10)):
            pass
        assert (work.begun, other_tasks()) == ([], set())

    async def test_before_anything_has_begun_ends_the_iteration(self) -> None:
        async with fan_out(Work(), range(10)) as outcomes:
            pass
        assert await asyncio.wait_for(anext(outcomes, None), 10) is None

    async def test_begins_nothing_more_where_a_call_ignores_its_cancellation(self) -> None:
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
        for task in others:  # also where the test fails: it leaves no task running
            while not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=1)
        await leaving
        assert (ended, begun) == (True, [0, 1])


class TestBeingCancelled:
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

    async def test_twice_still_waits_for_what_is_in_flight(self) -> None:
        cleaned: list[int] = []

        async def tidy(key: int) -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(10)
                cleaned.append(key)

        source = AsyncKeys(range(2))
        sweep = asyncio.ensure_future(fan_out(tidy, source))
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
    async def test_with_all_other_tasks_of_the_loop_begins_nothing_more(
        self, ordered: bool, consumer_first: bool
    ) -> None:
        work = Work(100)
        sweep = asyncio.ensure_future(fan_out(work, range(1000), concurrency=8, ordered=ordered))
        await asyncio.sleep(1)
        workers = other_tasks() - {sweep}
        for task in (sweep, *workers) if consumer_first else (*workers, sweep):
            task.cancel()  # as asyncio.run() does in the end
        with pytest.raises(asyncio.CancelledError):
            await sweep
        assert (len(work.begun), other_tasks()) == (8, set())

    async def test_of_a_worker_by_its_own_function_is_the_outcome_of_its_key(self) -> None:
        async def cancels_itself(key: int) -> int:
            if key == 1:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            await asyncio.sleep(1)
            return key

        results = await fan_out(cancels_itself, range(3), concurrency=3)
        assert (set(results.values), set(results.errors)) == ({0, 2}, {1})


class TestAFunctionThatEndsTheProcess:
    @pytest.mark.looptime(enabled=False)
    @pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
    def test_ends_the_process_and_not_just_its_key(self, end: type[BaseException]) -> None:
        async def work(_key: int) -> None:
            raise end

        async def sweep() -> None:
            await fan_out(work, range(100), concurrency=2)

        with pytest.raises(end):
            asyncio.run(sweep())


class TestAFunctionThatRaisesABaseException:
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    @pytest.mark.parametrize("ordered", [False, True])
    async def test_has_it_as_its_outcome(self, ordered: bool) -> None:
        async def work(key: int) -> int:
            await asyncio.sleep(1)
            if key == 1:
                raise BaseError
            return key

        async with fan_out(work, range(4), ordered=ordered) as outcomes:
            found = {outcome.key: type(outcome.error) async for outcome in outcomes}
            for worker in outcomes._workers:
                worker.done() and not worker.cancelled() and worker.exception()
        assert found == {0: type(None), 1: BaseError, 2: type(None), 3: type(None)}
