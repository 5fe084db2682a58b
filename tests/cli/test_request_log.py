"""The requests and decisions that -vv shows on stderr."""

import contextlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import attrs
import pytest

from backupify_async import (
    AiohttpTransport,
    BackupifyError,
    ClientCredentials,
    LimitChanged,
    LimitSource,
    RequestSent,
    RetryScheduled,
    SharedStoreAway,
    SharedStoreBack,
    SpeedReason,
    Throttled,
    TokenRefreshed,
)
from backupify_async._cli.request_log import LoggingTransport, event_line, log_events
from backupify_async.events import Event
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.clients import AT_ONCE, client_of
from tests.support.commands import Run
from tests.support.echoes import IN_LINKS_AND_HEADERS, RESPONSES, SECRET, echoing, echoing_form, leaks
from tests.support.fake_transport import shorten_token_troubles
from tests.support.raw_servers import http, raw_server

ALL_RESPONSES = {**RESPONSES, **IN_LINKS_AND_HEADERS}


@pytest.fixture(autouse=True)
def _short_troubles(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_token_troubles(monkeypatch, 50)


class TestVeryVerbose:
    @pytest.mark.backupify(instances=1)
    def test_each_request_and_response_is_shown(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("list", "1", "-vv")
        lines = result.err.splitlines()
        assert lines[0] == f"> [1] POST {server.base_url}/oauth/token"
        assert re.fullmatch(r"< \[1\] 200 in \d\.\d{3} s, request id \w+", lines[1])
        assert lines[2] == "* new token, valid for 899 s"
        assert lines[3] == f"> [2] GET {server.base_url}/v1/backup_instances/1/backups"
        assert lines[4].startswith("< [2] 200 in ")

    @pytest.mark.backupify(instances=1, faults=[Fault.answer(500, operation="get_active", first=1)])
    def test_a_retry_is_shown_with_its_delay_and_reason(self, server: SimulatedBackupify, run: Run) -> None:
        err = run("active", "1", "-vv").err
        assert "< [2] 500 in " in err
        path = "/v1/backup_instances/1/backups/active"
        assert re.search(rf"\* GET {path}: attempt 1 failed, retry in \d\.\d\d s: .*500", err)

    @pytest.mark.backupify(instances=1, faults=[Fault.truncate(operation="list_instances", first=1)])
    def test_a_request_without_a_response_is_shown_with_its_error(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        assert re.search(r"< \[2\] .+, after \d\.\d{3} s\n", run("instances", "-vv").err)

    @pytest.mark.backupify(instances=1, faults=[Fault.hang(operation="get_active")])
    def test_a_cancelled_request_is_shown(self, server: SimulatedBackupify, run: Run) -> None:
        assert "< [2] cancelled, after 0." in run("active", "1", "-vv", "--timeout", "0.2").err

    @pytest.mark.backupify(instances=1)
    def test_rows_are_unchanged(self, server: SimulatedBackupify, run: Run) -> None:
        assert run("active", "1", "-vv", "-o", "csv").out == run("active", "1", "-o", "csv").out

    @pytest.mark.backupify(instances=1)
    @pytest.mark.parametrize("arguments", [("active", "1", "-v"), ("instances",)])
    def test_with_fewer_v_no_request_is_shown(
        self, server: SimulatedBackupify, run: Run, arguments: tuple[str, ...]
    ) -> None:
        assert "> [1]" not in run(*arguments).err

    @pytest.mark.backupify(instances=1)
    def test_quiet_does_not_disable_it(self, server: SimulatedBackupify, run: Run) -> None:
        assert run("instances", "-q", "-vv").err.startswith("> [1]")

    @pytest.mark.backupify(instances=3)
    def test_triggers_are_shown_too(self, server: SimulatedBackupify, run: Run) -> None:
        err = run("trigger", "1", "-vv").err
        assert f"POST {server.base_url}/v1/backup_instances/1/backups\n" in err


class TestSecrets:
    @pytest.mark.parametrize("reply", ALL_RESPONSES.values(), ids=ALL_RESPONSES)
    async def test_no_echoed_token_is_shown(self, reply: Callable[[bytes], bytes]) -> None:
        async with echoing(reply) as url:
            assert [line for line in await logged(url) if leaks(line)] == []

    @pytest.mark.parametrize("status", [200, 401, 503])
    async def test_no_echoed_secret_is_shown(self, status: int) -> None:
        async with raw_server(echoing_form(status, "X-Request-Id")) as url:
            assert [line for line in await logged(url) if leaks(line)] == []

    async def test_no_value_of_a_users_header_is_shown(self) -> None:
        value = "tenant-7781"

        def echo_value(request: bytes) -> bytes:
            link = f'Link: </v1/backup_instances/1/backups?page=2&tenant={value}>; rel="next"'
            more = [] if b"page=2" in request else [link]
            return http(200, b'[{"id": %d}]' % (2 - len(more)), f"X-Request-Id: {value}", *more)

        async with echoing(echo_value) as url:
            lines = await logged(url, headers={"X-Tenant": value})
        assert "?page=2&tenant=[secret]" in "".join(lines)
        assert "request id [secret]" in "".join(lines)
        assert value not in "".join(lines)


async def logged(url: str, **options: Any) -> list[str]:
    """What is logged of some calls to a server."""
    lines: list[str] = []
    async with client_of(
        url,
        credentials=ClientCredentials("demo", SECRET),
        transport=LoggingTransport(AiohttpTransport(), lines.append),
        on_event=log_events(None, lines.append),
        retry=attrs.evolve(AT_ONCE, max_throttled=0),
        **options,
    ) as client:
        for call in (client.backups.list(1).collect, partial(client.backups.trigger, 1)):
            with contextlib.suppress(BackupifyError):
                await call()
    assert lines
    return lines


PAUSED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class TestEventLine:
    @pytest.mark.parametrize(
        ("event", "line"),
        [
            (RequestSent("GET", "/x", 1), None),
            (RetryScheduled("GET", "/x", 2, 0.5, "lost"), "GET /x: attempt 2 failed, retry in 0.50 s: lost"),
            (
                Throttled("GET", "/x", 1.5, PAUSED, LimitSource.HISTORY, 10.0),
                "GET /x: throttled, Retry-After 1.5 s; paused until 03:04:05Z",
            ),
            (
                Throttled("GET", "/x", None, PAUSED, LimitSource.NONE, None),
                "GET /x: throttled, no Retry-After; paused until 03:04:05Z",
            ),
            (
                LimitChanged(LimitSource.HISTORY, 12.345, SpeedReason.AT_LIMIT, None),
                "server's limit: 12.3 calls/s (source: history); send rate: at the limit",
            ),
            (
                LimitChanged(LimitSource.NONE, None, SpeedReason.FINDING, None),
                "server's limit: unknown; send rate: finding the limit",
            ),
            (TokenRefreshed(899), "new token, valid for 899 s"),
            (TokenRefreshed(None), "new token, with no known end"),
            (SharedStoreAway("it does not respond"), "shared store away: it does not respond"),
            (SharedStoreBack(6.04), "shared store back after 6.0 s"),
        ],
    )
    def test_a_decision_has_a_line_and_a_request_has_none(self, event: Event, line: str | None) -> None:
        assert event_line(event) == line

    def test_a_hook_gets_all_events(self) -> None:
        events: list[Event] = []
        hook = log_events(events.append, lambda _: None)
        hook(TokenRefreshed(None))
        hook(RequestSent("GET", "/x", 1))
        assert events == [TokenRefreshed(None), RequestSent("GET", "/x", 1)]
