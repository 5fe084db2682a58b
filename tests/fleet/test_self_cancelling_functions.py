"""Functions that cancel their own task."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from backupify_async import fan_out
from tests.support.work import drain, other_tasks


def cancel_own_task() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


async def and_return(key: int) -> int:
    if key == 2:
        cancel_own_task()
    return key


async def and_raise(key: int) -> int:
    if key == 2:
        cancel_own_task()
        raise LookupError(key)
    return key


async def and_wait(key: int) -> int:
    if key == 2:
        cancel_own_task()
    await asyncio.sleep(0)
    return key


async def and_suppress_it(key: int) -> int:
    if key == 2:
        cancel_own_task()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            return key
    return key


async def and_raise_while_cancelled(key: int) -> int:
    if key == 2:
        cancel_own_task()
        try:
            await asyncio.sleep(0)
        finally:
            raise LookupError(key)
    return key


@pytest.mark.parametrize(
    "function",
    [and_return, and_raise, and_wait, and_suppress_it, and_raise_while_cancelled],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("concurrency", [1, 3])
class TestAFunctionThatCancelsItsOwnTask:
    async def test_leaves_each_key_its_outcome(
        self, function: Callable[[int], Awaitable[int]], concurrency: int
    ) -> None:
        async with fan_out(function, [1, 2, 3, 4, 5], concurrency=concurrency) as outcomes:
            found, end = await drain(outcomes)
        assert end is None
        assert sorted(outcome.key for outcome in found) == [1, 2, 3, 4, 5]
        assert {outcome.key: outcome.value for outcome in found if outcome.key != 2} == {
            1: 1,
            3: 3,
            4: 4,
            5: 5,
        }

    async def test_cancels_no_other_task(
        self, function: Callable[[int], Awaitable[int]], concurrency: int
    ) -> None:
        before = other_tasks()
        await fan_out(function, [1, 2, 3, 4, 5], concurrency=concurrency)
        await asyncio.sleep(0)
        this_task = asyncio.current_task()
        assert this_task is not None
        assert (this_task.cancelling(), other_tasks() - before) == (0, set())
