"""Lists, page by page: over the simulated server, and over answers that it would not give."""

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from backupify_async import (
    Backup,
    BackupifyError,
    DecodeError,
    Page,
    PaginationError,
    Paginator,
    StaticToken,
    UnsafeLink,
)
from backupify_async._codec.decode import decode_items
from backupify_async._transport.request import Request
from backupify_async.testing import SimulatedBackupify
from tests.support.clients import TOKEN, asked, client_of
from tests.support.pages import Page as PageOf
from tests.support.pages import Pages, backups, collected, numbers, three_pages
from tests.support.raw_servers import ScriptedServer, http, raw_server


async def read(pages: Pages) -> tuple[list[int | str], BaseException | None]:
    """The ids that were handed out before the end, and the error that it ended with."""
    found: list[int | str] = []
    try:
        async for backup in pages.paginator():
            found += [backup.id]
    except BackupifyError as error:
        return found, error
    return found, None


async def read_backwards(pages: Pages) -> tuple[list[int | str], BaseException | None]:
    """As `read`, page by page from the list's end."""
    found: list[int | str] = []
    try:
        async for page in pages.paginator().pages_backwards():
            found += numbers(page.items)
    except BackupifyError as error:
        return found, error
    return found, None


@pytest.mark.backupify(instances=2, backups=45)
class TestOverASocket:
    async def test_items_come_in_order_over_all_pages(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            found = [backup.id async for backup in client.backups.list(1)]
        assert found == sorted(found, key=int)
        assert (len(set(found)), len(asked(backupify))) == (45, 3)

    async def test_pages_have_number_total_and_absolute_links(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            pages = [page async for page in client.backups.list(1).pages()]
        assert [(page.number, page.total, len(page.items)) for page in pages] == [
            (1, 45, 20),
            (2, 45, 20),
            (3, 45, 5),
        ]
        url = f"{backupify.base_url}/v1/backup_instances/1/backups?page="
        assert pages[0].links == {"last": url + "3", "next": url + "2"}
        assert pages[2].links == {"first": url + "1", "prev": url + "2"}

    @pytest.mark.parametrize(
        ("limit", "found", "pages"),
        [(0, 0, 0), (1, 1, 1), (20, 20, 1), (21, 21, 2), (45, 45, 3), (99, 45, 3), (None, 45, 3)],
    )
    async def test_collect_fetches_no_needless_page(
        self, backupify: SimulatedBackupify, limit: int | None, found: int, pages: int
    ) -> None:
        async with client_of(backupify) as client:
            assert len(await client.backups.list(1).collect(limit)) == found
        assert len(asked(backupify)) == pages

    async def test_each_iteration_starts_at_the_beginning(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            paginator = client.backups.list(1)
            assert await paginator.collect() == await paginator.collect()
        assert len(asked(backupify)) == 6

    async def test_per_page_is_sent_only_when_given(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            await client.backups.list(1).collect(1)
            await client.backups.list(1, per_page=30).collect()
        assert [dict(request.query) for request in asked(backupify)] == [
            {},
            {"per_page": "30"},
            {"page": "2", "per_page": "30"},
        ]

    async def test_a_list_that_fits_a_page_ends_without_a_link(self, backupify: SimulatedBackupify) -> None:
        instance = backupify.add_instance(backups=20)
        async with client_of(backupify) as client:
            pages = [page async for page in client.backups.list(instance).pages()]
        assert [(len(page.items), page.links) for page in pages] == [(20, {})]

    @pytest.mark.backupify(envelope="backups")
    async def test_a_list_in_an_envelope_is_read_completely(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            assert len(await client.backups.list(1).collect()) == 45

    async def test_no_request_is_sent_before_the_first_item_is_needed(
        self, backupify: SimulatedBackupify
    ) -> None:
        async with client_of(backupify) as client:
            client.backups.list(1).pages()
        assert asked(backupify) == []


class TestLinks:
    @pytest.mark.parametrize(
        "query",
        [
            "cursor=a%2Fb%2Bc%3D%3D",
            "page[number]=2",
            "page%5Bnumber%5D=2",
            "after=1,2;3&x=a+b",
            "q=%C3%A9&broken=%zz",
        ],
    )
    async def test_links_are_sent_back_as_received(self, query: str) -> None:
        server = ScriptedServer(
            http(200, b'[{"id":1}]', f"Link: </list/a%2Fb?{query}>; rel=next"), http(200, b"[]")
        )
        async with raw_server(server) as url, client_of(url) as client:
            await client.backups.list(1).collect()
        assert server.request_lines[1] == f"GET /list/a%2Fb?{query}"

    @pytest.mark.parametrize(("came", "goes"), [('a"b c|d', "a%22b%20c%7Cd"), ("é", "%C3%A9")])
    async def test_only_invalid_characters_are_quoted(self, came: str, goes: str) -> None:
        pages = Pages({"/list": (backups(1), f"</list?q={came}>; rel=next")})
        assert await read(pages) == ([1], None)
        assert pages.asked[1] == f"/list?q={goes}"

    @pytest.mark.parametrize(
        "link", ["?page=2", "list?page=2", "./list?page=2", "/list?page=2", "//api.example/list?page=2"]
    )
    async def test_relative_links_are_resolved_against_their_page(self, link: str) -> None:
        pages = three_pages()
        pages.pages["/list"] = (backups(1, 2), f"<{link}>; rel=next")
        assert await read(pages) == ([1, 2, 3, 4, 5], None)

    async def test_a_link_without_a_path_is_the_root(self) -> None:
        pages = Pages({"/list": (backups(1), "<https://api.example>; rel=next")})
        assert await read(pages) == ([1], None)
        assert pages.asked == ["/list", "/"]

    async def test_a_path_prefix_in_the_base_url_is_not_doubled(self) -> None:
        pages = three_pages(prefix="/gateway/backupify")
        assert await read(pages) == ([1, 2, 3, 4, 5], None)
        assert pages.asked[1] == "/gateway/backupify/list?page=2"

    async def test_an_http_link_to_the_same_host_stays_on_https_and_the_same_port(self) -> None:
        pages = Pages({"/list": (backups(1), "<http://api.example:8080/list?page=2>; rel=next")})
        pages.base_url = pages.base_url.with_port(8443)
        assert await read(pages) == ([1], None)
        assert pages.asked == ["/list", "/list?page=2"]

    @pytest.mark.parametrize(
        ("base_url", "link"),
        [
            ("https://api.example:443", "https://API.example/list?page=2"),
            ("http://[::1]:80", "http://[::1]/list?page=2"),
            ("https://bücher.example", "https://xn--bcher-kva.example/list?page=2"),
        ],
    )
    async def test_another_spelling_of_the_origin_is_followed(self, base_url: str, link: str) -> None:
        pages = Pages({"/list": (backups(1), f"<{link}>; rel=next")}, base_url)
        assert await read(pages) == ([1], None)
        assert len(pages.asked) == 2

    @pytest.mark.parametrize(
        "link",
        [
            "https://elsewhere.example/list?page=2",
            "https://api.example:8443/list?page=2",
            "https://api.example.elsewhere.example/list",
            "https://api.example@elsewhere.example/list",
            "//elsewhere.example/list",
            "ftp://api.example/list",
            "javascript:alert(1)",
        ],
    )
    async def test_another_origin_is_not_followed(self, link: str) -> None:
        pages = Pages({"/list": (backups(1, 2), f"<{link}>; rel=next")})
        found, error = await read(pages)
        assert (found, type(error), pages.asked) == ([1, 2], UnsafeLink, ["/list"])

    async def test_https_is_another_origin_for_http(self) -> None:
        pages = Pages({"/list": (backups(1), "<https://api.example/list?page=2>; rel=next")})
        pages.base_url = pages.base_url.with_scheme("http")
        found, error = await read(pages)
        assert (found, type(error)) == ([1], UnsafeLink)

    @pytest.mark.parametrize("link", ["https://[::1/list", "https://api.example:port/", "http://h:99999/"])
    async def test_an_invalid_url_is_an_error_after_the_items(self, link: str) -> None:
        found, error = await read(Pages({"/list": (backups(1), f"<{link}>; rel=next")}))
        assert found == [1]
        assert "is not a URL" in str(error)

    @pytest.mark.parametrize("link", ["https://api.example/list?page=2; rel=next", '<a; rel="next'])
    async def test_an_unreadable_header_does_not_end_the_list_silently(self, link: str) -> None:
        found, error = await read(Pages({"/list": (backups(1), link)}))
        assert found == [1]
        assert "https://api.example/list cannot be read" in str(error)

    async def test_a_next_link_beside_invalid_parts_is_followed(self) -> None:
        pages = three_pages()
        pages.pages["/list"] = (backups(1, 2), "nonsense, </list?page=2>; rel=next, https://[")
        assert (await read(pages))[0] == [1, 2, 3, 4, 5]

    async def test_invalid_urls_are_not_in_the_links_of_a_page(self) -> None:
        pages = Pages({"/list": (backups(1), "<https://[>; rel=first, <?page=9>; rel=last")})
        (page,) = [page async for page in pages.paginator().pages()]
        assert page.links == {"last": "https://api.example/list?page=9"}


class TestALinkHeaderWithoutAKnownRelation:
    @pytest.mark.parametrize(
        "link",
        [
            "</list?page=2>",
            "</list?page=2>; rel",
            '</list?page=2>; rel=""',
            '</list?page=2>; title="next"',
            '</list?page=2>; rev="prev"',
            "</list?page=2>; rel=weiter",
            "</list?page=2>; rel=next_page",
            "</list?page=2>; rel=\N{LEFT DOUBLE QUOTATION MARK}next\N{RIGHT DOUBLE QUOTATION MARK}",
            "</list?page=2>; rel=&quot;next&quot;",
            "</list?page=2>; rel='next",
            '</list?page=2>; rel="https://api.example/rels#next"',
            '</list?page=2>; rel=next; anchor="#elsewhere"',
        ],
    )
    async def test_an_unknown_relation_does_not_end_the_list_silently(self, link: str) -> None:
        found, error = await read(Pages({"/list": (backups(1, 2), link)}))
        assert (found, type(error)) == ([1, 2], PaginationError)

    @pytest.mark.parametrize("link", ["", " , ", "</help>; rel=help", '</list>; rel="self canonical"'])
    async def test_known_other_relations_end_the_list(self, link: str) -> None:
        assert await read(Pages({"/list": (backups(1, 2), link)})) == ([1, 2], None)

    async def test_the_list_ends_when_all_counted_items_were_received(self) -> None:
        pages = three_pages()
        pages.pages["/list?page=3"] = (backups(5), {"Link": "</all>; rel=all-of-them", "Total": "5"})
        assert await read(pages) == ([1, 2, 3, 4, 5], None)

    async def test_a_relation_in_apostrophes_is_followed(self) -> None:
        pages = three_pages()
        pages.pages["/list"] = (backups(1, 2), "</list?page=2>; rel='next'")
        assert await read(pages) == ([1, 2, 3, 4, 5], None)


class TestATokenInALink:
    @pytest.mark.parametrize("link", ["?access_token={}", "/{}/list", "?q=x{}y"])
    async def test_a_link_with_the_token_is_not_followed_and_not_shown(self, link: str) -> None:
        server = ScriptedServer(http(200, b'[{"id":1}]', f"Link: <{link.format(TOKEN)}>; rel=next"))
        async with raw_server(server) as url, client_of(url) as client:
            with pytest.raises(UnsafeLink, match="holds the token") as raised:
                await client.backups.list(1).collect()
        assert TOKEN not in str(raised.value)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("token", ["t", "backups", "127.0.0.1"])
    async def test_a_short_token_is_not_searched_in_links(self, token: str) -> None:
        server = ScriptedServer(
            http(200, b'[{"id":1}]', "Link: </v1/backup_instances/1/backups?page=2>; rel=next"),
            http(200, b'[{"id":2}]', "Link: <http://127.0.0.1/first>; rel=first"),
        )
        async with raw_server(server) as url, client_of(url, credentials=StaticToken(token)) as client:
            assert numbers(await client.backups.list(1).collect()) == [1, 2]


class TestLoops:
    @pytest.mark.parametrize("back_to", ["/list", "/list?page=2", "/list?page=3"])
    async def test_a_page_that_repeats_is_named(self, back_to: str) -> None:
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
    """A list ends by what is on its pages too, whatever number they have."""

    @staticmethod
    def endless(body: Callable[[int], object]) -> Pages:
        pages: dict[str, PageOf] = {"/list": (body(1), "</list?page=2>; rel=next")}
        return Pages(
            pages
            | {f"/list?page={at}": (body(at), f"</list?page={at + 1}>; rel=next") for at in range(2, 99)}
        )

    async def test_the_same_page_under_a_new_number_is_an_error(self) -> None:
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
        async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
            asked_for = re.search(rb"page=(\d+)", request)
            page = int(asked_for[1]) if asked_for else 1
            link = f"Link: <?page={page + 1}>; rel=next, <?page=99>; rel=last"
            writer.write(http(200, b'[{"id":1},{"id":2}]', link))

        return raw_server(answer)

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

    async def test_a_header_missing_in_the_middle_is_an_error(self) -> None:
        pages = three_pages()
        pages.pages["/list?page=2"] = (backups(3, 4), {"Total": "5"})
        found, error = await read(pages)
        assert (found, type(error)) == ([1, 2, 3, 4], PaginationError)

    async def test_a_missing_header_leaves_the_newest_unknown(self) -> None:
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
    async def test_a_missing_header_ends_a_complete_list(self, total: str) -> None:
        assert await read(Pages({"/list": (backups(1, 2), {"Total": total})})) == ([1, 2], None)

    async def test_the_total_is_ignored_on_a_page_with_links(self) -> None:
        # Some were deleted while the list was read, and the count is of before: the links say where it ends.
        pages = three_pages()
        pages.pages["/list?page=3"] = (backups(5), {"Link": "</list?page=2>; rel=prev", "Total": "9"})
        assert await read(pages) == ([1, 2, 3, 4, 5], None)

    async def test_a_missing_header_after_the_limit_is_ignored(self) -> None:
        pages = Pages({"/list": (backups(1, 2), {"Total": "65"})})
        assert numbers(await pages.paginator().collect(2)) == [1, 2]


class TestNewest:
    @pytest.mark.backupify(instances=1, backups=45)
    @pytest.mark.parametrize(
        ("count", "calls"), [(0, 0), (1, 2), (5, 2), (6, 3), (25, 3), (26, 4), (45, 4), (99, 4)]
    )
    async def test_the_newest_is_first_and_no_needless_page_is_fetched(
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
    async def test_an_invalid_count_is_named(self, count: Any) -> None:
        with pytest.raises(ValueError, match="count"):
            await Pages({}).paginator().newest(count)

    async def test_newest_leaves_no_generator(self) -> None:
        with collected() as left:
            await three_pages().paginator().newest(1)
        assert left == []


class TestTotal:
    @pytest.mark.parametrize("text", ["", "many", "-1", "1.5", "٣"])
    async def test_a_total_that_is_not_a_number_is_none(self, text: str) -> None:
        server = ScriptedServer(http(200, b"[]", f"Total: {text}"))
        async with raw_server(server) as url, client_of(url) as client:
            assert [page.total async for page in client.backups.list(1).pages()] == [None]

    async def test_a_total_of_thousands_of_digits_is_none(self) -> None:
        server = ScriptedServer(http(200, b"[]", f"Total: {'9' * 5000}"))
        async with raw_server(server) as url, client_of(url) as client:
            assert [page.total async for page in client.backups.list(1).pages()] == [None]


class TestArguments:
    @pytest.mark.parametrize("limit", [-1, 1.5, True, "1", float("nan")])
    async def test_an_invalid_limit_is_named(self, limit: Any) -> None:
        pages = three_pages()
        with pytest.raises(ValueError, match="limit"):
            await pages.paginator().collect(limit)
        assert pages.asked == []

    @pytest.mark.parametrize("per_page", [0, -1, 1.5, True, "20"])
    def test_an_invalid_per_page_is_named(self, per_page: Any) -> None:
        with pytest.raises(ValueError, match="per_page"):
            three_pages().paginator(per_page)


class TestErrors:
    async def test_an_unreadable_page_is_raised_after_the_items_before_it(self) -> None:
        pages = three_pages()
        pages.pages["/list?page=2"] = (b"<html>", None)
        found, error = await read(pages)
        assert (found, type(error)) == ([1, 2], DecodeError)

    async def test_an_error_after_the_limit_is_not_raised(self) -> None:
        pages = Pages({"/list": (backups(1, 2), "<https://elsewhere.example/>; rel=next")})
        assert numbers(await pages.paginator().collect(2)) == [1, 2]
        with pytest.raises(UnsafeLink):
            await pages.paginator().collect(3)


def test_a_page_is_a_value() -> None:
    page = Page([Backup(1)], 1, None, {})
    assert page == Page([Backup(1)], 1, None, {})


class TestBackwards:
    @staticmethod
    async def ids(pages: Pages) -> list[list[int | str]]:
        return [numbers(page.items) async for page in pages.paginator().pages_backwards()]

    @pytest.mark.backupify(instances=1, backups=45)
    async def test_pages_are_read_from_the_last_one_back(self, backupify: SimulatedBackupify) -> None:
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

    async def test_a_long_list_without_prev_links_is_an_error_after_the_kept_pages(self) -> None:
        links = {at: f"</list?page={at + 1}>; rel=next" for at in range(1, 20)}
        pages: dict[str, PageOf] = {f"/list?page={at}": (backups(at), links[at]) for at in range(2, 20)}
        pages |= {"/list": (backups(1), links[1]), "/list?page=20": (backups(20), None)}
        found, error = await read_backwards(Pages(pages))
        assert found == [*range(20, 12, -1), *range(12, 4, -1)]
        assert "links to no page before it" in str(error)

    async def test_closing_it_leaves_no_generator(self) -> None:
        paginator = three_pages().paginator()
        with collected() as left:
            pages = paginator.pages_backwards()
            await anext(pages)
            await paginator.aclose()
        assert left == []


class TestAnyRequestAndDecoder:
    """A list needs no model: what `decode` returns are its items."""

    @staticmethod
    def raw(pages: Pages) -> Paginator[dict[str, Any]]:
        return Paginator(pages, Request.get("/list", decode=decode_items))

    async def test_a_paginator_can_return_raw_json(self) -> None:
        assert await self.raw(three_pages()).collect() == backups(1, 2, 3, 4, 5)
        assert await self.raw(three_pages()).newest(2) == backups(5, 4)
        assert await self.raw(three_pages()).last() == {"id": 5}

    async def test_items_can_have_no_id(self) -> None:
        pages = Pages(
            {"/list": ([{"a": 1}, {"a": 2}], "</list?page=2>; rel=next"), "/list?page=2": ([7], None)}
        )
        assert await self.raw(pages).collect() == [{"a": 1}, {"a": 2}, 7]

    async def test_a_repeated_page_is_found_without_ids(self) -> None:
        pages = Pages({"/list": ([{"a": 1}], "</list?page=2>; rel=next"), "/list?page=2": ([{"a": 1}], None)})
        with pytest.raises(PaginationError, match="does not go on"):
            await self.raw(pages).collect()
