"""Bad input, and what it gets: row by row, over a socket."""

import asyncio
import gzip
import json
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest

from backupify_async import (
    APIError,
    AuthenticationError,
    BackupifyClient,
    ClientCredentials,
    ConfigurationError,
    DecodeError,
    NotFound,
    PaginationError,
    RateLimit,
    RateLimited,
    RetryPolicy,
    ServerError,
    StaticToken,
    TokenRefreshed,
    Unauthorized,
    UnsafeLink,
)
from backupify_async._escaping import printable
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.clients import TOKEN, asked, client_of
from tests.support.fake_transport import shorten_token_troubles
from tests.support.raw_servers import ScriptedServer, http, raw_server

Call = Callable[[BackupifyClient, Any], Coroutine[Any, Any, Any]]

BY_INSTANCE: dict[str, Call] = {
    "get": lambda client, value: client.backups.get(value, 1),
    "get a backup": lambda client, value: client.backups.get(1, value),
    "get_active": lambda client, value: client.backups.get_active(value),
    "latest": lambda client, value: client.backups.latest(value),
    "trigger": lambda client, value: client.backups.trigger(value),
    "instance": lambda client, value: client.instances.get(value),
    "list": lambda client, value: _collect(lambda: client.backups.list(value)),
    "customer": lambda client, value: _collect(lambda: client.customers.instances(value)),
}


async def _collect(begin: Callable[[], Any]) -> Any:
    return await begin().collect()


class TestIds:
    @pytest.mark.parametrize("call", BY_INSTANCE.values(), ids=BY_INSTANCE)
    @pytest.mark.parametrize("bad", ["", ".", "..", "a\nb", "\x00", "\x7f", "\x85", "\ud800"], ids=ascii)
    async def test_an_invalid_id_is_named_and_nothing_is_sent(self, call: Call, bad: str) -> None:
        server = ScriptedServer(http(200, b"{}"))
        async with raw_server(server) as url, client_of(url) as client:
            with pytest.raises(ValueError, match=r"backup_instance_id|backup_id|customer_id"):
                await call(client, bad)
        assert server.requests == []

    @pytest.mark.parametrize("call", BY_INSTANCE.values(), ids=BY_INSTANCE)
    @pytest.mark.parametrize("bad", [1.0, True, None, b"1", [1]], ids=repr)
    async def test_an_id_that_is_no_number_or_text_is_named_and_nothing_is_sent(
        self, call: Call, bad: Any
    ) -> None:
        server = ScriptedServer(http(200, b"{}"))
        async with raw_server(server) as url, client_of(url) as client:
            with pytest.raises(TypeError, match=r"backup_instance_id|backup_id|customer_id"):
                await call(client, bad)
        assert server.requests == []

    @pytest.mark.parametrize(
        ("value", "sent"),
        [
            (42, "42"),
            ("42", "42"),
            (-7, "-7"),
            (0, "0"),
            ("a/b", "a%2Fb"),
            ("a b?c#d%2F", "a%20b%3Fc%23d%252F"),
            ("...", "..."),
            ("é", "%C3%A9"),
            ("042", "042"),
        ],
    )
    async def test_any_other_id_is_sent_percent_encoded_whole(self, value: int | str, sent: str) -> None:
        server = ScriptedServer(http(200, json.dumps({"id": value}).encode()))
        async with raw_server(server) as url, client_of(url) as client:
            await client.backups.get(value, str(value))
        assert server.request_lines == [f"GET /v1/backup_instances/{sent}/backups/{sent}"]


