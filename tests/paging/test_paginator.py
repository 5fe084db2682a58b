"""Lists, page by page: items, pages, totals, arguments and errors."""

from typing import Any

import pytest

from backupify_async import Backup, DecodeError, Page, PaginationError, Paginator, UnsafeLink
from backupify_async._codec.decode import decode_items
from backupify_async._transport.request import Request
from backupify_async.testing import SimulatedBackupify
from tests.paging.reading import read
from tests.support.clients import asked, client_of
from tests.support.pages import Pages, backups, numbers, three_pages
from tests.support.raw_servers import ScriptedServer, http, raw_server


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
    async def test_collect_requests_only_the_pages_it_needs(
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
    async def test_an_invalid_limit_is_refused(self, limit: Any) -> None:
        pages = three_pages()
        with pytest.raises(ValueError, match="limit"):
            await pages.paginator().collect(limit)
        assert pages.asked == []

    @pytest.mark.parametrize("per_page", [0, -1, 1.5, True, "20"])
    def test_an_invalid_per_page_is_refused(self, per_page: Any) -> None:
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


class TestAnyRequestAndDecoder:
    """A list needs no model: its items are what `decode` returns."""

    @staticmethod
    def raw(pages: Pages) -> Paginator[dict[str, Any]]:
        return Paginator(pages, Request.get("/list", decode=decode_items))

    async def test_a_paginator_can_return_raw_json(self) -> None:
        assert await self.raw(three_pages()).collect() == backups(1, 2, 3, 4, 5)
        assert await self.raw(three_pages()).newest(2) == backups(5, 4)
        assert await self.raw(three_pages()).last() == {"id": 5}

    async def test_items_need_no_id(self) -> None:
        pages = Pages(
            {"/list": ([{"a": 1}, {"a": 2}], "</list?page=2>; rel=next"), "/list?page=2": ([7], None)}
        )
        assert await self.raw(pages).collect() == [{"a": 1}, {"a": 2}, 7]

    async def test_a_repeated_page_is_recognized_without_ids(self) -> None:
        pages = Pages({"/list": ([{"a": 1}], "</list?page=2>; rel=next"), "/list?page=2": ([{"a": 1}], None)})
        with pytest.raises(PaginationError, match="does not go on"):
            await self.raw(pages).collect()
