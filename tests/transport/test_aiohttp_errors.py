"""The errors that aiohttp's exceptions become: those that a loopback address cannot cause."""

import ssl

import aiohttp
import pytest

from backupify_async import ConnectionFailed, RequestTimeout, Timeouts
from backupify_async._transport.aiohttp_errors import translate

KEY = aiohttp.client_reqrep.ConnectionKey("api.example", 443, True, True, None, None, None)


class TestBeforeTheRequestWasSent:
    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (aiohttp.ConnectionTimeoutError(), "connecting took longer than connect=10 s"),
            (TimeoutError("attempt"), "one attempt took longer than attempt=60 s, and was not sent"),
            (
                aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "Name or service not known")),
                "no connection to api.example:443: Name or service not known",
            ),
            (
                aiohttp.ClientConnectorError(KEY, OSError(24, "Too many open files")),
                "no connection to api.example:443: Too many open files",
            ),
            (
                aiohttp.ClientConnectorSSLError(KEY, ssl.SSLEOFError(8, "EOF occurred")),
                "no connection to api.example:443: EOF occurred",
            ),
            (OSError(24, "Too many open files"), "no connection was established: Too many open files"),
            (aiohttp.ClientConnectionError("token"), "no connection was established: ClientConnectionError"),
        ],
    )
    def test_the_error_says_that_nothing_was_sent_and_permits_a_retry(
        self, error: Exception, text: str
    ) -> None:
        failure = translate(error, Timeouts(), sent=False, repeatable=False)
        assert str(failure) == text
        assert (type(failure), failure.sent) in ((ConnectionFailed, False), (RequestTimeout, False))

    @pytest.mark.parametrize(
        ("error", "ours"),
        [
            (aiohttp.ClientConnectorError(KEY, OSError(24, "Too many open files")), True),
            (OSError(99, "Cannot assign requested address"), True),
            (aiohttp.ClientConnectorError(KEY, OSError(111, "Connection refused")), False),
            (OSError(111, "Connection refused"), False),
        ],
    )
    def test_a_fault_of_this_machine_is_distinguished_from_one_of_the_server(
        self, error: Exception, ours: bool
    ) -> None:
        assert translate(error, Timeouts(), sent=False, repeatable=True).ours is ours

    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (aiohttp.InvalidURL("token"), "the request could not be sent: InvalidURL; gave up: "),
            (UnicodeEncodeError("latin-1", "token", 0, 1, ""), "the request could not be sent: Unicode"),
            (
                aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]")),
                "no connection to api.example:443: [SSL: WRONG_VERSION_NUMBER]; gave up: TLS errors",
            ),
            (
                aiohttp.ServerFingerprintMismatch(b"token", b"", "api.example", 443),
                "the certificate of api.example has another fingerprint; gave up: certificate errors",
            ),
        ],
    )
    def test_a_failure_that_would_repeat_permits_no_retry(self, error: Exception, text: str) -> None:
        failure = translate(error, Timeouts(), sent=False, repeatable=True)
        assert str(failure).startswith(text)
        assert not failure.sent
        assert failure.gave_up is not None
        assert "token" not in str(failure)


class TestAfterTheRequestWasSent:
    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (TimeoutError("read"), "the response paused for longer than read=30 s"),
            (TimeoutError("attempt"), "one attempt took longer than attempt=60 s"),
            (aiohttp.ServerDisconnectedError(), "the server closed the connection before it responded"),
            (aiohttp.ClientPayloadError("token"), "the connection closed in the middle of the response"),
            (
                aiohttp.ClientOSError(104, "Connection reset by peer"),
                "the connection broke: Connection reset by peer",
            ),
            (aiohttp.ClientConnectionResetError("token"), "the connection broke: ClientConnectionResetError"),
            (ConnectionResetError(), "the connection broke: ConnectionResetError"),
            (ValueError("token"), "the request failed: ValueError"),
        ],
    )
    def test_the_error_says_that_the_request_was_sent_and_permits_a_retry(
        self, error: Exception, text: str
    ) -> None:
        for repeatable in (True, False):
            failure = translate(error, Timeouts(), sent=True, repeatable=repeatable)
            assert (str(failure), failure.sent, failure.gave_up) == (text, True, None)