class TestConfiguration:
    @pytest.mark.parametrize(
        ("environ", "named"),
        [
            ({}, "BACKUPIFY_CLIENT_ID"),
            ({"BACKUPIFY_TOKEN": "t", "BACKUPIFY_CLIENT_ID": "i"}, "BACKUPIFY_CLIENT_ID"),
            ({"BACKUPIFY_CLIENT_ID": "i", "BACKUPIFY_CLIENT_SECRET": ""}, "BACKUPIFY_CLIENT_SECRET"),
            ({"BACKUPIFY_TOKEN": "t", "BACKUPIFY_BASE_URL": "https://"}, "BACKUPIFY_BASE_URL"),
            ({"BACKUPIFY_TOKEN": "t", "BACKUPIFY_BASE_URL": "https://u:p@api.example"}, "BACKUPIFY_BASE_URL"),
            ({"BACKUPIFY_TOKEN": "t", "BACKUPIFY_BASE_URL": "http://api.example"}, "BACKUPIFY_BASE_URL"),
        ],
    )
    def test_an_error_in_the_environment_names_it(self, environ: dict[str, str], named: str) -> None:
        with pytest.raises(ConfigurationError, match=named):
            BackupifyClient.from_env(environ)

    @pytest.mark.parametrize(
        "base_url", ["", "api.example", "https://", "https://u:p@api.example", "ftp://a"]
    )
    def test_an_invalid_base_url_names_its_argument(self, base_url: str) -> None:
        with pytest.raises(ConfigurationError, match="base_url"):
            BackupifyClient(StaticToken("t"), base_url=base_url)

    def test_an_empty_secret_is_an_error_that_says_so(self) -> None:
        with pytest.raises(ConfigurationError, match="secret"):
            ClientCredentials("id", "")

    def test_an_object_that_is_no_credentials_is_an_error_that_says_so(self) -> None:
        no_credentials: Any = None
        with pytest.raises(ConfigurationError, match="credentials"):
            BackupifyClient(no_credentials)

    @pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
    def test_numbers_out_of_range_are_named(self, value: Any) -> None:
        with pytest.raises(ValueError, match="per_second"):
            RateLimit(value, adaptive=False)
        with pytest.raises(ValueError, match="burst"):
            RateLimit(1, value, adaptive=False)
        with pytest.raises(ValueError, match="max_concurrency"):
            BackupifyClient(StaticToken("t"), max_concurrency=value)


class TestTheTokenEndpoint:
    async def test_a_wrong_secret_is_tried_once(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify, credentials=ClientCredentials("demo", "a-wrong-one")) as client:
            for _ in range(50):
                with pytest.raises(AuthenticationError, match="invalid_client") as raised:
                    await client.instances.get(1)
        assert "a-wrong-one" not in str(raised.value)
        assert len(backupify.requests) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            Fault.answer(200, body="<html>echo", content_type="text/html", operation="token"),
            Fault.answer(200, body="{}", operation="token"),
            Fault.answer(200, body='{"access_token":null}', operation="token"),
            Fault.answer(200, body='{"access_token":"a b"}', operation="token"),
            Fault.answer(200, body='["echo"]', operation="token"),
            Fault.answer(204, body="", operation="token"),
            Fault.answer(404, body="<html>echo", operation="token"),
            Fault.redirect("https://elsewhere.example/echo", operation="token"),
        ],
        ids=str,
    )
    async def test_a_response_without_a_token_is_an_error_that_does_not_quote_it(
        self, backupify: SimulatedBackupify, answer: Fault
    ) -> None:
        backupify.inject(answer)
        async with client_of(backupify) as client:
            for _ in range(2):
                with pytest.raises(AuthenticationError) as raised:
                    await client.instances.get(1)
        assert "echo" not in str(raised.value)
        assert len(backupify.requests) == 1

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    async def test_a_failure_that_passes_is_retried(self, backupify: SimulatedBackupify, status: int) -> None:
        backupify.inject(Fault.answer(status, operation="token", first=2))
        async with client_of(backupify) as client:
            assert (await client.instances.get(1)).id == 1
        assert [request.status for request in backupify.requests] == [status, status, 200, 200]

    async def test_a_failure_that_stays_is_a_server_error(self, backupify: SimulatedBackupify) -> None:
        backupify.inject(Fault.answer(500, operation="token"))
        async with client_of(backupify) as client:
            with pytest.raises(ServerError, match="sent 4 times"):
                await client.instances.get(1)

    @pytest.mark.parametrize(
        ("expires_in", "read_as"),
        [
            ('"899"', 899),
            ("899", 899),
            ("null", 60),
            ('"soon"', 60),
            ("-5", 60),
            ("[]", 60),
            ("true", 60),
            (None, 60),
        ],
    )
    async def test_an_unreadable_lifetime_counts_as_a_minute(
        self, backupify: SimulatedBackupify, expires_in: str | None, read_as: float
    ) -> None:
        more = "" if expires_in is None else f',"expires_in":{expires_in}'
        body = f'{{"access_token":"{backupify.issue_token()}"{more}}}'
        backupify.inject(Fault.answer(200, body=body, operation="token"))
        events: list[object] = []
        async with client_of(backupify, on_event=events.append) as client:
            await client.instances.get(1)
        assert TokenRefreshed(read_as) in events


