"""Triggers on raw sockets: connections that close, a Date beyond all dates, and the check after a 422."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from backupify_async import AmbiguousTrigger, BackupifyError, TriggerKind, UnprocessableEntity
from tests.support.clients import client_of
from tests.support.raw_servers import ONCE, Connections, by_method, http, raw_server

BEGUN = http(201, b'{"id":7}')
SWITCHING = b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
BELOW_ANY = b"HTTP/1.1 099 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class TestConnections:
    @pytest.mark.parametrize("concurrency", [1, 8])
    @pytest.mark.parametrize("after_each", [Connections.CLOSED, Connections.IDLED_OUT])
    async def test_that_close_without_notice_make_no_trigger_ambiguous(
        self, after_each: str, concurrency: int
    ) -> None:
        server = Connections(BEGUN, after_each)
        async with raw_server(server) as url, client_of(url) as client:
            results = await client.fleet(range(50), concurrency=concurrency).trigger()
        assert results.errors == {}
        assert Counter(result.kind for result in results.values.values()) == {TriggerKind.STARTED: 50}

    async def test_are_fresh_for_each_trigger(self) -> None:
        server = Connections(BEGUN)
        async with raw_server(server) as url, client_of(url) as client:
            await client.fleet(range(20), concurrency=4).trigger()
        assert len(set(server.of("POST"))) == len(server.of("POST")) == 20

    async def test_of_reads_are_not_used_for_a_trigger(self) -> None:
        server = Connections(BEGUN, Connections.IDLED_OUT)
        async with raw_server(server) as url, client_of(url) as client:
            await client.backups.get(1, 7)
            assert (await client.backups.trigger(1)).kind is TriggerKind.STARTED
        assert set(server.of("GET")).isdisjoint(server.of("POST"))

    async def test_of_reads_are_used_again(self) -> None:
        server = Connections(BEGUN)
        async with raw_server(server) as url, client_of(url) as client:
            for number in range(5):
                await client.backups.get(1, 7)
                await client.backups.trigger(number)
        assert (len(server.of("GET")), len(set(server.of("GET")))) == (5, 1)


class TestTheDateOfTheServer:
    @pytest.mark.parametrize("created", [True, False])
    async def test_can_be_beyond_what_a_datetime_holds(self, created: bool) -> None:
        date = f', "created_at": "{datetime.now(UTC).isoformat()}"' if created else ""
        response = http(201, f'{{"id":7{date}}}'.encode(), "Date: Fri, 31 Dec 9999 23:59:59 -2300")
        async with by_method(b"", response) as url, client_of(url) as client:
            assert (await client.backups.trigger(1)).kind is TriggerKind.STARTED


class TestTheErrorOfA422:
    async def test_says_that_the_check_after_it_failed(self) -> None:
        async with by_method(http(403), http(422)) as url, client_of(url) as client:
            with pytest.raises(UnprocessableEntity) as caught:
                await client.backups.trigger(1)
        assert "check" in (caught.value.gave_up or "")

    async def test_does_not_mention_a_check_that_found_no_active_backup(self) -> None:
        async with by_method(http(200, b"[]"), http(422)) as url, client_of(url) as client:
            with pytest.raises(UnprocessableEntity) as caught:
                await client.backups.trigger(1)
        assert caught.value.gave_up is None


@pytest.mark.parametrize("response", [SWITCHING, BELOW_ANY], ids=["101", "099"])
class TestAStatusBelow200:
    async def test_leaves_a_trigger_ambiguous(self, response: bytes) -> None:
        async with by_method(response, response) as url, client_of(url, retry=ONCE) as client:
            with pytest.raises(AmbiguousTrigger):
                await client.backups.trigger(1)

    async def test_is_an_error_for_a_read(self, response: bytes) -> None:
        async with by_method(response, response) as url, client_of(url, retry=ONCE) as client:
            for call in (client.backups.get(1, 1), client.backups.list(1).collect()):
                with pytest.raises(BackupifyError):
                    await call

    async def test_does_not_mean_that_nothing_is_active(self, response: bytes) -> None:
        async with by_method(response, response) as url, client_of(url, retry=ONCE) as client:
            with pytest.raises(BackupifyError):
                await client.backups.get_active(1)
