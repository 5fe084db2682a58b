"""Our words for what aiohttp raises. Of its texts only the operating system's is used: they hold tokens."""

import errno
import ssl

import aiohttp

from backupify_async._transport.content_coding import BadCoding
from backupify_async.config import Timeouts
from backupify_async.errors import ConnectionFailed, RequestTimeout, TransportError

_CERTIFICATE = "a certificate does not heal by itself"
_TLS = "a fault of TLS does not heal by itself"
_SAME_AGAIN = "it would fail in the same way again"
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


class Failed(Exception):
    """Something failed of which there is no exception to name; it says what, in words."""


def translate(error: Exception, timeouts: Timeouts, *, sent: bool, repeatable: bool) -> TransportError:
    """The error of ours that stands for an exception.

    Args:
        error: What was raised where a request was sent and its answer read.
        timeouts: The time-outs that hold.
        sent: Whether any of the request may have left.
        repeatable: Whether the request may be sent twice. What may not, and may have left, must not be given
            up: its fate is unknown, and has to be found out.
    """
    if sent:
        return _lost(error, timeouts, _TLS if repeatable else None)
    return _unsent(error, timeouts)


def _unsent(error: Exception, timeouts: Timeouts) -> TransportError:
    """It failed before anything left."""
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
            return ConnectionFailed(f"the certificate of {error.host} is another one", False, _CERTIFICATE)
        case aiohttp.ClientConnectorError(os_error=reason):
            problem = f"no connection to {error.host}:{error.port}: {_reason(reason)}"
            gave_up = _TLS if _is_fault_of_tls(reason) else None
            return ConnectionFailed(problem, False, gave_up, ours=reason.errno in _OURS)
        case aiohttp.ClientHttpProxyError():
            return ConnectionFailed(f"the proxy answered {error.status} to CONNECT", sent=False)
        case aiohttp.ClientResponseError():
            return ConnectionFailed("the proxy's answer to CONNECT is not HTTP that can be read", sent=False)
        case OSError():
            ours = error.errno in _OURS
            return ConnectionFailed(f"no connection was made: {_reason(error)}", sent=False, ours=ours)
        case Failed():
            return ConnectionFailed(f"no connection was made: {error}", sent=False)
        case aiohttp.ClientConnectionError():
            return ConnectionFailed(f"no connection was made: {type(error).__name__}", sent=False)
        case _:
            problem = f"the request could not be sent: {type(error).__name__}"
            return TransportError(problem, False, _SAME_AGAIN)


def _lost(error: Exception, timeouts: Timeouts, fault_of_tls: str | None) -> TransportError:
    """It may have left, and no whole answer came."""
    match error:
        case TimeoutError(args=("read",)):
            problem = f"the answer paused for longer than read={timeouts.read:g} s"
            return RequestTimeout(problem, limit="read", seconds=timeouts.read)
        case TimeoutError(args=("attempt",)):
            problem = f"one attempt took longer than attempt={timeouts.attempt:g} s"
            return RequestTimeout(problem, limit="attempt", seconds=timeouts.attempt)
        case aiohttp.ServerDisconnectedError():
            return TransportError("the server closed the connection before it answered")
        case aiohttp.ClientPayloadError():
            return TransportError("the connection closed in the midst of the answer")
        case aiohttp.ClientResponseError():
            # aiohttp makes up a status 400 for an answer that is not HTTP, or whose headers are too large.
            return TransportError("the answer is not HTTP that can be read, or its headers are too large")
        case BadCoding() | Failed():
            return TransportError(str(error))
        case OSError():
            alert = error if isinstance(error, ssl.SSLError) else error.__cause__
            gave_up = fault_of_tls if _is_fault_of_tls(alert) else None
            return TransportError(f"the connection broke: {_reason(error)}", gave_up=gave_up)
        case _:
            return TransportError(f"the exchange failed: {type(error).__name__}")


def _is_fault_of_tls(error: BaseException | None) -> bool:
    """Whether two ends do not agree in TLS; a connection that ended early is no such fault."""
    ended = ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError
    return isinstance(error, ssl.SSLError) and not isinstance(error, ended)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
