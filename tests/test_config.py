"""The settings: checked when they are made, and each complaint names what it is about."""

import math
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from backupify_async import (
    ClientCredentials,
    ConfigurationError,
    RateLimit,
    Reconciliation,
    RetryPolicy,
    Settings,
    StaticToken,
    Timeouts,
)
from backupify_async._addresses import is_loopback, parse_base_url
from backupify_async._checks import check_count

TOKEN = StaticToken("s3cret")
NO_COUNT = [0, -1, 1.5, math.nan, True, "3", None]
NO_NUMBER = [-1, math.nan, math.inf, -math.inf, True, "3"]


def settings(**options: Any) -> Settings:
    return Settings(**{"credentials": TOKEN, **options})


class TestNumbers:
    @pytest.mark.parametrize(
        ("kind", "name", "value"),
        [
            *((RateLimit, "burst", value) for value in NO_COUNT),
            *((RateLimit, "per_second", value) for value in [0, *NO_NUMBER]),
            *((RetryPolicy, "attempts", value) for value in NO_COUNT),
            *((RetryPolicy, "budget", value) for value in [-1, 1.5, math.nan, True, "3", None]),
            *(
                (RetryPolicy, name, value)
                for name in ("base", "cap", "max_retry_after", "max_throttled")
                for value in [None, *NO_NUMBER]
            ),
            *(
                (Timeouts, name, value)
                for name in ("connect", "read", "attempt", "total")
                for value in [0, *NO_NUMBER]
            ),
            *(
                (Reconciliation, name, value)
                for name in ("settling", "clock_tolerance", "patience")
                for value in [None, *NO_NUMBER]
            ),
            *(
                (settings, name, value)
                for name in ("max_concurrency", "max_body_bytes")
                for value in NO_COUNT
            ),
        ],
    )
    def test_one_that_makes_no_sense_is_named(
        self, kind: Callable[..., object], name: str, value: object
    ) -> None:
        with pytest.raises(ValueError, match=rf"^{name} must be .*, not ") as caught:
            kind(**{name: value})
        assert str(caught.value).endswith(repr(value))

    @pytest.mark.parametrize(
        ("kind", "options"),
        [
            (RateLimit, {"per_second": None, "burst": 1}),
            (RateLimit, {"per_second": 0.001, "burst": 10**6}),
            (
                RetryPolicy,
                {"attempts": 1, "base": 0, "cap": 0, "max_retry_after": 0, "max_throttled": 0, "budget": 0},
            ),
            (Timeouts, {"connect": None, "read": None, "attempt": None, "total": None}),
            (Timeouts, {"connect": 0.1, "read": 1, "attempt": 1e9, "total": 0.5}),
            (Reconciliation, {"settling": 0, "clock_tolerance": 0, "patience": 0}),
            (settings, {"max_concurrency": 1, "max_body_bytes": 1}),
        ],
    )
    def test_one_at_the_edge_is_taken(self, kind: Callable[..., object], options: dict[str, object]) -> None:
        assert {name: getattr(kind(**options), name) for name in options} == options

    def test_a_minimum_can_be_another(self) -> None:
        check_count("limit", 0, minimum=0)
        with pytest.raises(ValueError, match=r"^limit must be an integer of at least 2, not 1$"):
            check_count("limit", 1, minimum=2)

    def test_the_defaults_are_the_documented_ones(self) -> None:
        assert RateLimit() == RateLimit(None, 10, adaptive=True)
        assert RetryPolicy() == RetryPolicy(4, 0.5, 8.0, 120.0, 900.0, 500)
        assert Timeouts() == Timeouts(10, 30, 60, None)
        assert settings().reconciliation == Reconciliation() == Reconciliation(30, 300, 120)
        assert (settings().max_concurrency, settings().max_body_bytes) == (64, 64 * 2**20)

    @pytest.mark.parametrize("value", [RateLimit(adaptive=False), RetryPolicy(), Timeouts(), settings()])
    def test_settings_are_frozen(self, value: attrs.AttrsInstance) -> None:
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, attrs.fields(type(value))[0].name, 1)


