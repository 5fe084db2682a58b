"""The aiohttp transport with proxies and TLS."""

import asyncio
import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import attrs
import pytest
from yarl import URL

from backupify_async import ConfigurationError, ConnectionFailed, Settings, StaticToken, TransportError
from backupify_async._transport.aiohttp_transport import AiohttpTransport
from tests.support.aiohttp_transports import get, open_transport_to, send
from tests.support.raw_servers import http, serving

OK = http(200, b'{"id": 1}')
API = "http://api.example"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


async def proxy_for(base_url: str, *, trust_env: bool = True, proxy: str | None = None) -> str | None:
    """The proxy that a transport uses."""
    settings = Settings(
        credentials=StaticToken("t"), base_url=base_url, trust_env=trust_env, proxy=proxy, allow_insecure=True
    )
    transport = AiohttpTransport()
    try:
        await transport.open(settings)
    finally:
        await transport.close()
    return cast("str | None", transport._request_options["proxy"])


class TestAProxy:
    async def test_receives_the_requests(self) -> None:
        async with (
            serving(OK) as proxy,
            open_transport_to(API, proxy=proxy.base_url, allow_insecure=True) as transport,
        ):
            await transport(get(API))
        assert proxy.requests[0].startswith(
            b"GET http://api.example/v1/ping HTTP/1.1\r\nHost: api.example\r\n"
        )

    async def test_gets_its_password_which_no_error_shows(self) -> None:
        async with serving(OK) as proxy:
            url = proxy.base_url.replace("://", "://user:s3cret@")
            async with open_transport_to(API, proxy=url, allow_insecure=True) as transport:
                await transport(get(API))
        assert "Proxy-Authorization: Basic dXNlcjpzM2NyZXQ=" in proxy.header_lines
        async with open_transport_to(API, proxy=url, allow_insecure=True) as transport:
            with pytest.raises(ConnectionFailed) as caught:
                await transport(get(API))
        assert "s3cret" not in repr(caught.value) + str(caught.value)

    async def test_gets_a_password_with_any_characters(self) -> None:
        async with serving(OK) as proxy:
            url = proxy.base_url.replace("://", "://us%C3%A9r:p%C3%A4ss%FFw@")
            async with open_transport_to(API, proxy=url, allow_insecure=True) as transport:
                await transport(get(API))
        assert "Proxy-Authorization: Basic " + b64encode("usér:päss%FFw".encode("latin-1")).decode() in (
            proxy.header_lines
        )

    async def test_that_speaks_no_http_is_an_error_before_anything_was_sent(self) -> None:
        api = "https://api.example"
        async with (
            serving(b"SSH-2.0-OpenSSH\r\n\r\n") as proxy,
            open_transport_to(api, proxy=proxy.base_url) as transport,
        ):
            with pytest.raises(ConnectionFailed, match="response to CONNECT is not valid HTTP") as caught:
                await transport(get(api))
        assert not caught.value.sent

    async def test_that_refuses_to_connect_is_an_error_before_anything_was_sent(self) -> None:
        api = "https://api.example"
        async with serving(http(407)) as proxy, open_transport_to(api, proxy=proxy.base_url) as transport:
            with pytest.raises(ConnectionFailed, match="the proxy answered 407 to CONNECT") as caught:
                await transport(get(api))
        assert not caught.value.sent
        assert b"static-token" not in proxy.requests[0]


