"""Lists read from their end: `newest` and `pages_backwards`."""

from typing import Any

import pytest

from backupify_async import PaginationError
from backupify_async.testing import SimulatedBackupify
from tests.paging.reading import read_backwards
from tests.support.clients import asked, client_of
from tests.support.pages import Page as PageOf
from tests.support.pages import Pages, backups, collected, numbers, three_pages


class TestNewest:
    @pytest.mark.backupify(instances=1, backups=45)
    @pytest.mark.parametrize(
        ("count", "calls"), [(0, 0), (1, 2), (5, 2), (6, 3), (25, 3), (26, 4), (45, 4), (99, 4)]
    )
    async def test_the_newest_is_first_and_only_needed_pages_are_requested(
        self, backupify: SimulatedBackupify, count: int, calls: int
    ) -> None:
        async with client_of(backupify) as client:
            every = numbers(await client.backups.list(1, per_page=100).collect())
            before = len(asked(backupify))
            newest = await client.backups.list(1).newest(count)
        assert numbers(newest) == every[::-1][:count]
        assert len(asked(backupify)) - before == calls

    @pytest.mark.backupify(instances=1, backups=3)
    async def test_the_newest_of_one_page_takes_one_request(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            assert len(await client.backups.list(1).newest(5)) == 3
        assert len(asked(backupify)) == 1

    async def test_the_newest_of_an_empty_list_is_empty(self) -> None:
        assert await Pages({}).paginator().newest(5) == []

    async def test_an_item_that_moves_between_pages_is_returned_once(self) -> None:
        pages = Pages(
            {
                "/list": (backups(1, 2), "</list?page=2>; rel=last, </list?page=2>; rel=next"),
                "/list?page=2": (backups(3, 4), "</list?page=1>; rel=prev"),
                "/list?page=1": (backups(2, 3), "</list?page=2>; rel=next"),
            }
        )
        assert numbers(await pages.paginator().newest(9)) == [4, 3, 2]

    async def test_a_list_without_prev_links_is_read_from_the_beginning(self) -> None:
        assert numbers(await three_pages().paginator().newest(4)) == [5, 4, 3, 2]

    @pytest.mark.parametrize("count", [-1, 1.5, True, "5", None])
    async def test_an_invalid_count_is_refused(self, count: Any) -> None:
        with pytest.raises(ValueError, match="count"):
            await Pages({}).paginator().newest(count)

    async def test_newest_leaves_no_generator_open(self) -> None:
        with collected() as unclosed:
            await three_pages().paginator().newest(1)
        assert unclosed == []


class TestBackwards:
    @staticmethod
    async def ids(pages: Pages) -> list[list[int | str]]:
        return [numbers(page.items) async for page in pages.paginator().pages_backwards()]

    @pytest.mark.backupify(instances=1, backups=45)
    async def test_pages_are_read_from_the_last_to_the_first(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            pages = [page async for page in client.backups.list(1).pages_backwards()]
            every = await client.backups.list(1).collect()
        assert [len(page.items) for page in pages] == [5, 20, 20]
        assert [one for page in reversed(pages) for one in page.items] == every

    async def test_a_single_page_is_the_whole_list(self) -> None:
        assert await self.ids(Pages({"/list": (backups(1, 2), None)})) == [[1, 2]]

    async def test_a_list_that_grew_is_read_from_its_new_end(self) -> None:
        pages = Pages(
            {
                "/list": (backups(1), "</list?page=2>; rel=last"),
                "/list?page=2": (backups(2), "</list>; rel=prev, </list?page=3>; rel=next"),
                "/list?page=3": (backups(3), "</list?page=2>; rel=prev"),
            }
        )
        assert await self.ids(pages) == [[3], [2], [1]]

    async def test_an_end_without_a_prev_link_is_found_from_the_beginning(self) -> None:
        pages = Pages(
            {
                "/list": (backups(1), "</list?page=3>; rel=last, </list?page=2>; rel=next"),
                "/list?page=2": (backups(2), "</list?page=3>; rel=next"),
                "/list?page=3": (backups(3), None),
            }
        )
        assert await self.ids(pages) == [[3], [2], [1]]

    async def test_an_empty_end_of_a_list_by_cursor_is_found_from_the_beginning(self) -> None:
        pages = Pages({"/list": (backups(1), "</list?cursor=a>; rel=next"), "/list?cursor=a": ([], None)})
        assert await self.ids(pages) == [[], [1]]

    @pytest.mark.parametrize("items", [(), (1,), (1, 2)])
    async def test_a_page_that_links_to_itself_as_last_is_the_whole_list(
        self, items: tuple[int, ...]
    ) -> None:
        itself = "</list?page=1>; rel=first, </list?page=1>; rel=last"
        pages = Pages({"/list": (backups(*items), itself), "/list?page=1": (backups(*items), itself)})
        assert await self.ids(pages) == [list(items)]

    async def test_an_end_that_cannot_be_reached_from_the_beginning_is_an_error(self) -> None:
        pages = Pages({"/list": (backups(1), "</list?page=2>; rel=last"), "/list?page=2": (backups(9), None)})
        with pytest.raises(PaginationError, match="links to no page before it"):
            await self.ids(pages)

    async def test_a_long_list_without_prev_links_is_an_error_after_the_pages_in_memory(self) -> None:
        links = {at: f"</list?page={at + 1}>; rel=next" for at in range(1, 20)}
        pages: dict[str, PageOf] = {f"/list?page={at}": (backups(at), links[at]) for at in range(2, 20)}
        pages |= {"/list": (backups(1), links[1]), "/list?page=20": (backups(20), None)}
        found, error = await read_backwards(Pages(pages))
        assert found == [*range(20, 12, -1), *range(12, 4, -1)]
        assert "links to no page before it" in str(error)

    async def test_closing_the_paginator_leaves_no_generator_open(self) -> None:
        paginator = three_pages().paginator()
        with collected() as unclosed:
            pages = paginator.pages_backwards()
            await anext(pages)
            await paginator.aclose()
        assert unclosed == []