class TestTheBaseUrl:
    @pytest.mark.parametrize(
        "text",
        [
            *(
                "https://api.backupify.com",
                "https://api.example:8443/prefix/",
                "HTTPS://API.EXAMPLE",
                "https://[::1]",
            ),
            *(
                "http://127.0.0.1:8099",
                "http://127.9.9.9",
                "http://localhost",
                "http://LOCALHOST:1",
                "http://[::1]:8",
            ),
            "http://a.localhost/x",
            "http://localhost.",
            "https://api.example.",
            f"https://{'a' * 63}.example",
            "https://b\u00fccher.example",
            "https://my_host.example",
        ],
    )
    def test_https_and_loopback_are_taken(self, text: str) -> None:
        assert settings(base_url=text).url == parse_base_url(text, allow_insecure=False)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            *(
                (bad, "needs a scheme and a host")
                for bad in ("", "api.example", "/x", "//api.example", "https://")
            ),
            *(
                (bad, "needs a scheme and a host")
                for bad in ("ftp://api.example", "file:///etc", "https:api")
            ),
            *(
                (
                    bad,
                    "its host has an empty label, a label of more than 63 characters, or more than 253 char",
                )
                for bad in (
                    "https://x..example",
                    "https://.example",
                    "https://example..",
                    f"https://{'a' * 64}.example",
                    "https://" + "a." * 127 + "a",
                )
            ),
            *(
                (bad, "its host is not an IPv4 address of four numbers from 0 to 255")
                for bad in ("https://127.1", "https://2130706433", "https://1.2.3.256", "https://1.2.3.04")
            ),
            *(
                (bad, "is not a URL")
                for bad in ("https://[", "https://api.example:99999", "https://a:b", None, 7)
            ),
            *(
                (bad, "must not contain a user")
                for bad in ("https://u@h", "https://u:s3cret@h", "https://:s3cret@h")
            ),
            *((bad, "must not contain a query") for bad in ("https://h?a=s3cret", "https://h/#s3cret")),
            *(
                (bad, "would send the token in the clear")
                for bad in ("http://api.example", "http://10.0.0.1")
            ),
            *(
                (bad, "in the clear")
                for bad in ("http://127.0.0.1.evil.example", "http://localhost.evil.example")
            ),
        ],
    )
    def test_any_other_is_refused_and_says_why(self, text: Any, says: str) -> None:
        with pytest.raises(ConfigurationError, match=says) as caught:
            settings(base_url=text)
        assert str(caught.value).startswith("base_url: ")
        assert "s3cret" not in str(caught.value)

    def test_the_clear_may_be_allowed(self) -> None:
        assert settings(base_url="http://api.example", allow_insecure=True).url.host == "api.example"

    @pytest.mark.parametrize(
        ("host", "stays"),
        [
            *(
                ("localhost", True),
                ("x.localhost", True),
                ("localhost.", True),
                ("127.0.0.1", True),
                ("127.1.2.3", True),
                ("::1", True),
            ),
            *(
                ("localhost.example", False),
                ("notlocalhost", False),
                ("10.0.0.1", False),
                ("::2", False),
                ("", False),
            ),
        ],
    )
    def test_a_loopback_host_stays_on_this_machine(self, host: str, stays: bool) -> None:
        assert is_loopback(host) is stays


