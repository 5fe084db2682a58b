"""Sources of keys that fail, are slow, or must be closed."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from backupify_async import fan_out
from tests.support.work import AsyncKeys, BaseError, Keys, Work, drain, now, other_tasks

pytestmark = pytest.mark.looptime


class SourceFailed(Exception):
    """The error that a source of keys raises."""


class Source:
    """Async generators of keys that record when they end, and that can fail at their end."""

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
    async def test_ends_the_iteration_after_the_outcomes_of_the_calls_in_flight(
        self, concurrency: int, ordered: bool
    ) -> None:
        source = Keys([1, 2, 3], SourceFailed())
        async with fan_out(Work(), source, concurrency=concurrency, ordered=ordered) as outcomes:
            found, error = await drain(outcomes)
        assert ([outcome.key for outcome in found], type(error)) == ([1, 2, 3], SourceFailed)
        assert other_tasks() == set()

    async def test_raises_the_same_error_if_the_fan_out_is_awaited(self) -> None:
        with pytest.raises(SourceFailed):
            await fan_out(Work(), Source(SourceFailed()).keys(1, 2))
        assert other_tasks() == set()

    async def test_raises_once_and_then_the_iteration_has_ended(self) -> None:
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

    async def test_lets_calls_in_flight_finish(self) -> None:
        work = Work(lambda key: 100 * key)
        async with fan_out(work, Keys([1, 2], SourceFailed())) as outcomes:
            assert type((await drain(outcomes))[1]) is SourceFailed
        assert (work.ended, now()) == ([1, 2], 200)

    @pytest.mark.parametrize("error", [asyncio.CancelledError(), BaseError()], ids=repr)
    async def test_can_raise_a_base_exception_which_propagates(self, error: BaseException) -> None:
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

    async def test_that_was_never_read_is_closed(self) -> None:
        source = AsyncKeys([1])
        async with fan_out(Work(), source):
            pass
        assert source.closed

    async def test_that_waits_for_a_key_does_not_delay_leaving(self) -> None:
        source = Source(pause=1000)
        async with fan_out(Work(), source.keys(1)) as outcomes:
            await anext(outcomes)
        assert (source.ended_at, other_tasks()) == (1, set())
