"""Where a client sends: base URL, proxy and TLS."""

import ssl
from typing import Any

import pytest

from backupify_async import ConfigurationError
from backupify_async._addresses import is_loopback, parse_base_url
from tests.support.settings import settings


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
    def test_https_and_loopback_are_accepted(self, text: str) -> None:
        assert settings(base_url=text).url == parse_base_url(text, allow_insecure=False)

    @pytest.mark.parametrize(
        ("text", "problem"),
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
    def test_any_other_url_is_refused_with_the_reason(self, text: Any, problem: str) -> None:
        with pytest.raises(ConfigurationError, match=problem) as caught:
            settings(base_url=text)
        assert str(caught.value).startswith("base_url: ")
        assert "s3cret" not in str(caught.value)

    def test_http_can_be_allowed(self) -> None:
        assert settings(base_url="http://api.example", allow_insecure=True).url.host == "api.example"

    @pytest.mark.parametrize(
        ("host", "is_local"),
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
    def test_a_loopback_host_is_recognised(self, host: str, is_local: bool) -> None:
        assert is_loopback(host) is is_local


class TestTheProxy:
    @pytest.mark.parametrize("proxy", ["http://p.example:3128", "https://u:s3cret@p.example", None])
    def test_a_url_is_accepted_and_its_password_not_shown(self, proxy: str | None) -> None:
        made = settings(proxy=proxy)
        assert made.proxy == proxy
        assert "s3cret" not in repr(made)

    @pytest.mark.parametrize("proxy", ["", "p.example:3128", "socks5://u:s3cret@p", "http://", "http://[", 7])
    def test_any_other_value_is_refused_and_not_shown(self, proxy: Any) -> None:
        with pytest.raises(
            ConfigurationError, match=r"^proxy: needs http:// or https:// and a host"
        ) as caught:
            settings(proxy=proxy)
        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("proxy", "problem"),
        [
            ("http://u:s3cret\u017e@p.example", "its user and password must be Latin-1"),
            ("http://s3cret\u20ac@p.example", "its user and password must be Latin-1"),
            ("http://u:s3cret%C5%BE@p.example", "its user and password must be Latin-1"),
            ("http://u%3As3cret:p@p.example", "its user must not contain a colon"),
            ("http://u:s3cret@p..example", "its host has an empty label"),
            (f"http://u:s3cret@{'a' * 64}.example", "its host has an empty label, a label of more"),
        ],
    )
    def test_an_unusable_url_is_refused_and_not_shown(self, proxy: str, problem: str) -> None:
        with pytest.raises(ConfigurationError, match=f"^proxy: {problem}") as caught:
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

    def test_a_clients_context_is_accepted(self) -> None:
        context = ssl.create_default_context()
        assert settings(tls=context).tls is context
