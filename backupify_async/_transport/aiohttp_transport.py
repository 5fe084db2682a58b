"""`AiohttpTransport`: one request over the wire and its response back, by aiohttp."""

import asyncio
from functools import lru_cache, partial
from weakref import WeakSet

import aiohttp
import attrs
from aiohttp import hdrs

from backupify_async._tasks import is_callers_cancellation
from backupify_async._transport.aiohttp_body import ERROR_BODY_BYTES, read_response
from backupify_async._transport.aiohttp_connections import ATTEMPT, UsedUp
from backupify_async._transport.aiohttp_errors import Failed, translate
from backupify_async._transport.aiohttp_sessions import (
    check_user_connector,
    check_user_session,
    make_session,
    proxy_from_environment,
)
from backupify_async._transport.attempt_timeouts import AttemptScope, Watch
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async.config import Settings, Timeouts
from backupify_async.errors import BackupifyError, ClientClosed, ConfigurationError

_NO_CONTENT_TYPE = ("Content-Type",)
_REMEMBERED_TIMEOUTS = 32


@attrs.frozen
class _Timers:
    """What keeps the time-outs of requests. aiohttp keeps `connect` only: the others would cost it timers."""

    timeouts: Timeouts
    watch: Watch
    connect: aiohttp.ClientTimeout

    @classmethod
    def of(cls, watches: WeakSet[Watch], timeouts: Timeouts) -> "_Timers":
        """The timers of requests with these time-outs, whose watch is added to all others."""
        connect = aiohttp.ClientTimeout(connect=timeouts.connect, sock_connect=timeouts.connect)
        watches.add(watch := Watch(timeouts))
        return cls(timeouts, watch, connect)


class AiohttpTransport:
    """The transport that a client has by default: aiohttp, with a pool of connections to one API.

    Whatever session or connector it is given, it follows no redirect, resends nothing, keeps no
    cookie, reads no netrc, and counts a body while it reads it.

    Args:
        connector: A connector of yours, which stays open. Triggers share its kept connections; one that the
            server closes at the same moment makes a trigger ambiguous. Without it, each trigger has a new
            connection.
        session: A session of yours, which stays open. The requests go through a session of the client that
            has its connector, `trace_configs` and `trust_env`. Its time-outs, cookies, `raise_for_status`
            and classes of responses are not used. To keep what a subclass overrides, write a `Transport`.

    Raises:
        ConfigurationError: `connector` and `session` are both given, or are not aiohttp's; or the session
            is closed, or has something that would be ignored, or that the client sets for itself.
    """

    def __init__(
        self, connector: aiohttp.BaseConnector | None = None, *, session: aiohttp.ClientSession | None = None
    ) -> None:
        # What resolves a host name; asyncio imports it when it first does, and no file may be open any more.
        import concurrent.futures.thread  # noqa: F401, PLC0415

        if connector is not None:
            check_user_connector(connector)
        if session is not None:
            if connector is not None:
                raise ConfigurationError("connector: the session has one already; give only one of them")
            check_user_session(session)
            connector = session.connector
        self._watches: WeakSet[Watch] = WeakSet()
        self._timers_of = lru_cache(_REMEMBERED_TIMEOUTS)(partial(_Timers.of, self._watches))
        self._user_connector = connector
        self._user_session = session
        self._session: aiohttp.ClientSession | None = None
        self._one_off_session: aiohttp.ClientSession | None = None
        """Its connections serve one request each."""

    @property
    def max_concurrency(self) -> int | None:
        """How many connections your connector allows; more requests would wait in its queue."""
        connector = self._user_connector
        limits = [] if connector is None else [connector.limit, connector.limit_per_host]
        return min((limit for limit in limits if limit > 0), default=None)

    async def open(self, settings: Settings) -> None:
        """Make the pool, in the running event loop.

        Raises:
            ConfigurationError: It is open already; or the connector belongs to another loop, or is closed; or
                a proxy in the environment cannot be used.
        """
        if self._session is not None:
            raise ConfigurationError("transport: is open already: make one for each client")
        self._settings = settings
        self._inline_bytes = min(settings.max_body_bytes, ERROR_BODY_BYTES)
        user = self._user_session
        proxy = settings.proxy
        if proxy is None and (settings.trust_env or (user is not None and user.trust_env)):
            proxy = proxy_from_environment(settings.url)
        tls = True if settings.tls is None else settings.tls
        self._request_options = {"allow_redirects": False, "proxy": proxy, "ssl": tls}
        self._timers = self._timers_of(settings.timeouts)
        self._session = make_session(
            self._user_connector, trace_configs=None if user is None else user.trace_configs
        )
        if self._user_connector is None:
            self._one_off_session = make_session(None, reuse=False)

    async def close(self) -> None:
        """Close all connections, those of your connector excepted."""
        for session in (self._session, self._one_off_session):
            if session is not None:
                await session.close()
        for watch in self._watches:
            watch.close()

    async def __call__(self, request: PreparedRequest) -> Response:
        """Send a request once, and read the whole response.

        Raises:
            TransportError: No whole response came; `sent` says whether the request can have arrived.
            DecodeError: The body is larger than `max_body_bytes`, or its content coding is unknown.
        """
        session = self._one_off_session or self._session if request.new_connection else self._session
        assert session is not None  # noqa: S101 - the client's session opens this one before it sends
        timers = self._timers
        if request.timeouts is not timers.timeouts:  # hashing them costs more
            timers = self._timers_of(request.timeouts)
        attempt = timers.watch.scope(request.sent_time)
        try:
            with attempt:
                ATTEMPT.set(attempt)
                while True:
                    try:
                        raw = await session.request(
                            request.method,
                            request.url,
                            headers=request.headers,
                            skip_auto_headers=None if request.method == "GET" else _NO_CONTENT_TYPE,
                            data=request.body,
                            timeout=timers.connect,
                            **self._request_options,  # type: ignore[arg-type] # of several types
                        )
                        break
                    except UsedUp:
                        continue  # that connection is gone; a new one is never used up
                request.response_status = raw.status
                try:
                    content, headers = raw.content, raw.headers
                    is_here = content.is_eof() and content.total_bytes <= self._inline_bytes
                    if is_here and hdrs.CONTENT_ENCODING not in headers:  # as with most responses
                        body = content.read_nowait()
                        return Response(request, raw.status, headers, body, True, attempt.transport)
                    attempt.waits_for(content)
                    return await read_response(request, raw, attempt, self._settings.max_body_bytes)
                finally:
                    if not raw.closed:  # it is, once its body was read to the end
                        raw.close()
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, BackupifyError) or is_callers_cancellation(error):
                raise
            failure = self._failure(error, request, attempt, session)
        # Not raised in the handler: aiohttp's exception, which holds the token, would be its context.
        raise failure

    def _failure(
        self,
        error: Exception | asyncio.CancelledError,
        request: PreparedRequest,
        attempt: AttemptScope,
        session: aiohttp.ClientSession,
    ) -> BackupifyError:
        if session.closed and not attempt.may_be_sent:
            if self._user_connector is None:
                return ClientClosed("the client is closed: nothing was sent")
            return ConfigurationError("the connector that the client was given is closed")
        if isinstance(error, asyncio.CancelledError):
            error = Failed("aiohttp cancelled itself")
        failure = translate(error, request.timeouts, sent=attempt.may_be_sent, repeatable=request.repeatable)
        failure.status = request.response_status
        return failure
