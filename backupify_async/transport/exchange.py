"""One request over the wire and its answer back: the only module that talks to aiohttp."""

import asyncio
from contextvars import ContextVar
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from backupify_async.addresses import check_proxy, is_loopback
from backupify_async.config import Settings
from backupify_async.errors import (
    BackupifyError,
    ConfigurationError,
    ConnectionFailed,
    DecodeError,
    RequestTimeout,
    TransportError,
)
from backupify_async.transport.request import Message, Response
from backupify_async.transport.watch import Attempt, Watch
from backupify_async.version import __version__

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"backupify-async/{__version__}",
}
_NO_TYPE_OF_NOTHING = ("Content-Type",)
_ERROR_BODY_BYTES = 64 * 2**10
_CHUNK_BYTES = 64 * 2**10
_RECEIVED_BYTES = 64 * 2**10  # at once, from a socket


_ATTEMPT: ContextVar[Attempt] = ContextVar("backupify_async_attempt")


class _Connector(aiohttp.TCPConnector):
    """Tells an attempt that it has its connection, and has that read in small pieces."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        _ATTEMPT.get().waits_for()
        transport = connection.transport
        # asyncio's own loop reads into a new buffer of so many bytes each time, and its 256 KiB are enough
        # for the C library to map and unmap them: a tenth of a call. TLS has buffers of its own.
        if getattr(transport, "max_size", 0) > _RECEIVED_BYTES:
            transport.max_size = _RECEIVED_BYTES  # type: ignore[union-attr]
        return connection


class Exchange:
    """A pool of connections to one API.

    Args:
        settings: Where to, through which proxy, with which time-outs.
        connector: A connector of the caller's, which stays the caller's; None for one of our own.
    """

    def __init__(self, settings: Settings, connector: aiohttp.BaseConnector | None) -> None:
        self._settings = settings
        self._connector = connector
        self._watch = Watch(settings.timeouts)
        self._session: aiohttp.ClientSession | None = None
        self._fresh_session: aiohttp.ClientSession | None = None
        self._at_once = min(settings.max_body_bytes, _ERROR_BODY_BYTES)
        self._tls = True if settings.tls is None else settings.tls
        self._proxy = settings.proxy
        if self._proxy is None and settings.trust_env:
            self._proxy = _proxy_from_environment(settings.url)

    @property
    def places(self) -> int:
        """How many requests may be in flight: no more than the connector takes, or they would queue there."""
        connector = self._connector
        limits = [connector.limit, connector.limit_per_host] if connector is not None else []
        return min([self._settings.max_concurrency, *(limit for limit in limits if limit > 0)])

    async def open(self) -> None:
        """Make the pool, in the running loop.

        Raises:
            ConfigurationError: The caller's connector is of another loop.
        """
        self._session = self._session_on(self._connector, reuse=True)
        if self._connector is None:
            self._fresh_session = self._session_on(None, reuse=False)

    def _session_on(self, connector: aiohttp.BaseConnector | None, *, reuse: bool) -> aiohttp.ClientSession:
        timeouts = self._settings.timeouts
        try:
            session = aiohttp.ClientSession(
                connector=connector or _Connector(limit=0, force_close=not reuse),
                connector_owner=connector is None,
                loop=asyncio.get_running_loop(),  # else aiohttp takes the connector's, whichever that is
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
                # Of aiohttp's time-outs only those of a new connection: it has a timer for each other one.
                timeout=aiohttp.ClientTimeout(connect=timeouts.connect, sock_connect=timeouts.connect),
                auto_decompress=True,
                trust_env=False,  # it would read netrc, and then refuse whatever has a bearer token
            )
        except RuntimeError:
            raise ConfigurationError("connector: it was made in another event loop, or is closed") from None
        # aiohttp sends a request again by itself after a disconnect, uncounted. There is no public switch.
        session._retry_connection = False  # noqa: SLF001
        return session

    async def close(self) -> None:
        """Close all connections."""
        self._watch.close()
        for session in (self._session, self._fresh_session):
            if session is not None:
                await session.close()

    async def __call__(self, message: Message) -> Response:
        """Send one request, once, and read the whole answer.

        Raises:
            TransportError: No whole answer came; `sent` says whether the request may have arrived.
            DecodeError: The body is larger than `max_body_bytes`.
        """
        # A kept connection may have been closed by the server a moment ago: the request is lost, and nobody
        # can tell that it was not read. So what must not be repeated goes over a connection of its own.
        session = self._session if message.repeatable else self._fresh_session or self._session
        assert session is not None  # noqa: S101 - the session above opens before it sends
        failure: BackupifyError
        try:
            with self._watch.over(message.left) as attempt:
                if self._connector is None:
                    _ATTEMPT.set(attempt)
                else:
                    attempt.waits_for()  # nobody tells when: the time to connect counts as reading
                answer = await session.request(
                    message.method,
                    message.url,
                    headers=message.headers,
                    skip_auto_headers=None if message.method == "GET" else _NO_TYPE_OF_NOTHING,
                    data=message.body,
                    allow_redirects=False,
                    proxy=self._proxy,
                    ssl=self._tls,
                )
                message.status = answer.status
                try:
                    content = answer.content
                    if content.is_eof() and content.total_bytes <= self._at_once:  # as most bodies are
                        return Response(message, answer.status, answer.headers, content.read_nowait())
                    attempt.waits_for(content)
                    return await self._read(message, answer, attempt)
                finally:
                    if not answer.closed:  # as it is once its body was read to the end
                        answer.close()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = _translate(error, self._settings)
            failure.status = message.status
        except RuntimeError:
            if self._connector is None or not self._connector.closed:
                raise
            failure = ConfigurationError("the connector that the client was given is closed")
        # Raised out here, so that aiohttp's exception, which holds the token, is not even its context.
        raise failure

    async def _read(self, message: Message, answer: aiohttp.ClientResponse, attempt: Attempt) -> Response:
        """Read the body. Only an error's may be cut: its status stands anyway."""
        refused = not 200 <= answer.status < 300
        limit = _ERROR_BODY_BYTES if refused else self._settings.max_body_bytes
        try:
            body, whole = await _read_up_to(answer, limit)
        except aiohttp.ClientError:
            if not refused:
                raise
            body, whole = b"", False
        except asyncio.CancelledError:
            if not refused or attempt.ended_by() is None:
                raise
            body, whole = b"", False
        response = Response(message, answer.status, answer.headers, body, whole)
        if whole or refused:
            return response
        problem = f"the body is larger than max_body_bytes={limit}"
        raise DecodeError(problem, message.url.path, response.content_type, response.excerpt, answer.status)