class TestABodyThatIsNotWhatItShouldBe:
    @pytest.mark.parametrize("call", [BY_INSTANCE[name] for name in ("get", "instance", "list", "latest")])
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
    async def test_is_named_with_path_type_and_beginning(self, call: Call, body: bytes) -> None:
        server = ScriptedServer(http(200, body, "Content-Type: text/x-odd"))
        async with raw_server(server) as url, client_of(url) as client:
            with pytest.raises(DecodeError) as raised:
                await call(client, 7)
        error = raised.value
        assert error.path.startswith("/v1/backup_instances/7")
        assert error.content_type == "text/x-odd"
        assert error.excerpt == printable(body.decode(errors="backslashreplace"))

    async def test_shows_its_first_200_bytes(self) -> None:
        async with raw_server(ScriptedServer(http(200, b"x" * 1000))) as url, client_of(url) as client:
            with pytest.raises(DecodeError) as raised:
                await client.backups.get(1, 1)
        assert (raised.value.excerpt, raised.value.content_type) == ("x" * 200, "")

    @pytest.mark.parametrize(
        "answer",
        [
            http(200, b"[" * 1001),
            http(200, gzip.compress(b"[" * 100_000), "Content-Encoding: gzip"),
            b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"[" * 1001 + b"\r\n0\r\n\r\n",
        ],
        ids=["announced", "compressed", "chunked"],
    )
    async def test_over_the_cap_is_not_read_to_its_end(self, answer: bytes) -> None:
        async with raw_server(ScriptedServer(answer)) as url, client_of(url, max_body_bytes=1000) as client:
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


CUT_BEHIND_ITS_HEADER = gzip.compress(b'{"id":7,"status":"running"}')[:10]


class TestNothingOnTheWay:
    """What is lost between the head and the body is no answer."""

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            http(200, CUT_BEHIND_ITS_HEADER, "Content-Encoding: gzip"),
            http(200, b"", "Content-Encoding: gzip"),
            http(200, b" \r\n"),
            http(202),
        ],
        ids=["chunked", "gzip cut behind its header", "gzip of nothing", "white space", "202"],
    )
    async def test_is_not_taken_for_an_idle_instance(self, answer: bytes) -> None:
        running = http(200, b'{"id":7,"status":"running"}')
        async with raw_server(ScriptedServer(answer, running)) as url, client_of(url) as client:
            active = await client.backups.get_active(1)
        assert active is not None
        assert active.id == 7

    async def test_is_an_error_if_it_stays_so(self) -> None:
        server = ScriptedServer(http(202))
        async with raw_server(server) as url, client_of(url, retry=RetryPolicy(attempts=3, base=0)) as client:
            with pytest.raises(DecodeError, match="the body is empty") as raised:
                await client.backups.get_active(1)
        assert (raised.value.gave_up, len(server.requests)) == ("sent 3 times", 3)


@pytest.mark.parametrize("status", [200, 204])
class TestNoBody:
    async def test_is_no_active_backup(self, status: int) -> None:
        async with raw_server(ScriptedServer(http(status))) as url, client_of(url) as client:
            assert await client.backups.get_active(1) is None

    async def test_does_not_end_a_list(self, status: int) -> None:
        async with raw_server(ScriptedServer(http(status))) as url, client_of(url) as client:
            for call in (client.backups.list(1).collect, lambda: client.backups.latest(1)):
                with pytest.raises(DecodeError):
                    await call()

    async def test_of_a_middle_page_is_requested_again(self, status: int) -> None:
        first = http(200, b'[{"id":1}]', "Link: <?page=2>; rel=next")
        server = ScriptedServer(first, http(status), http(200, b'[{"id":2}]'))
        async with raw_server(server) as url, client_of(url) as client:
            assert [one.id for one in await client.backups.list(1).collect()] == [1, 2]
        assert len(server.requests) == 3

    async def test_is_no_backup(self, status: int) -> None:
        async with raw_server(ScriptedServer(http(status))) as url, client_of(url) as client:
            with pytest.raises(DecodeError, match="no Backup in it"):
                await client.backups.get(1, 1)
            with pytest.raises(DecodeError, match="no BackupInstance in it"):
                await client.instances.get(1)


