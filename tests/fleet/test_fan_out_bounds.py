"""How many calls, tasks and keys a fan-out has at once."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from backupify_async import fan_out
from backupify_async._fleet.fan_out import FanOut
from tests.support.work import AsyncKeys, Keys, Work, now, other_tasks


@pytest.mark.looptime
class TestInFlight:
    @pytest.mark.parametrize("concurrency", [1, 3, 10])
    async def test_calls_never_exceed_the_concurrency(self, concurrency: int) -> None:
        work = Work(lambda key: 1 + key % 7)
        await fan_out(work, range(100), concurrency=concurrency)
        assert work.most_in_flight == concurrency

    @pytest.mark.parametrize("ordered", [False, True])
    async def test_calls_reach_the_concurrency_while_there_are_keys(self, ordered: bool) -> None:
        await fan_out(Work(1), range(100), concurrency=10, ordered=ordered)
        assert now() == 10

    async def test_three_keys_start_four_tasks_however_large_the_concurrency(self) -> None:
        tasks: list[int] = []

        async def count(_key: int) -> None:
            await asyncio.sleep(1)
            tasks.append(len(other_tasks()))

        await fan_out(count, range(3), concurrency=1000)
        assert max(tasks) <= 4

    async def test_any_number_of_keys_starts_no_more_tasks_than_the_concurrency(self) -> None:
        tasks: list[int] = []

        async def count(_key: int) -> None:
            await asyncio.sleep(1)
            tasks.append(len(other_tasks()))

        await fan_out(count, range(300), concurrency=20)
        assert max(tasks) <= 21


@pytest.mark.looptime
class TestKeysRead:
    @pytest.mark.parametrize(("ordered", "ahead"), [(False, 5), (True, 10)])
    async def test_at_most_a_window_of_keys_is_read_beyond_the_outcomes_handed_out(
        self, ordered: bool, ahead: int
    ) -> None:
        source = Keys(range(50))
        async with fan_out(Work(), source, concurrency=5, ordered=ordered) as outcomes:
            for handed_out in itertools.count():
                await asyncio.sleep(10)  # a slow consumer: all calls that can begin have ended
                assert source.taken == min(50, handed_out + ahead)
                if await anext(outcomes, None) is None:
                    break
        assert handed_out == 50

    async def test_twice_as_many_keys_are_read_with_ahead(self) -> None:
        source = Keys(range(50))
        async with FanOut(Work(), source, concurrency=5, ahead=True) as outcomes:
            await asyncio.sleep(10)
            assert source.taken == 10
            await anext(outcomes)
            await asyncio.sleep(10)
            assert source.taken == 11

    async def test_an_async_source_is_read_no_further_than_the_window(self) -> None:
        source = Keys(range(50))

        async def generate() -> Any:
            for key in source:
                await asyncio.sleep(0.1)
                yield key

        async with fan_out(Work(), generate(), concurrency=5) as outcomes:
            for handed_out in range(45):
                await asyncio.sleep(10)
                assert source.taken <= handed_out + 5
                await anext(outcomes)

    async def test_a_slow_first_key_stops_an_ordered_fan_out_at_twice_its_concurrency(self) -> None:
        source, work = Keys(range(50)), Work(lambda key: 1000 if key == 0 else 1)
        async with fan_out(work, source, concurrency=5, ordered=True) as outcomes:
            await asyncio.sleep(500)
            assert (source.taken, len(outcomes.leftover), outcomes.unfinished) == (10, 9, [0])
            assert [outcome.key async for outcome in outcomes] == list(range(50))

    async def test_no_key_waits_for_a_slow_first_one_unless_ordered(self) -> None:
        work = Work(lambda key: 1000 if key == 0 else 1)
        async with fan_out(work, range(50), concurrency=5) as outcomes:
            keys = [outcome.key async for outcome in outcomes]
        assert (keys[-1], now()) == (0, 1000)

    async def test_an_idle_worker_waits_for_a_source_that_pauses(self) -> None:
        results = await fan_out(Work(5), AsyncKeys(range(3), seconds=1), concurrency=3)
        assert (len(results.values), now()) == (3, 8)


class Key:
    """A key that counts how many keys are alive."""

    alive: ClassVar[int] = 0
    most_alive: ClassVar[int] = 0

    def __init__(self) -> None:
        Key.alive += 1
        Key.most_alive = max(Key.most_alive, Key.alive)

    def __del__(self) -> None:
        Key.alive -= 1


class TestMemory:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("count", "ordered", "window"), [(100_000, False, 32), (10_000, True, 64)], ids=["100,000", "ordered"]
    )
    async def test_is_bounded_for_any_number_of_keys(self, count: int, ordered: bool, window: int) -> None:
        def keys() -> Iterator[Key]:
            return (Key() for _ in range(count))

        async def work(_key: Key) -> None:
            await asyncio.sleep(0)

        Key.most_alive = Key.alive
        handed_out = 0
        async with fan_out(work, keys(), concurrency=32, ordered=ordered) as outcomes:
            async for _ in outcomes:
                handed_out += 1
            assert len(outcomes._workers) <= 32
        # The consumer holds one more, and each worker one that it has just delivered.
        assert Key.most_alive <= window + 33
        assert handed_out == count
