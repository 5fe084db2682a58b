"""Our errors for what aiohttp raises. Only texts of the operating system are used: aiohttp's hold tokens."""

import errno
import ssl

import aiohttp

from backupify_async._transport.content_coding import BadCoding
from backupify_async.config import Timeouts
from backupify_async.errors import ConnectionFailed, RequestTimeout, TransportError

_CERTIFICATE = "certificate errors are not retried"
_TLS = "TLS errors are not retried"
_SAME_AGAIN = "it would fail again"
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


class Failed(Exception):
    """A failure without an exception of its own; the text says which."""


def translate(error: Exception, timeouts: Timeouts, *, sent: bool, repeatable: bool) -> TransportError:
    """Our error for an exception.

    Args:
        error: What was raised while a request was sent and its response read.
        timeouts: The time-outs of the request.
        sent: Whether a part of the request can have been sent.
        repeatable: Whether the request is repeatable. One that is not, and can have been sent, is never given
            up here: its outcome is in doubt, and must be found out.
    """
    if sent:
        return _lost(error, timeouts, _TLS if repeatable else None)
    return _unsent(error, timeouts)


def _unsent(error: Exception, timeouts: Timeouts) -> TransportError:
    """Nothing was sent."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            problem = f"connecting took longer than connect={timeouts.connect:g} s"
            return RequestTimeout(problem, sent=False, limit="connect", seconds=timeouts.connect)
        case TimeoutError(args=("attempt",)):
            problem = f"one attempt took longer than attempt={timeouts.attempt:g} s, and was not sent"
            return RequestTimeout(problem, sent=False, limit="attempt", seconds=timeouts.attempt)
        case aiohttp.ClientConnectorCertificateError():
            problem = f"the certificate of {error.host} is not trusted: {error.certificate_error}"
            return ConnectionFailed(problem, False, _CERTIFICATE)
        case aiohttp.ServerFingerprintMismatch():
            return ConnectionFailed(
                f"the certificate of {error.host} has another fingerprint", False, _CERTIFICATE
            )
        case aiohttp.ClientConnectorError(os_error=reason):
            problem = f"no connection to {error.host}:{error.port}: {_reason(reason)}"
            gave_up = _TLS if _is_tls_error(reason) else None
            return ConnectionFailed(problem, False, gave_up, ours=reason.errno in _OURS)
        case aiohttp.ClientHttpProxyError():
            return ConnectionFailed(f"the proxy answered {error.status} to CONNECT", sent=False)
        case aiohttp.ClientResponseError():
            return ConnectionFailed("the proxy's response to CONNECT is not valid HTTP", sent=False)
        case OSError():
            ours = error.errno in _OURS
            return ConnectionFailed(f"no connection was established: {_reason(error)}", sent=False, ours=ours)
        case Failed():
            return ConnectionFailed(f"no connection was established: {error}", sent=False)
        case aiohttp.ClientConnectionError():
            return ConnectionFailed(f"no connection was established: {type(error).__name__}", sent=False)
        case _:
            problem = f"the request could not be sent: {type(error).__name__}"
            return TransportError(problem, False, _SAME_AGAIN)


def _lost(error: Exception, timeouts: Timeouts, tls_gave_up: str | None) -> TransportError:
    """The request can have been sent, and no whole response came."""
    match error:
        case TimeoutError(args=("read",)):
            problem = f"the response paused for longer than read={timeouts.read:g} s"
            return RequestTimeout(problem, limit="read", seconds=timeouts.read)
        case TimeoutError(args=("attempt",)):
            problem = f"one attempt took longer than attempt={timeouts.attempt:g} s"
            return RequestTimeout(problem, limit="attempt", seconds=timeouts.attempt)
        case aiohttp.ServerDisconnectedError():
            return TransportError("the server closed the connection before it responded")
        case aiohttp.ClientPayloadError():
            return TransportError("the connection closed in the middle of the response")
        case aiohttp.ClientResponseError():
            # aiohttp makes up a status 400 for a response that is not HTTP, or whose headers are too large.
            return TransportError("the response is not valid HTTP, or its headers are too large")
        case BadCoding() | Failed():
            return TransportError(str(error))
        case OSError():
            alert = error if isinstance(error, ssl.SSLError) else error.__cause__
            gave_up = tls_gave_up if _is_tls_error(alert) else None
            return TransportError(f"the connection broke: {_reason(error)}", gave_up=gave_up)
        case _:
            return TransportError(f"the request failed: {type(error).__name__}")


def _is_tls_error(error: BaseException | None) -> bool:
    """Whether TLS itself failed; a connection that ended early is no such failure."""
    ended = ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError
    return isinstance(error, ssl.SSLError) and not isinstance(error, ended)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