class TestWhatIsNotKnown:
    async def test_is_accepted_and_stays_readable(self) -> None:
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
    async def test_a_link_to_another_origin_is_not_followed_and_the_token_stays(self) -> None:
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
    async def test_a_redirect_is_not_followed_and_the_token_stays(self, status: int) -> None:
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

    async def test_a_page_loop_names_the_url(self, backupify: SimulatedBackupify) -> None:
        path = "/v1/backup_instances/1/backups"
        backupify.inject(Fault.wrong_link(f'<{path}?page=2>; rel="next"'))
        async with client_of(backupify) as client:
            with pytest.raises(PaginationError, match=r"backups\?page=2 comes again"):
                await client.backups.list(1).collect()
        assert len(asked(backupify)) == 2


class TestA401:
    async def test_amid_1000_calls_costs_one_refresh(self) -> None:
        async with SimulatedBackupify() as server, client_of(server) as client:
            calls = [asyncio.create_task(client.instances.get(1 + key % 50)) for key in range(1000)]
            await server.wait_for_requests(300)
            server.expire_tokens()
            assert len(await asyncio.gather(*calls)) == 1000
            assert server.tokens_issued == 2
            refused = [request for request in server.requests if request.status == 401]
            assert len(asked(server)) == 1000 + len(refused)
            assert 0 < len(refused) <= 64

    @pytest.fixture
    def short_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """All waits of a trouble at a tenth."""
        shorten_token_troubles(monkeypatch, 10)

    @pytest.mark.usefixtures("short_waits")
    async def test_of_two_clients_at_a_server_that_takes_the_newest_token_only_fails_no_call(self) -> None:
        async with AsyncExitStack() as stack:
            server = SimulatedBackupify(newest_token_only=True)
            await stack.enter_async_context(server)
            clients = [await stack.enter_async_context(client_of(server)) for _ in range(2)]
            sweeps = [client.fleet(server.instance_ids * 6).get_active() for client in clients]
            first, second = await asyncio.gather(*sweeps)
        assert (first.errors, second.errors) == ({}, {})
        assert any(request.status == 401 for request in server.requests)

    @pytest.mark.usefixtures("short_waits")
    async def test_by_nodes_that_do_not_know_the_token_yet_fails_no_call(self) -> None:
        async with SimulatedBackupify(token_lag=0.15) as server, client_of(server) as client:
            results = await client.fleet(server.instance_ids).trigger()
        assert results.errors == {}
        assert {len(started) for started in server.triggers.values()} == {1}
        assert any(request.status == 401 for request in server.requests)

    async def test_with_a_static_token_is_raised_at_once(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify, credentials=StaticToken("unknown")) as client:
            with pytest.raises(Unauthorized):
                await client.instances.get(1)
        assert len(backupify.requests) == 1


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
    async def test_that_is_invalid_counts_as_missing(
        self, backupify: SimulatedBackupify, status: int, value: str
    ) -> None:
        backupify.inject(Fault.answer(status, retry_after=value, operation="get_instance", first=2))
        async with client_of(backupify) as client:
            assert (await client.instances.get(1)).id == 1
        assert len(asked(backupify)) == 3

    async def test_of_a_429_above_the_cap_blocks_the_client_until_then(
        self, backupify: SimulatedBackupify
    ) -> None:
        backupify.inject(Fault.answer(429, retry_after=121, operation="get_instance", first=1))
        async with client_of(backupify) as client:
            for _ in range(2):
                with pytest.raises(RateLimited, match=r"max_retry_after=120|not sent") as raised:
                    await client.instances.get(1)
            assert raised.value.retry_after == pytest.approx(121, abs=10)
        assert len(asked(backupify)) == 1

    async def test_of_a_503_above_the_cap_fails_that_call_only(self, backupify: SimulatedBackupify) -> None:
        backupify.inject(Fault.answer(503, retry_after=121, operation="get_instance", first=1))
        async with client_of(backupify) as client:
            with pytest.raises(ServerError, match="max_retry_after=120"):
                await client.instances.get(1)
            assert (await client.instances.get(1)).id == 1
