"""No secret and no token is in anything that is printed, logged, pickled or sent to another server.

The calls run against servers that send the secret back wherever they can. The tests search for it in all
errors, events and log records that result.
"""

import asyncio
import copy
import logging
import pickle
import tracemalloc
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from yarl import URL

from backupify_async import (
    BackupifyClient,
    BackupifyError,
    ClientCredentials,
    RateLimit,
    Settings,
    StaticToken,
    Timeouts,
    Token,
)
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.clients import AT_ONCE, client_of
from tests.support.echoes import (
    IN_LINKS_AND_HEADERS,
    RESPONSES,
    SECRET,
    TOKEN,
    echo,
    echoing,
    echoing_form,
    leaks,
    shown_by,
)
from tests.support.fake_transport import respond, shorten_token_troubles
from tests.support.raw_servers import raw_server

CALLS: list[Callable[[BackupifyClient], Awaitable[Any]]] = [
    lambda client: client.backups.get(1, 1),
    lambda client: client.backups.list(1).collect(),
    lambda client: client.backups.get_active(1),
    lambda client: client.backups.latest(1),
    lambda client: client.backups.trigger(1),
]


@pytest.fixture(autouse=True)
def _short_troubles(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_token_troubles(monkeypatch, 50)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """All log records of the package and of aiohttp, from DEBUG, with their arguments and tracebacks."""
    for name in ("backupify_async", "aiohttp", "asyncio", ""):
        caplog.set_level(logging.DEBUG, logger=name)
    formatter = logging.Formatter("%(name)s %(message)s")
    return lambda: [formatter.format(record) + repr(record.args) for record in caplog.records]


async def errors_of_all_calls(url: str, events: list[object], **options: Any) -> list[BaseException]:
    """The errors of all calls; appends their events, and checks the reprs of client and statistics."""
    errors: list[BaseException] = []
    credentials = options.pop("credentials", ClientCredentials("demo", SECRET))
    for call in CALLS:
        async with client_of(url, credentials=credentials, on_event=events.append, **options) as client:
            try:
                await call(client)
            except BackupifyError as error:
                errors.append(error)
            assert leaks(repr(client.statistics())) == leaks(repr(client)) == []
    return errors


def assert_no_leak(errors: list[BaseException], events: list[object], logged: list[str]) -> None:
    found = [(type(error).__name__, text) for error in errors for text in shown_by(error) if leaks(text)]
    assert found == []
    assert [text for event in events for text in (repr(event), pickle.dumps(event)) if leaks(text)] == []
    assert [line for line in logged if leaks(line)] == []


class TestErrorsEventsAndLogs:
    @pytest.mark.parametrize("reply", RESPONSES.values(), ids=RESPONSES)
    async def test_an_echoed_token_is_not_shown(
        self, reply: Callable[[bytes], bytes], logged: Callable[[], list[str]]
    ) -> None:
        events: list[object] = []
        async with echoing(reply) as url:
            errors = await errors_of_all_calls(url, events, retry=attrs.evolve(AT_ONCE, max_throttled=0))
        assert events
        assert_no_leak(errors, events, logged())

    @pytest.mark.parametrize("reply", IN_LINKS_AND_HEADERS.values(), ids=IN_LINKS_AND_HEADERS)
    async def test_a_token_in_a_quoted_link_or_header_is_not_shown(
        self, reply: Callable[[bytes], bytes], logged: Callable[[], list[str]]
    ) -> None:
        events: list[object] = []
        async with echoing(reply) as url:
            errors = await errors_of_all_calls(url, events)
        assert errors
        assert_no_leak(errors, events, logged())

    @pytest.mark.parametrize("header", ["X-Other", "X-Request-Id"])
    @pytest.mark.parametrize("status", [408, 429, 500, 503])
    async def test_a_failing_token_endpoint_does_not_reveal_the_secret(
        self, status: int, header: str, logged: Callable[[], list[str]]
    ) -> None:
        events: list[object] = []
        async with raw_server(echoing_form(status, header)) as url:
            errors = await errors_of_all_calls(url, events, retry=attrs.evolve(AT_ONCE, max_throttled=0))
        assert len(errors) == len(CALLS)
        assert_no_leak(errors, events, logged())

    @pytest.mark.parametrize("status", [200, 302, 400, 401])
    async def test_a_refusing_token_endpoint_does_not_reveal_the_secret(
        self, status: int, logged: Callable[[], list[str]]
    ) -> None:
        events: list[object] = []
        async with raw_server(echoing_form(status, "X-Request-Id")) as url:
            errors = await errors_of_all_calls(url, events)
        assert len(errors) == len(CALLS)
        assert_no_leak(errors, events, logged())

    async def test_a_missing_response_reveals_no_secret(self, logged: Callable[[], list[str]]) -> None:
        async def hang(_request: bytes, _writer: asyncio.StreamWriter) -> None: ...

        async def drop(_request: bytes, writer: asyncio.StreamWriter) -> None:
            writer.close()

        events: list[object] = []
        errors: list[BaseException] = []
        static = StaticToken(TOKEN)
        async with raw_server(drop) as url:
            errors += await errors_of_all_calls(url, events)
            errors += await errors_of_all_calls(url, events, credentials=static)
        errors += await errors_of_all_calls(url, events, credentials=static)  # no longer listening
        for timeouts in (Timeouts(read=0.001), Timeouts(attempt=0.001), Timeouts(total=0.001)):
            async with raw_server(hang) as url:
                errors += await errors_of_all_calls(url, events, credentials=static, timeouts=timeouts)
        assert len(errors) == 6 * len(CALLS)
        assert_no_leak(errors, events, logged())

    async def test_a_token_from_custom_credentials_is_not_shown(
        self, logged: Callable[[], list[str]]
    ) -> None:
        class Vault:
            async def token(self) -> Token:
                return Token(TOKEN, 60.0)

        events: list[object] = []
        async with echoing(echo(401)) as url:
            errors = await errors_of_all_calls(url, events, credentials=Vault())
        assert len(errors) == len(CALLS)
        assert_no_leak(errors, events, logged())

    async def test_an_aborted_fleet_reveals_no_secret(self, logged: Callable[[], list[str]]) -> None:
        credentials = ClientCredentials("demo", SECRET)
        async with (
            echoing(RESPONSES["429, too long"]) as url,
            client_of(url, credentials=credentials) as client,
        ):
            with pytest.raises(BackupifyError) as raised:
                await client.fleet(range(10)).get_active()
        assert_no_leak([raised.value], [], logged())


MESSAGE = PreparedRequest(
    "GET",
    URL("https://api.example/"),
    {"Authorization": f"Bearer {TOKEN}"},
    SECRET.encode(),
    datetime.now(UTC),
    (TOKEN, SECRET),
)


class TestReprs:
    @pytest.mark.parametrize(
        "value",
        [
            ClientCredentials("demo", SECRET),
            StaticToken(TOKEN),
            Token(TOKEN, 899.0),
            Settings(
                credentials=ClientCredentials("demo", SECRET), proxy=f"http://u:{SECRET[:4]}@proxy.example"
            ),
            BackupifyClient(StaticToken(TOKEN), rate_limit=RateLimit(None, adaptive=False)),
            MESSAGE,
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_a_repr_shows_no_secret(self, value: object) -> None:
        assert leaks(repr(value)) == leaks(str(value)) == leaks(f"{value}") == []
        assert "hush" not in repr(value)

    def test_the_repr_of_a_response_shows_no_secret(self) -> None:
        response: Response = respond(MESSAGE, 200, TOKEN.encode())
        assert leaks(repr(response)) == []


class TestAnExcerpt:
    def test_an_excerpt_reads_only_the_beginning_of_the_body(self) -> None:
        response = respond(MESSAGE, 200, b"\xff" * 2**20)
        tracemalloc.start()
        try:
            assert len(response.excerpt) == 200
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 2**21

    @pytest.mark.parametrize("before", [0, 150, 180, 195, 199, 200])
    def test_a_secret_across_the_end_of_an_excerpt_is_removed(self, before: int) -> None:
        response = respond(MESSAGE, 200, b"x" * before + SECRET.encode() + b"y" * 300)
        assert SECRET[:4] not in response.excerpt
        assert len(response.excerpt) == 200

    def test_an_excerpt_full_of_secrets_shows_none(self) -> None:
        response = respond(MESSAGE, 200, TOKEN.encode() * 100_000)
        assert set(response.excerpt.split("[secret]")) <= {
            "",
            "[",
            "[s",
            "[se",
            "[sec",
            "[secr",
            "[secre",
            "[secret",
        }


class TestValuesWithSecretsCannotBePickled:
    HOLDERS: Mapping[str, object] = {
        "credentials": ClientCredentials("demo", SECRET),
        "static token": StaticToken(TOKEN),
        "token": Token(TOKEN),
        "settings": Settings(credentials=ClientCredentials("demo", SECRET)),
    }

    @pytest.mark.parametrize("value", HOLDERS.values(), ids=HOLDERS)
    @pytest.mark.parametrize("copy_out", [pickle.dumps, copy.deepcopy], ids=["pickle", "deepcopy"])
    def test_a_value_with_a_secret_cannot_be_copied_out(
        self, value: object, copy_out: Callable[[object], object]
    ) -> None:
        with pytest.raises(TypeError, match="secret") as raised:
            copy_out(value)
        assert leaks(str(raised.value)) == []

    async def test_a_client_cannot_be_pickled(self) -> None:
        async with client_of("http://127.0.0.1:1", credentials=StaticToken(TOKEN)) as client:
            with pytest.raises((TypeError, AttributeError)):
                pickle.dumps(client)
