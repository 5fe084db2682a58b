"""One request over the wire and its answer back: here and in `connections` is all that talks to aiohttp."""

import asyncio
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import aiohttp
from aiohttp import hdrs
from yarl import URL

from backupify_async._addresses import check_proxy, is_loopback
from backupify_async._transport.aiohttp_connections import ATTEMPT, HEADER_BYTES, Connector, Sending, UsedUp
from backupify_async._transport.aiohttp_errors import Failed, translate
from backupify_async._transport.attempt_timeouts import AttemptScope, Watch
from backupify_async._transport.content_coding import (
    BadCoding,
    UnknownCoding,
    codings_of,
    most_packed,
    unpack,
)
from backupify_async._transport.loops import running_loop
from backupify_async._transport.request import PreparedRequest, Response
from backupify_async.config import Settings
from backupify_async.errors import BackupifyError, ClientClosed, ConfigurationError, DecodeError
from backupify_async.version import __version__

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"backupify-async/{__version__}",
}
_NO_TYPE_OF_NOTHING = ("Content-Type",)
_ERROR_BODY_BYTES = 64 * 2**10
_CHUNK_BYTES = 64 * 2**10
_NO_CONTENT = (204, 304)  # RFC 9110 §15.3.5, §15.4.5


class AiohttpTransport:
    """A pool of connections to one API.

    Args:
        settings: Where to, through which proxy, with which time-outs.
        connector: A connector of the caller's, which stays the caller's; None for one of our own.
    """

    def __init__(self, settings: Settings, connector: aiohttp.BaseConnector | None) -> None:
        # What looks a name up, which asyncio imports when it first does: no file may be opened any more then.
        import concurrent.futures.thread  # noqa: F401, PLC0415

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
    def max_concurrency(self) -> int:
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
                connector=connector or Connector(reuse=reuse),
                connector_owner=connector is None,
                loop=running_loop(),  # else aiohttp takes the connector's, whichever that is
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
                # Of aiohttp's time-outs only those of a new connection: it has a timer for each other one.
                timeout=aiohttp.ClientTimeout(connect=timeouts.connect, sock_connect=timeouts.connect),
                auto_decompress=False,  # half a gzip would be no error
                request_class=Sending,
                max_line_size=HEADER_BYTES,
                max_field_size=HEADER_BYTES,
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

    async def __call__(self, message: PreparedRequest) -> Response:
        """Send one request, once, and read the whole answer.

        Raises:
            TransportError: No whole answer came; `sent` says whether the request may have arrived.
            DecodeError: The body is larger than `max_body_bytes`.
        """
        # A kept connection may have been closed by the server a moment ago: the request is lost, and nobody
        # can tell that it was not read. So what must not be repeated goes over a connection of its own.
        kept = message.repeatable and not message.fresh
        session = self._session if kept else self._fresh_session or self._session
        assert session is not None  # noqa: S101 - the session above opens before it sends
        attempt = self._watch.over(message.sent_time)
        try:
            with attempt:
                ATTEMPT.set(attempt)
                while True:
                    try:
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
                        break
                    except UsedUp:
                        continue  # there is one kept connection less, and a new one is not used up
                message.status = answer.status
                try:
                    content, headers = answer.content, answer.headers
                    # As most bodies are: here already, and not packed.
                    if (
                        content.is_eof()
                        and content.total_bytes <= self._at_once
                        and hdrs.CONTENT_ENCODING not in headers
                    ):
                        body = content.read_nowait()
                        return Response(message, answer.status, headers, body, True, attempt.transport)
                    attempt.waits_for(content)
                    return await self._read(message, answer, attempt)
                finally:
                    if not answer.closed:  # as it is once its body was read to the end
                        answer.close()
        except BackupifyError:
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            stray = Failed("something within aiohttp was cancelled")
            failure = self._failure(stray, message, attempt, session)
        except Exception as error:  # noqa: BLE001 - whatever it is, it leaves here as an error of ours
            failure = self._failure(error, message, attempt, session)
        # Raised out here, so that aiohttp's exception, which holds the token, is not even its context.
        raise failure

    def _failure(
        self,
        error: Exception,
        message: PreparedRequest,
        attempt: AttemptScope,
        session: aiohttp.ClientSession,
    ) -> BackupifyError:
        if session.closed and not attempt.left:
            if self._connector is None:
                return ClientClosed("the client is closed: nothing was sent")
            return ConfigurationError("the connector that the client was given is closed")
        failure = translate(error, self._settings.timeouts, sent=attempt.left, repeatable=message.repeatable)
        failure.status = message.status
        return failure

    async def _read(
        self, message: PreparedRequest, answer: aiohttp.ClientResponse, attempt: AttemptScope
    ) -> Response:
        """Read the body. Only an error's may be cut: its status stands anyway."""
        refused = not 200 <= answer.status < 300
        limit = _ERROR_BODY_BYTES if refused else self._settings.max_body_bytes
        body, whole = b"", False
        try:
            header = ", ".join(answer.headers.getall(hdrs.CONTENT_ENCODING, ()))
            codings = codings_of(header) if answer.status not in _NO_CONTENT else []
            body, whole = await _read_up_to(answer, most_packed(limit) if codings else limit)
            for coding in codings:
                body, all_of_it = await _unpacked(body, coding, limit, partly=refused or not whole)
                whole = whole and all_of_it
        except (BadCoding, aiohttp.ClientError):
            if not refused:
                raise
        except UnknownCoding as error:
            if not refused:
                unread = Response(message, answer.status, answer.headers, b"")
                raise _undecodable(unread, str(error)) from None
        except asyncio.CancelledError:
            if not refused or attempt.ended_by() is None:
                raise
        response = Response(message, answer.status, answer.headers, body, whole, attempt.transport)
        if whole or refused:
            return response
        raise _undecodable(response, f"the body is larger than max_body_bytes={limit}")


async def _read_up_to(answer: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes of the body, counted while they come, and whether that is all of it."""
    body = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > limit:
            return bytes(body[:limit]), False
    return bytes(body), True


async def _unpacked(body: bytes, coding: str, limit: int, *, partly: bool) -> tuple[bytes, bool]:
    """At most `limit` bytes of a packed body, and whether that is all of it.

    Raises:
        BadCoding: It is not packed so, or not to its end; but where `partly` will do, what can be read is.
    """
    unpacked = bytearray()
    try:
        for piece in unpack(body, coding, limit):
            if unpacked:
                await asyncio.sleep(0)  # the next piece may be another mebibyte
            unpacked += piece
    except BadCoding:
        if not partly:
            raise
        return bytes(unpacked[:limit]), False
    return bytes(unpacked[:limit]), len(unpacked) <= limit


def _undecodable(response: Response, problem: str) -> DecodeError:
    path, status = response.message.url.path, response.status
    final = "it would be so again"
    return DecodeError(problem, path, response.content_type, response.excerpt, status, final)


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
