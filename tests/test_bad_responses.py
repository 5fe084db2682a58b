"""Responses that the API does not document, and what a call does with each, over a socket."""

import gzip

import pytest

from backupify_async import (
    APIError,
    DecodeError,
    NotFound,
    PaginationError,
    RateLimited,
    RetryPolicy,
    ServerError,
    UnsafeLink,
)
from backupify_async._escaping import printable
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.calls import CALLS_WITH_AN_ID, Call
from tests.support.clients import TOKEN, asked, client_of
from tests.support.raw_servers import ScriptedServer, http, raw_server


class TestAnUnexpectedBody:
    @pytest.mark.parametrize(
        "call", [CALLS_WITH_AN_ID[name] for name in ("get", "instance", "list", "latest")]
    )
    @pytest.mark.parametrize(
        "body",
        [
            b"<html>",
            b'{"id":',
            b"17",
            b'"text"',
            b'{"status":"ok"}',
            b'{"id":"\xff"}',
            b'[{"id":null}]',
            b'{"id":null,"status":"running"}',
            b'{"id":true}',
            b'{"id":""}',
            b'{"id":1.5}',
            b'[{"id":[]}]',
            b"\x00",
        ],
        ids=ascii,
    )
    async def test_is_reported_with_path_content_type_and_excerpt(self, call: Call, body: bytes) -> None:
        server = ScriptedServer(http(200, body, "Content-Type: text/x-odd"))
        async with raw_server(server) as url, client_of(url) as client:
            with pytest.raises(DecodeError) as raised:
                await call(client, 7)
        error = raised.value
        assert error.path.startswith("/v1/backup_instances/7")
        assert error.content_type == "text/x-odd"
        assert error.excerpt == printable(body.decode(errors="backslashreplace"))

    async def test_is_quoted_up_to_200_bytes(self) -> None:
        async with raw_server(ScriptedServer(http(200, b"x" * 1000))) as url, client_of(url) as client:
            with pytest.raises(DecodeError) as raised:
                await client.backups.get(1, 1)
        assert (raised.value.excerpt, raised.value.content_type) == ("x" * 200, "")

    @pytest.mark.parametrize(
        "response",
        [
            http(200, b"[" * 1001),
            http(200, gzip.compress(b"[" * 100_000), "Content-Encoding: gzip"),
            b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"[" * 1001 + b"\r\n0\r\n\r\n",
        ],
        ids=["announced", "compressed", "chunked"],
    )
    async def test_above_the_cap_is_not_read_to_its_end(self, response: bytes) -> None:
        async with raw_server(ScriptedServer(response)) as url, client_of(url, max_body_bytes=1000) as client:
            with pytest.raises(DecodeError, match="max_body_bytes=1000") as raised:
                await client.backups.get(1, 1)
        assert raised.value.excerpt == "[" * 200

    async def test_of_exactly_the_cap_is_read(self) -> None:
        body = b'{"id":1}'
        async with (
            raw_server(ScriptedServer(http(200, body))) as url,
            client_of(url, max_body_bytes=len(body)) as client,
        ):
            assert (await client.backups.get(1, 1)).id == 1


ONLY_THE_GZIP_HEADER = gzip.compress(b'{"id":7,"status":"running"}')[:10]


class TestALostBody:
    """A response whose body is lost on the way says nothing."""

    @pytest.mark.parametrize(
        "response",
        [
            b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            http(200, ONLY_THE_GZIP_HEADER, "Content-Encoding: gzip"),
            http(200, b"", "Content-Encoding: gzip"),
            http(200, b" \r\n"),
            http(202),
        ],
        ids=["chunked", "gzip cut after its header", "empty gzip", "white space", "202"],
    )
    async def test_does_not_mean_an_idle_instance(self, response: bytes) -> None:
        running = http(200, b'{"id":7,"status":"running"}')
        async with raw_server(ScriptedServer(response, running)) as url, client_of(url) as client:
            active = await client.backups.get_active(1)
        assert active is not None
        assert active.id == 7

    async def test_is_an_error_if_it_persists(self) -> None:
        server = ScriptedServer(http(202))
        async with raw_server(server) as url, client_of(url, retry=RetryPolicy(attempts=3, base=0)) as client:
            with pytest.raises(DecodeError, match="the body is empty") as raised:
                await client.backups.get_active(1)
        assert (raised.value.gave_up, len(server.requests)) == ("sent 3 times", 3)


@pytest.mark.parametrize("status", [200, 204])
class TestNoBody:
    async def test_means_that_no_backup_is_active(self, status: int) -> None:
        async with raw_server(ScriptedServer(http(status))) as url, client_of(url) as client:
            assert await client.backups.get_active(1) is None

    async def test_does_not_end_a_list(self, status: int) -> None:
        async with raw_server(ScriptedServer(http(status))) as url, client_of(url) as client:
            for call in (client.backups.list(1).collect, lambda: client.backups.latest(1)):
                with pytest.raises(DecodeError):
                    await call()

    async def test_of_a_middle_page_is_retried(self, status: int) -> None:
        first = http(200, b'[{"id":1}]', "Link: <?page=2>; rel=next")
        server = ScriptedServer(first, http(status), http(200, b'[{"id":2}]'))
        async with raw_server(server) as url, client_of(url) as client:
            assert [one.id for one in await client.backups.list(1).collect()] == [1, 2]
        assert len(server.requests) == 3

    async def test_is_an_error_where_a_backup_is_expected(self, status: int) -> None:
        async with raw_server(ScriptedServer(http(status))) as url, client_of(url) as client:
            with pytest.raises(DecodeError, match="no Backup in it"):
                await client.backups.get(1, 1)
            with pytest.raises(DecodeError, match="no BackupInstance in it"):
                await client.instances.get(1)


