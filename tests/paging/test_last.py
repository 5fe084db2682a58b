"""The newest backup, read from the page of `rel="last"`, however long the list is."""

import pytest

from backupify_async import NotFound, PaginationError, UnsafeLink
from backupify_async.testing import SimulatedBackupify
from tests.support.clients import asked, client_of
from tests.support.pages import Page, Pages, backups, collected

LAST = "</list?page=9>; rel=last, </list?page=2>; rel=next"


async def newest(pages: Pages) -> int | str | None:
    found = await pages.paginator().last()
    return None if found is None else found.id


class TestOverASocket:
    @pytest.mark.parametrize(
        ("backups", "calls"), [(0, 1), (1, 1), (20, 1), (21, 2), (45, 2), (400, 2)], ids=str
    )
    async def test_the_newest_takes_two_requests_or_one_for_a_single_page(
        self, backups: int, calls: int
    ) -> None:
        async with SimulatedBackupify(instances=1, backups=backups) as server, client_of(server) as client:
            every = await client.backups.list(1, per_page=100).collect()
            listed = len(asked(server))
            assert await client.backups.latest(1) == (every[-1] if every else None)
            assert len(asked(server)) - listed == calls

    async def test_a_missing_instance_is_an_error(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            with pytest.raises(NotFound):
                await client.backups.latest(999)


class TestAListThatChanges:
    async def test_a_list_that_grew_is_read_to_its_end(self) -> None:
        pages = Pages(
            {
                "/list": (backups(1, 2), LAST),
                "/list?page=9": (backups(17, 18), "</list?page=10>; rel=next"),
                "/list?page=10": (backups(19), None),
            }
        )
        assert (await newest(pages), len(pages.asked)) == (19, 3)

    async def test_an_empty_page_after_the_last_one_is_skipped(self) -> None:
        pages = Pages(
            {
                "/list": (backups(1, 2), LAST),
                "/list?page=9": (backups(17), "</list?page=10>; rel=next"),
                "/list?page=10": ([], "</list?page=9>; rel=prev"),
            }
        )
        assert await newest(pages) == 17

    async def test_an_empty_last_page_is_followed_backwards(self) -> None:
        pages = Pages(
            {
                "/list": (backups(1, 2), LAST),
                "/list?page=9": ([], "</list?page=8>; rel=prev"),
                "/list?page=8": ([], "</list?page=7>; rel=prev"),
                "/list?page=7": (backups(13, 14), "</list?page=6>; rel=prev"),
            }
        )
        assert await newest(pages) == 14
        assert pages.asked == ["/list", "/list?page=9", "/list?page=8", "/list?page=7"]

    async def test_a_list_that_was_emptied_has_no_newest(self) -> None:
        pages = Pages({"/list": ([], LAST), "/list?page=9": ([], "</list?page=1>; rel=prev")})
        assert await newest(pages) is None

    async def test_going_back_to_the_first_page_returns_its_item(self) -> None:
        pages = Pages({"/list": (backups(1), LAST), "/list?page=9": ([], "</list?page=8>; rel=prev")})
        assert await newest(pages) == 1

    async def test_going_back_closes_its_generators(self) -> None:
        pages = Pages(
            {
                "/list": (backups(1, 2), LAST),
                "/list?page=9": ([], "</list?page=8>; rel=prev"),
                "/list?page=8": (backups(15), "</list?page=7>; rel=prev"),
            }
        )
        with collected() as unclosed:
            assert await newest(pages) == 15
        assert unclosed == []

    async def test_an_empty_last_page_without_links_does_not_make_an_old_backup_the_newest(self) -> None:
        pages = Pages(
            {
                "/list": (backups(1, 2), LAST),
                "/list?page=2": (backups(3, 4), None),
                "/list?page=9": ([], None),
            }
        )
        assert await newest(pages) == 4


class TestALastPageThatDisappears:
    async def test_the_link_to_the_last_page_is_requested_again(self) -> None:
        pages = Pages(
            {"/list": (backups(1, 2), LAST), "/list?page=9": (backups(17), "</list?page=8>; rel=prev")}
        )
        pages.missing_once = ["/list?page=9"]
        assert await newest(pages) == 17
        assert pages.asked == ["/list", "/list?page=9"] * 2

    async def test_a_last_page_that_stays_missing_is_skipped(self) -> None:
        pages = Pages({"/list": (backups(1, 2), LAST), "/list?page=2": (backups(3), "</list>; rel=prev")})
        pages.missing_once = ["/list?page=9"] * 2
        assert await newest(pages) == 3

    async def test_pages_that_keep_disappearing_are_an_error(self) -> None:
        pages = Pages({"/list": (backups(1, 2), LAST)})
        pages.missing_once = ["/list?page=9", "/list?page=9", "/list?page=2"]
        with pytest.raises(PaginationError, match="pages of the list disappeared while it was read"):
            await newest(pages)

    async def test_a_missing_instance_is_not_a_pagination_error(self) -> None:
        pages = Pages({})
        pages.missing_once = ["/list"]
        with pytest.raises(NotFound):
            await newest(pages)


class TestUnusualServers:
    async def test_only_some_of_many_empty_last_pages_are_read(self) -> None:
        empty: dict[str, Page] = {
            f"/list?page={at}": ([], f"</list?page={at - 1}>; rel=prev") for at in range(3, 10)
        }
        pages = Pages({"/list": (backups(1), LAST), "/list?page=2": (backups(2), None), **empty})
        assert await newest(pages) == 2

    async def test_a_page_that_links_to_itself_as_last_is_the_whole_list(self) -> None:
        itself = "</list?page=1>; rel=first, </list?page=1>; rel=last"
        pages = Pages({"/list": (backups(1, 2), itself), "/list?page=1": (backups(1, 2), itself)})
        assert await newest(pages) == 2

    async def test_without_a_last_link_the_whole_list_is_read(self) -> None:
        pages = Pages(
            {
                "/list": (backups(1), "</list?page=2>; rel=next"),
                "/list?page=2": (backups(2), "</list?page=3>; rel=next"),
                "/list?page=3": (backups(3), None),
            }
        )
        assert (await newest(pages), len(pages.asked)) == (3, 3)

    async def test_a_last_link_to_the_same_page_is_not_a_loop(self) -> None:
        pages = Pages({"/list": (backups(1, 2), "</list>; rel=last")})
        assert await newest(pages) == 2

    async def test_a_loop_after_the_last_page_is_an_error(self) -> None:
        pages = Pages({"/list": (backups(1), LAST), "/list?page=9": (backups(9), "</list?page=9>; rel=next")})
        with pytest.raises(PaginationError, match="page=9 comes again"):
            await newest(pages)

    async def test_a_loop_of_empty_pages_is_an_error(self) -> None:
        pages = Pages({"/list": (backups(1), LAST), "/list?page=9": ([], "</list?page=9>; rel=prev")})
        with pytest.raises(PaginationError, match="comes again"):
            await newest(pages)

    async def test_a_last_link_to_another_origin_is_not_followed(self) -> None:
        pages = Pages({"/list": (backups(1), "<https://elsewhere.example/>; rel=last")})
        with pytest.raises(UnsafeLink):
            await newest(pages)

    async def test_an_unsafe_link_that_is_not_needed_is_ignored(self) -> None:
        pages = Pages(
            {
                "/list": (backups(1), LAST),
                "/list?page=9": (backups(9), "<https://elsewhere.example/>; rel=prev"),
            }
        )
        assert await newest(pages) == 9

    async def test_an_unreadable_header_is_an_error(self) -> None:
        with pytest.raises(PaginationError, match="cannot be read"):
            await newest(Pages({"/list": (backups(1), "page=9; rel=last")}))

    async def test_an_unreadable_header_of_an_empty_last_page_is_an_error(self) -> None:
        pages = Pages({"/list": (backups(1), LAST), "/list?page=9": ([], "page=8; rel=prev")})
        with pytest.raises(PaginationError, match="cannot be read"):
            await newest(pages)