async def _read_up_to(answer: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes of the body, counted while they come, and whether that is all of it."""
    body = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > limit:
            return bytes(body[:limit]), False
    return bytes(body), True


def _translate(error: Exception, settings: Settings) -> TransportError:
    """Our word for an exception of aiohttp's. None of its texts is used but the operating system's."""
    timeouts = settings.timeouts
    match error:
        case aiohttp.ConnectionTimeoutError():
            return RequestTimeout(f"connecting took longer than connect={timeouts.connect:g} s", sent=False)
        case TimeoutError(args=("read",)):
            return RequestTimeout(f"the answer paused for longer than read={timeouts.read:g} s")
        case TimeoutError():
            return RequestTimeout(f"one attempt took longer than attempt={timeouts.attempt:g} s")
        case aiohttp.ClientConnectorCertificateError():
            return ConnectionFailed(
                f"the certificate of {error.host} is not trusted: {error.certificate_error}",
                sent=False,
                gave_up="a certificate does not heal by itself",
            )
        case aiohttp.ClientConnectorError():
            return ConnectionFailed(
                f"no connection to {error.host}:{error.port}: {_reason(error.os_error)}", sent=False
            )
        case aiohttp.ClientHttpProxyError():
            return ConnectionFailed(f"the proxy answered {error.status} to CONNECT", sent=False)
        case aiohttp.ServerDisconnectedError():
            return TransportError("the server closed the connection before it answered")
        case aiohttp.ClientPayloadError():
            return TransportError("the connection closed in the midst of the answer")
        case aiohttp.ClientResponseError():
            # aiohttp makes up a status 400 for an answer that is not HTTP, or whose headers are too large.
            return TransportError("the answer is not HTTP that can be read, or its headers are too large")
        case OSError():
            return TransportError(f"the connection broke: {_reason(error)}")
        case _:
            return TransportError(f"the exchange failed: {type(error).__name__}")


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _proxy_from_environment(url: URL) -> str | None:
    """The proxy that HTTP_PROXY and its kin name for a URL."""
    proxies = getproxies_environment()
    if is_loopback(url.host or "") or proxy_bypass_environment(
        f"{url.host_subcomponent}:{url.port}", proxies
    ):
        return None
    for kind in (url.scheme, "all"):
        if proxies.get(kind):
            check_proxy(proxies[kind], name=f"{kind.upper()}_PROXY")
            return proxies[kind]
    return None