class TestUnknownData:
    async def test_is_accepted_and_kept(self) -> None:
        body = b"""{"backup": {"id": "b-7", "status": "thinking", "created_at": "2026-01-02T03:04:05Z",
            "started_at": "yesterday", "completed_at": null, "size": {"bytes": 3}}}"""
        async with raw_server(ScriptedServer(http(200, body))) as url, client_of(url) as client:
            backup = await client.backups.get(1, "b-7")
        assert (backup.id, backup.status, backup.backup_instance_id) == ("b-7", "thinking", None)
        assert backup.created_at is not None
        assert (backup.started_at, backup.completed_at, backup.updated_at) == (None, None, None)
        assert dict(backup.extra) == {"started_at": "yesterday", "size": {"bytes": 3}}

    @pytest.mark.parametrize(
        "body", [b'[{"id":1}]', b'{"backup_runs":[{"id":1}],"count":1}', b'{"data":[{"backup":{"id":1}}]}']
    )
    async def test_can_be_an_envelope(self, body: bytes) -> None:
        async with raw_server(ScriptedServer(http(200, body))) as url, client_of(url) as client:
            assert [backup.id async for backup in client.backups.list(1)] == [1]


class TestLinksAndRedirects:
    async def test_a_link_to_another_origin_is_not_followed_and_the_token_is_not_sent(self) -> None:
        elsewhere = ScriptedServer(http(200, b"[]"))
        async with raw_server(elsewhere) as other:
            server = ScriptedServer(http(200, b'[{"id":1}]', f'Link: <{other}/v1/list?page=2>; rel="next"'))
            async with raw_server(server) as url, client_of(url) as client:
                backups = aiter(client.backups.list(1))
                assert (await anext(backups)).id == 1
                with pytest.raises(UnsafeLink):
                    await anext(backups)
        assert TOKEN.encode() in server.requests[0]
        assert elsewhere.requests == []

    @pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
    async def test_a_redirect_is_not_followed_and_the_token_is_not_sent(self, status: int) -> None:
        elsewhere = ScriptedServer(http(200, b"[]"))
        async with raw_server(elsewhere) as other:
            server = ScriptedServer(http(status, b"", f"Location: {other}/v1/list?page=2"))
            async with raw_server(server) as url, client_of(url) as client:
                with pytest.raises(APIError, match=other) as raised:
                    await client.backups.get(1, 1)
        assert (raised.value.status, elsewhere.requests, len(server.requests)) == (status, [], 1)

    async def test_a_redirect_within_the_origin_is_not_followed(self, backupify: SimulatedBackupify) -> None:
        backupify.inject(Fault.redirect("/v1/ping", method="GET"))
        async with client_of(backupify) as client:
            with pytest.raises(APIError, match="a relative URL"):
                await client.instances.get(1)
        assert len(asked(backupify)) == 1

    async def test_a_page_loop_is_reported_with_its_url(self, backupify: SimulatedBackupify) -> None:
        path = "/v1/backup_instances/1/backups"
        backupify.inject(Fault.wrong_link(f'<{path}?page=2>; rel="next"'))
        async with client_of(backupify) as client:
            with pytest.raises(PaginationError, match=r"backups\?page=2 comes again"):
                await client.backups.list(1).collect()
        assert len(asked(backupify)) == 2


class TestA404OfGetActive:
    async def test_is_none_or_not_found_after_a_second_request(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            results = await client.fleet([*backupify.instance_ids, 999]).get_active()
            assert client.statistics().answered_from_memory == 49
        assert list(results.values.values()) == [None] * 50
        assert (list(results.errors), type(results.errors[999])) == ([999], NotFound)
        assert len(asked(backupify, "get_instance")) == 2


class TestRetryAfter:
    @pytest.mark.parametrize(
        "value", ["-1", "nan", "inf", "1e9", "99999999999", "soon", "", "Thu, 01 Jan 1970 00:00:00 GMT"]
    )
    @pytest.mark.parametrize("status", [429, 503])
    async def test_that_is_invalid_is_ignored(
        self, backupify: SimulatedBackupify, status: int, value: str
    ) -> None:
        backupify.inject(Fault.answer(status, retry_after=value, operation="get_instance", first=2))
        async with client_of(backupify) as client:
            assert (await client.instances.get(1)).id == 1
        assert len(asked(backupify)) == 3

    async def test_of_a_429_above_the_cap_blocks_the_client_until_it_is_over(
        self, backupify: SimulatedBackupify
    ) -> None:
        backupify.inject(Fault.answer(429, retry_after=121, operation="get_instance", first=1))
        async with client_of(backupify) as client:
            for _ in range(2):
                with pytest.raises(RateLimited, match=r"max_retry_after=120|not sent") as raised:
                    await client.instances.get(1)
            assert raised.value.retry_after == pytest.approx(121, abs=10)
        assert len(asked(backupify)) == 1

    async def test_of_a_503_above_the_cap_fails_only_its_call(self, backupify: SimulatedBackupify) -> None:
        backupify.inject(Fault.answer(503, retry_after=121, operation="get_instance", first=1))
        async with client_of(backupify) as client:
            with pytest.raises(ServerError, match="max_retry_after=120"):
                await client.instances.get(1)
            assert (await client.instances.get(1)).id == 1
