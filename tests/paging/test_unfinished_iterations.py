"""Iterations that end before their list: no task and no open generator remains."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from backupify_async import Backup, Page
from tests.support.pages import collected, numbers, three_pages


class TestLeavingEarly:
    @pytest.mark.parametrize("iterate", [aiter, lambda pages: pages.pages()])
    async def test_aclose_ends_each_unfinished_iteration(
        self, iterate: Callable[[Any], AsyncGenerator[Any]]
    ) -> None:
        paginator = three_pages().paginator()
        with collected() as unclosed:
            begun = [iterate(paginator), iterate(paginator), iterate(paginator)]
            await anext(begun[0])
            await anext(begun[1])
            await paginator.aclose()
            for iteration in begun:
                with pytest.raises(StopAsyncIteration):
                    await anext(iteration)
        assert unclosed == []

    async def test_a_closed_paginator_starts_again_at_the_beginning(self) -> None:
        paginator = three_pages().paginator()
        await anext(aiter(paginator))
        await paginator.aclose()
        assert numbers(await paginator.collect()) == [1, 2, 3, 4, 5]

    async def test_collecting_a_part_leaves_no_generator_open(self) -> None:
        with collected() as unclosed:
            await three_pages().paginator().collect(1)
        assert unclosed == []

    async def test_breaking_out_leaves_no_task(self) -> None:
        before = asyncio.all_tasks()
        async for _ in three_pages().paginator():
            break
        await asyncio.sleep(0)
        await asyncio.wait_for(_ended(before), 10)
        assert asyncio.all_tasks() == before

    async def test_a_cancellation_during_a_request_leaves_no_generator_open(self) -> None:
        pages = three_pages()
        pages.held_back = asyncio.Event()
        with collected() as unclosed:
            waiting = asyncio.create_task(pages.paginator().collect())
            await pages.arrived.wait()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert unclosed == []

    async def test_aclose_ends_idle_iterations_but_not_one_that_waits_for_a_page(self) -> None:
        pages = three_pages()
        paginator = pages.paginator()
        idle = aiter(paginator)
        await anext(idle)
        pages.held_back, pages.arrived = asyncio.Event(), asyncio.Event()
        collecting = asyncio.create_task(paginator.collect())
        reading = asyncio.create_task(_next(paginator.pages()))
        await pages.arrived.wait()
        await paginator.aclose()
        assert [item async for item in idle] == []
        pages.held_back.set()
        assert (len(await collecting), (await reading).number) == (5, 1)


async def _next(pages: AsyncGenerator[Page[Backup]]) -> Page[Backup]:
    return await anext(pages)


async def _ended(before: set[Any]) -> None:
    while others := asyncio.all_tasks() - before - {asyncio.current_task()}:
        await asyncio.wait(others)
