"""Remembering which bodies of a 404 mean that an instance is idle."""

import asyncio

import pytest

from backupify_async._endpoints.idle import IdleMemory


class Check:
    """A check whether an instance exists, which ends when the test lets it."""

    def __init__(self, *exists: bool) -> None:
        self.exists = list(exists)
        self.can_end = asyncio.Event()
        self.in_flight = 0
        self.most_in_flight = 0
        self.count = 0

    async def __call__(self) -> bool:
        self.count += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self.can_end.wait()
        finally:
            self.in_flight -= 1
        return self.exists.pop(0) if len(self.exists) > 1 else self.exists[0]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_checks_for_one_body_run_one_at_a_time_until_its_meaning_is_known() -> None:
    memory, check = IdleMemory(), Check(True)
    waiting = [asyncio.create_task(memory.is_idle(b"idle", check)) for _ in range(10)]
    await turns()
    check.can_end.set()
    assert await asyncio.gather(*waiting) == [True] * 10
    assert (check.count, check.most_in_flight, memory.answered) == (1, 1, 9)


async def test_another_body_does_not_wait() -> None:
    memory, held, free = IdleMemory(), Check(True), Check(True)
    free.can_end.set()
    waiting = asyncio.create_task(memory.is_idle(b"one", held))
    await turns()
    assert await memory.is_idle(b"other", free)
    held.can_end.set()
    assert await waiting


async def test_an_ambiguous_body_is_checked_by_each_waiting_call() -> None:
    memory, check = IdleMemory(), Check(False, True)
    waiting = [asyncio.create_task(memory.is_idle(b"either", check)) for _ in range(5)]
    await turns()
    check.can_end.set()
    assert await asyncio.gather(*waiting) == [False, True, True, True, True]
    assert (check.count, memory.answered) == (5, 0)


async def test_a_body_that_meant_idle_is_ambiguous_after_a_missing_instance_sent_it() -> None:
    memory, check = IdleMemory(), Check(True)
    check.can_end.set()
    assert await memory.is_idle(b"404", check)
    memory.came_with_missing(b"404")
    assert await memory.is_idle(b"404", check)
    assert (check.count, memory.answered) == (2, 0)


async def test_a_body_stays_ambiguous_after_an_instance_that_exists() -> None:
    memory, check = IdleMemory(), Check(False, True)
    check.can_end.set()
    assert not await memory.is_idle(b"404", check)
    assert [await memory.is_idle(b"404", check) for _ in range(3)] == [True] * 3
    assert check.count == 4


async def test_a_body_of_a_missing_instance_stays_ambiguous_though_a_check_in_flight_found_one() -> None:
    memory, check = IdleMemory(), Check(True)
    waiting = asyncio.create_task(memory.is_idle(b"404", check))
    await turns()
    memory.came_with_missing(b"404")
    check.can_end.set()
    assert await waiting
    assert await memory.is_idle(b"404", check)
    assert check.count == 2


async def test_a_cancelled_check_lets_the_next_call_check() -> None:
    memory, held, free = IdleMemory(), Check(True), Check(True)
    free.can_end.set()
    first = asyncio.create_task(memory.is_idle(b"404", held))
    second = asyncio.create_task(memory.is_idle(b"404", free))
    await turns()
    first.cancel()
    assert await second
    assert (first.cancelled(), free.count) == (True, 1)


async def test_a_failed_check_lets_the_next_call_check() -> None:
    memory, free = IdleMemory(), Check(True)
    free.can_end.set()

    async def failing() -> bool:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await memory.is_idle(b"404", failing)
    assert await memory.is_idle(b"404", free)


async def test_ever_new_bodies_take_a_check_each_but_bounded_memory() -> None:
    memory, check = IdleMemory(), Check(True)
    check.can_end.set()
    for number in range(1000):
        assert await memory.is_idle(b"request %d" % number, check)
    assert (check.count, len(memory._bodies)) == (1000, 64)


async def test_a_body_in_use_is_kept() -> None:
    memory, check = IdleMemory(), Check(True)
    check.can_end.set()
    for number in range(100):
        await memory.is_idle(b"idle", check)
        await memory.is_idle(b"request %d" % number, check)
    assert (check.count, memory.answered) == (101, 99)