class TestTheProxy:
    @pytest.mark.parametrize("proxy", ["http://p.example:3128", "https://u:s3cret@p.example", None])
    def test_a_url_is_taken_and_its_password_never_shown(self, proxy: str | None) -> None:
        made = settings(proxy=proxy)
        assert made.proxy == proxy
        assert "s3cret" not in repr(made)

    @pytest.mark.parametrize("proxy", ["", "p.example:3128", "socks5://u:s3cret@p", "http://", "http://[", 7])
    def test_any_other_is_refused_unseen(self, proxy: Any) -> None:
        with pytest.raises(
            ConfigurationError, match=r"^proxy: needs http:// or https:// and a host"
        ) as caught:
            settings(proxy=proxy)
        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("proxy", "says"),
        [
            ("http://u:s3cret\u017e@p.example", "its user and password must be Latin-1"),
            ("http://s3cret\u20ac@p.example", "its user and password must be Latin-1"),
            ("http://u:s3cret%C5%BE@p.example", "its user and password must be Latin-1"),
            ("http://u%3As3cret:p@p.example", "its user must not contain a colon"),
            ("http://u:s3cret@p..example", "its host has an empty label"),
            (f"http://u:s3cret@{'a' * 64}.example", "its host has an empty label, a label of more"),
        ],
    )
    def test_one_that_could_not_be_used_is_refused_unseen(self, proxy: str, says: str) -> None:
        with pytest.raises(ConfigurationError, match=f"^proxy: {says}") as caught:
            settings(proxy=proxy)
        links: list[BaseException | None] = [caught.value, caught.value.__cause__, caught.value.__context__]
        assert "s3cret" not in "".join(str(vars(link)) + repr(link) for link in links if link is not None)
        assert not [link for link in links if isinstance(link, UnicodeError)]


