"""Which links of a page are followed, and as what."""

import pytest

from backupify_async import PaginationError, StaticToken, UnsafeLink
from tests.paging.reading import read
from tests.support.clients import TOKEN, client_of
from tests.support.pages import Pages, backups, numbers, three_pages
from tests.support.raw_servers import ScriptedServer, http, raw_server


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
    async def test_links_are_requested_as_received(self, query: str) -> None:
        server = ScriptedServer(
            http(200, b'[{"id":1}]', f"Link: </list/a%2Fb?{query}>; rel=next"), http(200, b"[]")
        )
        async with raw_server(server) as url, client_of(url) as client:
            await client.backups.list(1).collect()
        assert server.request_lines[1] == f"GET /list/a%2Fb?{query}"

    @pytest.mark.parametrize(("received", "sent"), [('a"b c|d', "a%22b%20c%7Cd"), ("é", "%C3%A9")])
    async def test_only_invalid_characters_are_quoted(self, received: str, sent: str) -> None:
        pages = Pages({"/list": (backups(1), f"</list?q={received}>; rel=next")})
        assert await read(pages) == ([1], None)
        assert pages.asked[1] == f"/list?q={sent}"

    @pytest.mark.parametrize(
        "link", ["?page=2", "list?page=2", "./list?page=2", "/list?page=2", "//api.example/list?page=2"]
    )
    async def test_relative_links_are_resolved_against_their_page(self, link: str) -> None:
        pages = three_pages()
        pages.pages["/list"] = (backups(1, 2), f"<{link}>; rel=next")
        assert await read(pages) == ([1, 2, 3, 4, 5], None)

    async def test_a_link_without_a_path_means_the_root(self) -> None:
        pages = Pages({"/list": (backups(1), "<https://api.example>; rel=next")})
        assert await read(pages) == ([1], None)
        assert pages.asked == ["/list", "/"]

    async def test_a_path_prefix_of_the_base_url_is_not_repeated(self) -> None:
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
    async def test_another_spelling_of_the_same_origin_is_followed(self, base_url: str, link: str) -> None:
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

    async def test_an_https_link_on_an_http_page_is_another_origin(self) -> None:
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
    async def test_other_registered_relations_end_the_list(self, link: str) -> None:
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
    async def test_a_short_token_is_not_searched_for_in_links(self, token: str) -> None:
        server = ScriptedServer(
            http(200, b'[{"id":1}]', "Link: </v1/backup_instances/1/backups?page=2>; rel=next"),
            http(200, b'[{"id":2}]', "Link: <http://127.0.0.1/first>; rel=first"),
        )
        async with raw_server(server) as url, client_of(url, credentials=StaticToken(token)) as client:
            assert numbers(await client.backups.list(1).collect()) == [1, 2]
