"""Lists, page by page: over the simulated server, and over answers that it would not give."""

from typing import Any

import pytest

from backupify_async import (
    Backup,
    BackupifyError,
    DecodeError,
    Page,
    PaginationError,
    StaticToken,
    UnsafeLink,
)
from backupify_async.testing import SimulatedBackupify
from tests.resources.clients import TOKEN, Script, asked, client_of
from tests.resources.pages import Pages, backups, numbers, three_pages
from tests.stand_ins import http, raw_server


async def read(pages: Pages) -> tuple[list[int | str], BaseException | None]:
    """The ids that were handed out before the end, and the error that it ended with."""
    found: list[int | str] = []
    try:
        async for backup in pages.paginator():
            found += [backup.id]
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
    async def test_collect_fetches_no_page_too_many(
        self, backupify: SimulatedBackupify, limit: int | None, found: int, pages: int
    ) -> None:
        async with client_of(backupify) as client:
            assert len(await client.backups.list(1).collect(limit)) == found
        assert len(asked(backupify)) == pages

    async def test_each_iteration_begins_anew(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            paginator = client.backups.list(1)
            assert await paginator.collect() == await paginator.collect()
        assert len(asked(backupify)) == 6

    async def test_per_page_is_sent_only_when_asked_for(self, backupify: SimulatedBackupify) -> None:
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
    async def test_a_list_in_an_envelope_is_read_through(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            assert len(await client.backups.list(1).collect()) == 45

    async def test_nothing_is_asked_before_the_first_item_is_wanted(
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
    async def test_go_out_as_they_came(self, query: str) -> None:
        server = Script(http(200, b'[{"id":1}]', f"Link: </list/a%2Fb?{query}>; rel=next"), http(200, b"[]"))
        async with raw_server(server) as url, client_of(url) as client:
            await client.backups.list(1).collect()
        assert server.request_lines[1] == f"GET /list/a%2Fb?{query}"

    @pytest.mark.parametrize(("came", "goes"), [('a"b c|d', "a%22b%20c%7Cd"), ("é", "%C3%A9")])
    async def test_are_quoted_only_where_they_could_not_be_sent(self, came: str, goes: str) -> None:
        pages = Pages({"/list": (backups(1), f"</list?q={came}>; rel=next")})
        assert await read(pages) == ([1], None)
        assert pages.asked[1] == f"/list?q={goes}"

    @pytest.mark.parametrize(
        "link", ["?page=2", "list?page=2", "./list?page=2", "/list?page=2", "//api.example/list?page=2"]
    )
    async def test_relative_ones_are_read_against_their_page(self, link: str) -> None:
        pages = three_pages()
        pages.pages["/list"] = (backups(1, 2), f"<{link}>; rel=next")
        assert await read(pages) == ([1, 2, 3, 4, 5], None)

    async def test_without_path_or_query_lead_to_the_root(self) -> None:
        pages = Pages({"/list": (backups(1), "<https://api.example>; rel=next")})
        assert await read(pages) == ([1], None)
        assert pages.asked == ["/list", "/"]

    async def test_a_path_prefix_in_the_base_url_is_not_doubled(self) -> None:
        pages = three_pages(prefix="/gateway/backupify")
        assert await read(pages) == ([1, 2, 3, 4, 5], None)
        assert pages.asked[1] == "/gateway/backupify/list?page=2"

    async def test_to_the_same_host_by_http_stay_on_https_and_our_own_port(self) -> None:
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
    async def test_to_the_same_origin_in_other_words_are_followed(self, base_url: str, link: str) -> None:
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
    async def test_to_another_origin_are_not_followed(self, link: str) -> None:
        pages = Pages({"/list": (backups(1, 2), f"<{link}>; rel=next")})
        found, error = await read(pages)
        assert (found, type(error), pages.asked) == ([1, 2], UnsafeLink, ["/list"])

    async def test_from_http_to_https_are_another_origin(self) -> None:
        pages = Pages({"/list": (backups(1), "<https://api.example/list?page=2>; rel=next")})
        pages.base_url = pages.base_url.with_scheme("http")
        found, error = await read(pages)
        assert (found, type(error)) == ([1], UnsafeLink)

    @pytest.mark.parametrize("link", ["https://[::1/list", "https://api.example:port/", "http://h:99999/"])
    async def test_that_are_no_url_end_the_list_with_an_error_behind_its_items(self, link: str) -> None:
        found, error = await read(Pages({"/list": (backups(1), f"<{link}>; rel=next")}))
        assert found == [1]
        assert "no URL" in str(error)

    @pytest.mark.parametrize("link", ["https://api.example/list?page=2; rel=next", '<a; rel="next'])
    async def test_that_cannot_be_read_are_no_silent_end(self, link: str) -> None:
        found, error = await read(Pages({"/list": (backups(1), link)}))
        assert found == [1]
        assert "https://api.example/list cannot be read" in str(error)

    async def test_a_readable_next_is_followed_whatever_else_the_header_holds(self) -> None:
        pages = three_pages()
        pages.pages["/list"] = (backups(1, 2), "nonsense, </list?page=2>; rel=next, https://[")
        assert (await read(pages))[0] == [1, 2, 3, 4, 5]

    async def test_that_are_no_url_but_are_not_needed_are_left_out_of_the_page(self) -> None:
        pages = Pages({"/list": (backups(1), "<https://[>; rel=first, <?page=9>; rel=last")})
        (page,) = [page async for page in pages.paginator().pages()]
        assert page.links == {"last": "https://api.example/list?page=9"}


class TestATokenInALink:
    @pytest.mark.parametrize("link", ["?access_token={}", "/{}/list", "?q=x{}y"])
    async def test_is_not_followed_and_not_shown(self, link: str) -> None:
        server = Script(http(200, b'[{"id":1}]', f"Link: <{link.format(TOKEN)}>; rel=next"))
        async with raw_server(server) as url, client_of(url) as client:
            with pytest.raises(UnsafeLink, match="holds the token") as raised:
                await client.backups.list(1).collect()
        assert TOKEN not in str(raised.value)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("token", ["t", "backups", "127.0.0.1"])
    async def test_is_no_word_that_any_link_may_hold(self, token: str) -> None:
        server = Script(
            http(200, b'[{"id":1}]', "Link: </v1/backup_instances/1/backups?page=2>; rel=next"),
            http(200, b'[{"id":2}]', "Link: <http://127.0.0.1/first>; rel=first"),
        )
        async with raw_server(server) as url, client_of(url, credentials=StaticToken(token)) as client:
            assert numbers(await client.backups.list(1).collect()) == [1, 2]


class TestLoops:
    @pytest.mark.parametrize("back_to", ["/list", "/list?page=2", "/list?page=3"])
    async def test_a_page_that_comes_again_is_named(self, back_to: str) -> None:
        pages = three_pages()
        pages.pages["/list?page=3"] = (backups(5), f"<{back_to}>; rel=next")
        found, error = await read(pages)
        assert (found, len(pages.asked)) == ([1, 2, 3, 4, 5], 3)
        assert f"https://api.example{back_to} comes again" in str(error)

    async def test_an_empty_page_with_a_next_link_goes_on(self) -> None:
        pages = three_pages()
        pages.pages["/list?page=2"] = ([], "</list?page=3>; rel=next")
        assert await read(pages) == ([1, 2, 5], None)


class TestTotal:
    @pytest.mark.parametrize("text", ["", "many", "-1", "1.5", "٣"])
    async def test_one_that_is_no_number_is_none(self, text: str) -> None:
        server = Script(http(200, b"[]", f"Total: {text}"))
        async with raw_server(server) as url, client_of(url) as client:
            assert [page.total async for page in client.backups.list(1).pages()] == [None]

    async def test_one_of_thousands_of_digits_is_none(self) -> None:
        server = Script(http(200, b"[]", f"Total: {'9' * 5000}"))
        async with raw_server(server) as url, client_of(url) as client:
            assert [page.total async for page in client.backups.list(1).pages()] == [None]


class TestArguments:
    @pytest.mark.parametrize("limit", [-1, 1.5, True, "1", float("nan")])
    async def test_a_limit_that_makes_no_sense_is_named(self, limit: Any) -> None:
        pages = three_pages()
        with pytest.raises(ValueError, match="limit"):
            await pages.paginator().collect(limit)
        assert pages.asked == []

    @pytest.mark.parametrize("per_page", [0, -1, 1.5, True, "20"])
    def test_a_per_page_that_makes_no_sense_is_named(self, per_page: Any) -> None:
        with pytest.raises(ValueError, match="per_page"):
            three_pages().paginator(per_page)


class TestErrors:
    async def test_a_page_that_cannot_be_read_comes_behind_the_items_before_it(self) -> None:
        pages = three_pages()
        pages.pages["/list?page=2"] = (b"<html>", None)
        found, error = await read(pages)
        assert (found, type(error)) == ([1, 2], DecodeError)

    async def test_a_limit_that_is_reached_hides_what_is_wrong_behind_it(self) -> None:
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
    async def test_pages_come_from_the_last_one_on(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            pages = [page async for page in client.backups.list(1).pages_backwards()]
            every = await client.backups.list(1).collect()
        assert [len(page.items) for page in pages] == [5, 20, 20]
        assert [one for page in reversed(pages) for one in page.items] == every

    async def test_one_page_is_all(self) -> None:
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

    async def test_an_end_that_names_nothing_before_it_is_an_error(self) -> None:
        pages = Pages({"/list": (backups(1), "</list?page=2>; rel=last"), "/list?page=2": (backups(9), None)})
        with pytest.raises(PaginationError, match="names no page before it"):
            await self.ids(pages)
