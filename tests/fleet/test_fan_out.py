"""Fan-outs: keys, outcomes, arguments, and errors of the function; in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from backupify_async import Failure, Results, Success, fan_out
from backupify_async._call_context import ATTEMPTS
from tests.support.work import AsyncKeys, Keys, Work, now, other_tasks

pytestmark = pytest.mark.looptime


class TestOutcomes:
    async def test_each_key_has_one_with_value_or_error(self) -> None:
        results = await fan_out(Work(failing=[2]), range(4))
        assert results.values == {0: "did 0", 1: "did 1", 3: "did 3"}
        assert repr(results.errors) == "{2: LookupError(2)}"

    async def test_are_yielded_in_the_order_of_completion(self) -> None:
        work = Work(lambda key: key)
        async with fan_out(work, [3, 1, 2]) as outcomes:
            assert [outcome.key async for outcome in outcomes] == [1, 2, 3]

    async def test_keep_the_order_of_the_keys_if_ordered(self) -> None:
        async with fan_out(Work(lambda key: key), [3, 1, 2], ordered=True) as outcomes:
            assert [outcome.key async for outcome in outcomes] == [3, 1, 2]

    async def test_have_the_time_that_each_took(self) -> None:
        async with fan_out(Work(lambda key: key, failing=[2]), [3, 2]) as outcomes:
            assert [(outcome.key, outcome.elapsed) async for outcome in outcomes] == [(2, 2), (3, 3)]

    async def test_are_ok_or_hold_an_error(self) -> None:
        async with fan_out(Work(failing=["b"]), ["a", "b"], ordered=True) as outcomes:
            good, bad = [outcome async for outcome in outcomes]
        assert good == Success("a", "did a", 0, 1.0)
        assert (good.ok, good.error) == (True, None)
        assert isinstance(bad, Failure)
        assert (bad.key, bad.ok, bad.value, type(bad.error)) == ("b", False, None, LookupError)

    async def test_of_a_duplicate_key_are_two_and_results_hold_the_later(self) -> None:
        values = iter(["first", "second"])

        async def take(_key: int) -> str:
            return next(values)

        assert (await fan_out(take, [1, 1], concurrency=1)).values == {1: "second"}

    async def test_count_the_attempts_of_their_own_key_only(self) -> None:
        async def send(key: int) -> None:
            for _ in range(key):
                await asyncio.sleep(1)
                count = ATTEMPTS.get()
                assert count is not None
                count.sent += 1

        async with fan_out(send, [3, 0, 1, 2], ordered=True) as outcomes:
            assert [outcome.attempts async for outcome in outcomes] == [3, 0, 1, 2]

    async def test_count_what_an_inner_fan_out_sent_for_their_key(self) -> None:
        async def send(_key: int) -> None:
            count = ATTEMPTS.get()
            assert count is not None
            count.sent += 1

        async def inner(key: int) -> None:
            await fan_out(send, range(key))

        async with fan_out(inner, [2, 3], ordered=True) as outcomes:
            assert [outcome.attempts async for outcome in outcomes] == [2, 3]


class TestKeys:
    @pytest.mark.parametrize("concurrency", [1, 2, 32])
    async def test_can_be_none(self, concurrency: int) -> None:
        assert await fan_out(Work(), [], concurrency=concurrency) == Results({}, {})
        assert other_tasks() == set()

    async def test_can_be_an_async_iterable_which_one_task_reads_at_a_time(self) -> None:
        source = AsyncKeys(range(50), seconds=0.1)
        results = await fan_out(Work(), source, concurrency=8)
        assert sorted(results.values) == list(range(50))
        assert source.closed

    async def test_can_be_an_async_iterable_that_cannot_be_closed(self) -> None:
        class Bare:
            def __init__(self) -> None:
                self.remaining = 3

            def __aiter__(self) -> AsyncIterator[int]:
                return self

            async def __anext__(self) -> int:
                self.remaining -= 1
                if self.remaining < 0:
                    raise StopAsyncIteration
                return self.remaining

        assert set((await fan_out(Work(), Bare())).values) == {0, 1, 2}

    async def test_of_a_slow_source_are_worked_on_while_it_is_read(self) -> None:
        async with fan_out(Work(1), AsyncKeys([1, 2], seconds=10)) as outcomes:
            assert [(outcome.key, now()) async for outcome in outcomes] == [(1, 11), (2, 21)]

    async def test_can_be_anything_for_a_stream_but_must_be_hashable_for_results(self) -> None:
        anything: list[Any] = [[1], "text", None]
        async with fan_out(Work(), anything, ordered=True) as outcomes:
            assert [outcome.key async for outcome in outcomes] == [[1], "text", None]
        unhashable: Any = [1]
        with pytest.raises(TypeError, match="must be hashable"):
            await fan_out(Work(), [unhashable])
        assert other_tasks() == set()

    @pytest.mark.parametrize("keys", ["abc", b"abc", 42, None], ids=repr)
    def test_must_be_an_iterable_other_than_text(self, keys: Any) -> None:
        with pytest.raises(TypeError, match="keys"):
            fan_out(Work(), keys)


class TestArguments:
    @pytest.mark.parametrize("concurrency", [0, -1, 1.5, float("nan"), True, None, "8"], ids=repr)
    def test_a_concurrency_that_is_out_of_range_is_refused(self, concurrency: Any) -> None:
        with pytest.raises(ValueError, match="concurrency"):
            fan_out(Work(), [1], concurrency=concurrency)

    @pytest.mark.parametrize("max_failures", [-1, 0.5, float("nan"), False], ids=repr)
    def test_a_max_failures_that_is_out_of_range_is_refused(self, max_failures: Any) -> None:
        with pytest.raises(ValueError, match="max_failures"):
            fan_out(Work(), [1], max_failures=max_failures)


class TestOneUse:
    async def test_awaiting_twice_is_refused(self) -> None:
        work = fan_out(Work(), [1])
        await work
        with pytest.raises(RuntimeError, match="used already"):
            await work

    async def test_entering_after_awaiting_is_refused(self) -> None:
        work = fan_out(Work(), [1])
        await work
        with pytest.raises(RuntimeError, match="used already"):
            await work.__aenter__()

    async def test_awaiting_it_while_entered_is_refused_and_the_first_use_continues(self) -> None:
        work = fan_out(Work(), [1, 2])
        async with work as outcomes:
            with pytest.raises(RuntimeError, match="used already"):
                await work
            assert {outcome.key async for outcome in outcomes} == {1, 2}

    async def test_an_iteration_that_has_ended_yields_nothing_more(self) -> None:
        async with fan_out(Work(), [1]) as outcomes:
            assert [outcome.key async for outcome in outcomes] == [1]
            assert [outcome async for outcome in outcomes] == []

    async def test_a_second_loop_continues_where_the_first_one_stopped(self) -> None:
        async with fan_out(Work(), range(3), ordered=True) as outcomes:
            async for outcome in outcomes:
                assert outcome.key == 0
                break
            assert [outcome.key async for outcome in outcomes] == [1, 2]


class TestAnErrorOfTheFunction:
    async def test_cancels_no_other_call(self) -> None:
        results = await fan_out(Work(lambda key: key, failing=[1]), [1, 2, 3])
        assert (set(results.values), set(results.errors)) == ({2, 3}, {1})

    async def test_can_be_a_cancelled_error(self) -> None:
        async def give_up(key: int) -> int:
            if key == 1:
                raise asyncio.CancelledError("given up")
            return key

        results = await fan_out(give_up, [1, 2, 3], concurrency=1)
        assert (set(results.values), type(results.errors[1])) == ({2, 3}, asyncio.CancelledError)

    async def test_can_be_raised_before_there_is_anything_to_await(self) -> None:
        def no_coroutine(_key: int) -> Any:
            raise ValueError("at once")

        def no_awaitable(_key: int) -> Any:
            return None

        assert type((await fan_out(no_coroutine, [1])).errors[1]) is ValueError
        assert type((await fan_out(no_awaitable, [1])).errors[1]) is TypeError

    @pytest.mark.parametrize("error", [StopIteration(), StopAsyncIteration(), TimeoutError()], ids=repr)
    async def test_that_would_end_a_loop_is_an_outcome_too(self, error: Exception) -> None:
        def raising(_key: int) -> Any:
            raise error

        assert (await fan_out(raising, [1, 2])).errors == {1: error, 2: error}

    async def test_is_raised_in_a_group_with_all_others(self) -> None:
        results = await fan_out(Work(failing=[1, 2]), [1, 2, 3])
        with pytest.raises(ExceptionGroup, match="2 keys failed") as raised:
            results.raise_errors()
        assert set(raised.value.exceptions) == set(results.errors.values())

    async def test_that_did_not_occur_is_not_raised(self) -> None:
        results = await fan_out(Work(), [1])
        results.raise_errors()
        assert (results.values, results.errors) == ({1: "did 1"}, {})


class TestNested:
    async def test_each_fan_out_has_its_own_bound(self) -> None:
        work = Work()

        async def inner(key: int) -> int:
            return len((await fan_out(work, range(key), concurrency=3)).values)

        results = await fan_out(inner, [4, 5, 6], concurrency=2)
        assert results.values == {4: 4, 5: 5, 6: 6}
        assert work.most_in_flight == 6

    async def test_cancelling_the_outer_fan_out_ends_the_inner_ones(self) -> None:
        work = Work(100)

        async def inner(key: int) -> Any:
            return await fan_out(work, range(key))

        outer = asyncio.ensure_future(fan_out(inner, [4, 5]))
        await asyncio.sleep(1)
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        assert (other_tasks(), work.in_flight, len(work.begun)) == (set(), 0, 9)


class TestSources:
    async def test_a_generator_is_read_no_further_than_needed(self) -> None:
        source = Keys(range(10**9))
        async with fan_out(Work(), source, concurrency=4) as outcomes:
            async for _ in outcomes:
                break
        assert source.taken <= 5
