"""Where a list ends: repeated and empty pages, and missing Link headers."""

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from backupify_async import PaginationError
from tests.paging.reading import read, read_backwards
from tests.support.clients import client_of
from tests.support.pages import Page as PageOf
from tests.support.pages import Pages, backups, numbers, three_pages
from tests.support.raw_servers import http, raw_server


class TestLoops:
    @pytest.mark.parametrize("back_to", ["/list", "/list?page=2", "/list?page=3"])
    async def test_a_repeated_page_is_an_error_that_names_it(self, back_to: str) -> None:
        pages = three_pages()
        pages.pages["/list?page=3"] = (backups(5), f"<{back_to}>; rel=next")
        found, error = await read(pages)
        assert (found, len(pages.asked)) == ([1, 2, 3, 4, 5], 3)
        assert f"https://api.example{back_to} comes again" in str(error)

    async def test_an_empty_page_with_a_next_link_is_followed(self) -> None:
        pages = three_pages()
        pages.pages["/list?page=2"] = ([], "</list?page=3>; rel=next")
        assert await read(pages) == ([1, 2, 5], None)


class TestRepeatedPages:
    """A page is also recognized as repeated by its items, whatever its number."""

    @staticmethod
    def endless(body: Callable[[int], object]) -> Pages:
        pages: dict[str, PageOf] = {"/list": (body(1), "</list?page=2>; rel=next")}
        return Pages(
            pages
            | {f"/list?page={at}": (body(at), f"</list?page={at + 1}>; rel=next") for at in range(2, 99)}
        )

    async def test_the_same_page_with_a_new_number_is_an_error(self) -> None:
        pages = self.endless(lambda _: backups(1, 2, 3))
        found, error = await read(pages)
        assert (found, len(pages.asked)) == ([1, 2, 3], 2)
        assert "the list does not go on: the items of https://api.example/list?page=2 were" in str(error)

    async def test_pages_that_repeat_later_are_an_error(self) -> None:
        pages = self.endless(lambda at: backups(at % 3, at % 3 + 10))
        found, error = await read(pages)
        assert (found, len(pages.asked)) == ([1, 11, 2, 12, 0, 10], 4)
        assert isinstance(error, PaginationError)

    async def test_endless_empty_pages_are_an_error(self) -> None:
        pages = self.endless(lambda at: backups(at) if at <= 3 else [])
        found, error = await read(pages)
        assert (found, len(pages.asked)) == ([1, 2, 3], 8)
        assert "5 pages in a row are empty" in str(error)

    @pytest.mark.parametrize("prefetch", [1, 4, 50])
    async def test_prefetched_pages_end_in_the_same_way(self, prefetch: int) -> None:
        async with TestRepeatedPages.server() as url, client_of(url) as client:
            with pytest.raises(PaginationError, match="does not go on"):
                await client.backups.list(1, prefetch=prefetch).collect()

    @staticmethod
    def server() -> AbstractAsyncContextManager[str]:
        async def respond(request: bytes, writer: asyncio.StreamWriter) -> None:
            asked_for = re.search(rb"page=(\d+)", request)
            page = int(asked_for[1]) if asked_for else 1
            link = f"Link: <?page={page + 1}>; rel=next, <?page=99>; rel=last"
            writer.write(http(200, b'[{"id":1},{"id":2}]', link))

        return raw_server(respond)

    @pytest.mark.parametrize("newest", [lambda pages: pages.last(), lambda pages: pages.newest(1)])
    async def test_the_search_for_the_newest_ends(self, newest: Callable[[Any], Any]) -> None:
        for pages in (self.endless(lambda _: backups(1)), self.endless(lambda _: [])):
            with pytest.raises(PaginationError):
                await newest(pages.paginator())
            assert len(pages.asked) <= 6

    async def test_items_that_move_to_the_next_page_are_not_a_repetition(self) -> None:
        pages = three_pages()
        pages.pages["/list?page=2"] = (backups(2, 3), "</list?page=3>; rel=next")
        pages.pages["/list?page=3"] = (backups(3), None)
        assert await read(pages) == ([1, 2, 2, 3, 3], None)

    async def test_a_few_empty_pages_in_a_row_are_accepted(self) -> None:
        pages = self.endless(lambda at: [] if 1 < at < 6 else backups(at))
        pages.pages["/list?page=7"] = (backups(7), None)
        assert await read(pages) == ([1, 6, 7], None)


class TestAMissingLinkHeader:
    @pytest.mark.parametrize("links", [{}, {"Link": "</help>; rel=help"}, {"Link": " , "}])
    async def test_a_missing_header_with_a_larger_total_is_an_error(self, links: dict[str, str]) -> None:
        found, error = await read(Pages({"/list": (backups(1, 2), {"Total": "65", **links})}))
        assert found == [1, 2]
        assert "links to no further page, but only 2 of 65 items" in str(error)

    async def test_a_header_missing_in_the_middle_of_the_list_is_an_error(self) -> None:
        pages = three_pages()
        pages.pages["/list?page=2"] = (backups(3, 4), {"Total": "5"})
        found, error = await read(pages)
        assert (found, type(error)) == ([1, 2, 3, 4], PaginationError)

    async def test_a_missing_header_is_an_error_for_the_newest_too(self) -> None:
        paginator = Pages({"/list": (backups(1, 2), {"Total": "65"})}).paginator()
        for newest in (paginator.last, lambda: paginator.newest(1)):
            with pytest.raises(PaginationError, match="2 of 65 items"):
                await newest()

    async def test_a_page_without_links_is_not_the_first_page(self) -> None:
        pages = Pages(
            {
                "/list": (backups(1), "</list?page=3>; rel=last, </list?page=2>; rel=next"),
                "/list?page=3": (backups(3), "</list?page=2>; rel=prev, </list>; rel=first"),
                "/list?page=2": (backups(2), None),
            }
        )
        found, error = await read_backwards(pages)
        assert found == [3, 2]
        assert "links to no page before it, and is not known to be the first" in str(error)

    @pytest.mark.parametrize("total", ["2", "1", "0", "many"])
    async def test_a_missing_header_ends_a_list_that_is_complete_by_its_total(self, total: str) -> None:
        assert await read(Pages({"/list": (backups(1, 2), {"Total": total})})) == ([1, 2], None)

    async def test_the_total_is_ignored_on_a_page_with_links(self) -> None:
        # The total is from before some items were deleted; the links show where the list ends.
        pages = three_pages()
        pages.pages["/list?page=3"] = (backups(5), {"Link": "</list?page=2>; rel=prev", "Total": "9"})
        assert await read(pages) == ([1, 2, 3, 4, 5], None)

    async def test_a_missing_header_after_the_limit_is_ignored(self) -> None:
        pages = Pages({"/list": (backups(1, 2), {"Total": "65"})})
        assert numbers(await pages.paginator().collect(2)) == [1, 2]
