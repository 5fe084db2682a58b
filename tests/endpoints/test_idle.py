"""What 404 bodies meant, remembered."""

import asyncio

import pytest

from backupify_async._endpoints.idle import IdleMemory


class Snapshot:
    """A look at an instance, which ends when the test says so."""

    def __init__(self, *exists: bool) -> None:
        self.exists = list(exists)
        self.may_end = asyncio.Event()
        self.under_way = 0
        self.most_under_way = 0
        self.count = 0

    async def __call__(self) -> bool:
        self.count += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.may_end.wait()
        finally:
            self.under_way -= 1
        return self.exists.pop(0) if len(self.exists) > 1 else self.exists[0]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_checks_run_one_at_a_time_per_body_until_its_meaning_is_known() -> None:
    memory, look = IdleMemory(), Snapshot(True)
    waiting = [asyncio.create_task(memory.is_idle(b"idle", look)) for _ in range(10)]
    await turns()
    look.may_end.set()
    assert await asyncio.gather(*waiting) == [True] * 10
    assert (look.count, look.most_under_way, memory.answered) == (1, 1, 9)


async def test_another_body_does_not_wait() -> None:
    memory, held, free = IdleMemory(), Snapshot(True), Snapshot(True)
    free.may_end.set()
    waiting = asyncio.create_task(memory.is_idle(b"one", held))
    await turns()
    assert await memory.is_idle(b"other", free)
    held.may_end.set()
    assert await waiting


async def test_a_body_that_means_both_is_checked_by_each_waiting_call() -> None:
    memory, look = IdleMemory(), Snapshot(False, True)
    waiting = [asyncio.create_task(memory.is_idle(b"either", look)) for _ in range(5)]
    await turns()
    look.may_end.set()
    assert await asyncio.gather(*waiting) == [False, True, True, True, True]
    assert (look.count, memory.answered) == (5, 0)


async def test_a_body_that_meant_idle_means_both_once_it_came_with_a_missing_instance() -> None:
    memory, look = IdleMemory(), Snapshot(True)
    look.may_end.set()
    assert await memory.is_idle(b"404", look)
    memory.came_with_missing(b"404")
    assert await memory.is_idle(b"404", look)
    assert (look.count, memory.answered) == (2, 0)


async def test_a_missing_instance_is_not_forgotten_for_one_that_exists() -> None:
    memory, look = IdleMemory(), Snapshot(False, True)
    look.may_end.set()
    assert not await memory.is_idle(b"404", look)
    assert [await memory.is_idle(b"404", look) for _ in range(3)] == [True] * 3
    assert look.count == 4


async def test_a_check_that_found_a_missing_instance_is_not_overruled() -> None:
    memory, look = IdleMemory(), Snapshot(True)
    waiting = asyncio.create_task(memory.is_idle(b"404", look))
    await turns()
    memory.came_with_missing(b"404")
    look.may_end.set()
    assert await waiting
    assert await memory.is_idle(b"404", look)
    assert look.count == 2


async def test_a_cancelled_check_lets_the_next_call_check() -> None:
    memory, held, free = IdleMemory(), Snapshot(True), Snapshot(True)
    free.may_end.set()
    first = asyncio.create_task(memory.is_idle(b"404", held))
    second = asyncio.create_task(memory.is_idle(b"404", free))
    await turns()
    first.cancel()
    assert await second
    assert (first.cancelled(), free.count) == (True, 1)


async def test_a_failed_check_lets_the_next_call_check() -> None:
    memory, free = IdleMemory(), Snapshot(True)
    free.may_end.set()

    async def failing() -> bool:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await memory.is_idle(b"404", failing)
    assert await memory.is_idle(b"404", free)


async def test_a_new_body_each_time_costs_a_check_each_and_no_memory() -> None:
    memory, look = IdleMemory(), Snapshot(True)
    look.may_end.set()
    for number in range(1000):
        assert await memory.is_idle(b"request %d" % number, look)
    assert (look.count, len(memory._bodies)) == (1000, 64)


async def test_the_bodies_that_are_in_use_are_kept() -> None:
    memory, look = IdleMemory(), Snapshot(True)
    look.may_end.set()
    for number in range(100):
        await memory.is_idle(b"idle", look)
        await memory.is_idle(b"request %d" % number, look)
    assert (look.count, memory.answered) == (101, 99)
