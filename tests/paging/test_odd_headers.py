"""Headers with invalid UTF-8, and Link headers that are hard to parse."""

import pytest

from backupify_async import APIError, BackupifyError, DecodeError, PaginationError
from backupify_async._paging.links import parse_links
from tests.support.clients import client_of
from tests.support.raw_servers import ANY_BYTE, ONCE, by_method, odd

LINK = f'Link: </v1/{ANY_BYTE}?page=2>; rel="next"'


class TestInvalidUtf8:
    async def test_invalid_utf_8_in_a_link_is_an_error_after_the_items(self) -> None:
        async with by_method(odd(200, b'[{"id":1}]', LINK), b"") as url, client_of(url) as client:
            items = aiter(client.backups.list(1))
            assert (await anext(items)).id == 1
            with pytest.raises(PaginationError) as caught:
                await anext(items)
        assert str(caught.value).encode()

    async def test_invalid_utf_8_in_a_link_is_an_error_of_latest_too(self) -> None:
        last = LINK.replace("next", "last")
        async with by_method(odd(200, b'[{"id":1}]', last), b"") as url, client_of(url) as client:
            with pytest.raises(PaginationError):
                await client.backups.latest(1)

    @pytest.mark.parametrize(
        ("status", "header", "kind"),
        [
            (400, f"X-Request-Id: a{ANY_BYTE}b", APIError),
            (400, f"Content-Type: text/{ANY_BYTE}", APIError),
            (200, f"Content-Type: text/{ANY_BYTE}", DecodeError),
            (200, f'Content-Type: text/html; charset="{ANY_BYTE}"', DecodeError),
            (302, f"Location: https://{ANY_BYTE}.example/", APIError),
            (302, f"Location: {ANY_BYTE}://example/", APIError),
        ],
    )
    async def test_an_error_with_invalid_utf_8_can_be_printed(
        self, status: int, header: str, kind: type[BackupifyError]
    ) -> None:
        response = odd(status, b"<html>", header)
        async with by_method(response, b"") as url, client_of(url, retry=ONCE) as client:
            with pytest.raises(kind) as caught:
                await client.backups.get(1, 1)
        assert str(caught.value).encode()
        assert repr(caught.value).encode()


class TestUnclosedBrackets:
    @pytest.mark.parametrize("header", ["<," * 4000, "<" * 8000, "<a>;" + " " * 8000 + "x <"])
    def test_thousands_of_open_brackets_are_unreadable(self, header: str) -> None:
        assert not parse_links([header]).readable

    def test_open_brackets_do_not_hide_an_earlier_link(self) -> None:
        links = parse_links(["</2>; rel=next, " + "<," * 4000])
        assert (links.targets, links.readable) == ({"next": "/2"}, False)