class TestTheEnvironment:
    @pytest.mark.parametrize(
        ("variable", "base_url"),
        [
            ("HTTPS_PROXY", "https://api.example"),
            ("https_proxy", "https://api.example"),
            ("HTTP_PROXY", "http://api.example"),
            ("ALL_PROXY", "https://api.example"),
            ("ALL_PROXY", "http://api.example"),
        ],
    )
    async def test_names_the_proxy(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, base_url: str
    ) -> None:
        monkeypatch.setenv(variable, "http://proxy.example:3128")
        assert await proxy_for(base_url) == "http://proxy.example:3128"

    async def test_is_ignored_unless_trusted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
        assert await proxy_for("https://api.example", trust_env=False) is None

    async def test_is_overridden_by_the_setting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
        assert await proxy_for("https://api.example", proxy="http://mine.example") == "http://mine.example"

    async def test_with_a_proxy_for_another_scheme_names_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
        assert await proxy_for("https://api.example") is None

    @pytest.mark.parametrize("exempt", ["api.example", ".example", "example", "*", "x.y, api.example"])
    async def test_can_exempt_hosts_by_no_proxy(self, monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
        monkeypatch.setenv("NO_PROXY", exempt)
        assert await proxy_for("https://api.example") is None
        assert await proxy_for("https://other.test") == (
            None if exempt == "*" else "http://proxy.example:3128"
        )

    async def test_can_exempt_a_port_by_no_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
        monkeypatch.setenv("NO_PROXY", "api.example:8443")
        assert await proxy_for("https://api.example:8443") is None

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "api.localhost", "[::1]"])
    async def test_names_no_proxy_for_a_loopback_host(
        self, monkeypatch: pytest.MonkeyPatch, host: str
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
        assert await proxy_for(f"http://{host}:8099") is None

    @pytest.mark.parametrize("value", ["socks5://proxy.example:1080", "proxy.example:3128"])
    async def test_with_an_unusable_proxy_is_an_error(
        self, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", value)
        with pytest.raises(ConfigurationError, match=r"^HTTPS_PROXY: needs http://"):
            await proxy_for("https://api.example")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl here to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
    alternative = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run([openssl, *new.split(), *alternative], cwd=folder, check=True, capture_output=True)
    return folder / "certificate.pem", folder / "key.pem"


@pytest.mark.blocking  # loading certificates reads files
class TestTls:
    async def test_the_users_tls_context_decides_which_servers_are_trusted(
        self, certificate: tuple[Path, Path]
    ) -> None:
        context = ssl.create_default_context(cafile=certificate[0])
        async with tls_server(certificate) as base_url, open_transport_to(base_url, tls=context) as transport:
            assert (await transport(get(base_url))).status == 200

    async def test_a_server_without_tls_is_not_tried_again(self) -> None:
        async def respond(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(http(400))
            writer.close()

        server = await asyncio.start_server(respond, "127.0.0.1")
        base_url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, open_transport_to(base_url) as transport:
            with pytest.raises(ConnectionFailed, match="TLS errors are not retried") as caught:
                await transport(get(base_url))
        assert not caught.value.sent

    async def test_a_server_that_closes_during_the_handshake_is_retried(self) -> None:
        async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1")
        base_url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, open_transport_to(base_url) as transport:
            with pytest.raises(ConnectionFailed) as caught:
                await transport(get(base_url))
        assert (caught.value.sent, caught.value.gave_up) == (False, None)

    @pytest.mark.parametrize(("method", "repeatable"), [("GET", True), ("POST", False)])
    async def test_a_server_that_requires_a_client_certificate_refuses_after_the_request_was_sent(
        self, certificate: tuple[Path, Path], method: str, repeatable: bool
    ) -> None:
        """With TLS 1.3 the alert comes after our request: a request that is not repeatable is in doubt."""
        context = ssl.create_default_context(cafile=certificate[0])
        with server_that_requires_a_certificate(certificate) as base_url:
            async with open_transport_to(base_url, tls=context) as transport:
                request = attrs.evolve(send(method, base_url), repeatable=repeatable)
                with pytest.raises(
                    TransportError, match=r"the connection broke: .*CERTIFICATE_REQUIRED"
                ) as caught:
                    await transport(request)
        assert caught.value.sent
        assert (caught.value.gave_up is not None) is repeatable

    async def test_an_untrusted_server_is_not_tried_again(self, certificate: tuple[Path, Path]) -> None:
        async with tls_server(certificate) as base_url, open_transport_to(base_url) as transport:
            with pytest.raises(ConnectionFailed, match="certificate errors are not retried") as caught:
                await transport(get(base_url))
        assert not caught.value.sent
        assert str(caught.value).startswith("the certificate of 127.0.0.1 is not trusted: ")


@contextlib.contextmanager
def server_that_requires_a_certificate(certificate: tuple[Path, Path]) -> Iterator[str]:
    """A server that requires a client certificate. It runs in a thread: asyncio's server sends no alert."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate[0])
    context.load_cert_chain(*certificate)
    context.verify_mode = ssl.CERT_REQUIRED

    def serve() -> None:
        connection, _ = listening.accept()
        with connection.dup() as plain:
            with contextlib.suppress(ssl.SSLError):
                context.wrap_socket(connection, server_side=True)
            while plain.recv(65_536):  # else closing would send a reset, which overtakes the alert
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


def tls_server(certificate: tuple[Path, Path]) -> "TlsServer":
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return TlsServer(context)


class TlsServer:
    """Responds to one request on each connection, over TLS."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", ssl=self._context)
        return str(URL.build(scheme="https", host="127.0.0.1", port=self._server.sockets[0].getsockname()[1]))

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        writer.close()