class TestTls:
    @pytest.mark.parametrize("tls", [False, True, 0, "no", "", b"", ssl, ssl.SSLContext])
    def test_anything_but_a_context_is_refused(self, tls: Any) -> None:
        with pytest.raises(ConfigurationError, match=r"^tls: must be an ssl.SSLContext, or None"):
            settings(tls=tls)

    def test_a_servers_context_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^tls: is a server's context"):
            settings(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def test_a_clients_context_is_taken(self) -> None:
        context = ssl.create_default_context()
        assert settings(tls=context).tls is context


class TestCredentials:
    def test_any_object_that_gives_tokens_will_do(self) -> None:
        class Vault:
            async def token(self) -> object: ...

        assert repr(settings(credentials=Vault())).startswith("Settings(credentials=Vault, ")

    @pytest.mark.parametrize("credentials", [None, "s3cret", ("demo", "s3cret"), {"token": "s3cret"}])
    def test_any_other_is_refused_unseen(self, credentials: object) -> None:
        with pytest.raises(ConfigurationError, match=r"^credentials: must be ") as caught:
            settings(credentials=credentials)
        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize("credentials", [TOKEN, ClientCredentials("demo", "s3cret")])
    def test_none_is_shown(self, credentials: object) -> None:
        assert "s3cret" not in repr(
            settings(credentials=credentials, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        )


NAMES = {
    "token": "BACKUPIFY_TOKEN",
    "id": "BACKUPIFY_CLIENT_ID",
    "secret": "BACKUPIFY_CLIENT_SECRET",
    "file": "BACKUPIFY_CLIENT_SECRET_FILE",
    "url": "BACKUPIFY_BASE_URL",
}


def from_env(**variables: str) -> Settings:
    return Settings.from_env({NAMES[name]: value for name, value in variables.items()})


class TestTheEnvironment:
    def test_a_token_is_enough(self) -> None:
        assert from_env(token="abc").credentials == StaticToken("abc")

    def test_an_id_and_a_secret_are_enough(self) -> None:
        assert from_env(id="demo", secret="abc").credentials == ClientCredentials("demo", "abc")

    def test_the_secret_may_stand_in_a_file(self) -> None:
        assert from_env(id="demo", file="nowhere").credentials == ClientCredentials("demo", Path("nowhere"))

    @pytest.mark.parametrize(
        ("variables", "named"),
        [
            ({}, ["id", "secret", "file", "token"]),
            ({"id": "demo"}, ["secret", "id", "file"]),
            ({"secret": "s3cret"}, ["id", "secret"]),
            ({"file": "nowhere"}, ["id", "file"]),
            ({"secret": "s3cret", "file": "nowhere"}, ["id"]),
            ({"id": "demo", "secret": "s3cret", "file": "nowhere"}, ["secret", "file"]),
            ({"token": "s3cret", "id": "demo"}, ["token", "id"]),
            ({"token": "s3cret", "secret": "s3cret"}, ["token", "secret"]),
            ({"token": "s3cret", "file": "nowhere"}, ["token", "file"]),
            ({"token": "s3cret", "id": "demo", "secret": "s3cret"}, ["token", "id"]),
            ({"token": ""}, ["token"]),
            ({"token": "  "}, ["token"]),
            ({"id": "", "secret": "s3cret"}, ["id"]),
            ({"id": "demo", "secret": ""}, ["secret"]),
            ({"id": "demo", "secret": "s3cret", "file": ""}, ["file"]),
            ({"token": "s3cret", "url": "api.example"}, ["url"]),
            ({"token": "s3cret", "url": "https://u:s3cret@h"}, ["url"]),
            ({"token": "s3cret", "url": "http://api.example"}, ["url"]),
        ],
    )
    def test_what_is_missing_doubled_or_empty_is_named(
        self, variables: dict[str, str], named: list[str]
    ) -> None:
        with pytest.raises(ConfigurationError) as caught:
            from_env(**variables)
        message = str(caught.value)
        assert [NAMES[name] for name in named if NAMES[name] not in message] == []
        assert "s3cret" not in message

    def test_a_token_that_no_header_may_carry_is_named(self) -> None:
        with pytest.raises(ConfigurationError, match="BACKUPIFY_TOKEN"):
            from_env(token="s3\ncret")

    @pytest.mark.parametrize("around", ["{}\n", "{}\r", "\ufeff{}\r\n"])
    def test_line_ends_and_a_bom_around_a_variable_are_left_out(self, around: str) -> None:
        demo, abc = around.format("demo"), around.format("abc")
        assert from_env(token=abc).credentials == StaticToken("abc")
        assert from_env(id=demo, secret=abc).credentials == ClientCredentials("demo", "abc")
        assert from_env(id=demo, file=abc).credentials == ClientCredentials("demo", Path("abc"))

    @pytest.mark.parametrize("text", ["s3\x00cret", "s3\rcret", "s3crét", "\ts3cret"])
    @pytest.mark.parametrize(("bad", "good"), [("id", "secret"), ("secret", "id")])
    def test_an_id_or_secret_that_oauth_cannot_have_is_named_by_its_variable(
        self, text: str, bad: str, good: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=f"^{NAMES[bad]}: contains") as caught:
            from_env(**{bad: text, good: "abc"})
        assert "s3" not in str(caught.value)

    def test_the_base_url_has_a_default(self) -> None:
        assert from_env(token="abc").base_url == "https://api.backupify.com"
        assert from_env(token="abc", url="").base_url == "https://api.backupify.com"

    def test_the_base_url_is_taken(self) -> None:
        assert from_env(token="abc", url="https://api.example/x").base_url == "https://api.example/x"

    def test_a_proxy_of_the_environment_is_trusted(self) -> None:
        assert from_env(token="abc").trust_env

    def test_options_stand_above_it(self) -> None:
        environ = {"BACKUPIFY_TOKEN": "abc", "BACKUPIFY_BASE_URL": "not even a URL"}
        made = Settings.from_env(environ, base_url="https://api.example", trust_env=False, max_concurrency=3)
        assert (made.base_url, made.trust_env, made.max_concurrency) == ("https://api.example", False, 3)

    def test_the_clear_may_be_allowed(self) -> None:
        environ = {"BACKUPIFY_TOKEN": "abc", "BACKUPIFY_BASE_URL": "http://api.example"}
        assert Settings.from_env(environ, allow_insecure=True).base_url == "http://api.example"

    def test_it_is_that_of_the_process_where_none_is_given(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in NAMES.values():
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("BACKUPIFY_TOKEN", "abc")
        assert Settings.from_env().credentials == StaticToken("abc")


@pytest.mark.parametrize("rate", [10**400, -(10**400)])
def test_a_rate_that_no_float_holds_is_named(rate: int) -> None:
    with pytest.raises(ValueError, match="per_second"):
        RateLimit(per_second=rate)


@pytest.mark.parametrize("blank", ["  ", "\t", "\n"])
def test_a_secret_of_white_space_is_none(blank: str) -> None:
    with pytest.raises(ConfigurationError, match="client secret"):
        ClientCredentials("a", blank)
