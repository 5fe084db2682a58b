"""The seam between the client and an HTTP stack: `Transport`, and the two values that cross it.

`AiohttpTransport` is one implementation. Waiting, retrying, redaction and decoding happen above the seam, so
a transport of your own only sends each `PreparedRequest` once and returns the whole `Response`.

The values are not changed once they are made, `PreparedRequest.response_status` excepted. They are not frozen
only because that costs an `object.__setattr__` for each field of each request.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Protocol

import attrs
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from backupify_async._escaping import printable
from backupify_async._transport.redaction import holds_secret, redact
from backupify_async._transport.retry_after import read_retry_after
from backupify_async.config import Settings, Timeouts
from backupify_async.credentials import Unpicklable
from backupify_async.errors import DecodeError

# Bytes of a body that are searched for secrets: more than the longest token, however it is escaped.
_REDACTED_BYTES = 64 * 2**10

_TIMEOUTS = Timeouts()


@attrs.define
class PreparedRequest(Unpicklable):
    """One request as a transport sends it, once.

    Attributes:
        method: The HTTP method.
        url: The URL, percent-encoded already; it must be sent as it is.
        headers: The headers beside those that the transport adds: `Host`, `Content-Length`, `Accept-Encoding`
            and the like.
        body: The bytes to send; None for no body.
        sent_at: The wall-clock time of sending, UTC.
        secrets: Texts that no error, log or repr may show: the token first, if it carries one, then the
            values of the user's headers.
        repeatable: Whether sending it twice does no more than sending it once (RFC 9110 §9.2.2).
        sent_time: The time of sending by the event loop's clock, in seconds.
        new_connection: Whether it needs a new connection: a kept one may be closed by the server at the same
            moment, and then it is unknown whether the request was read.
        timeouts: The time-outs of this request; the transport does not apply `total`.
        response_status: The status of the response. The transport sets it as soon as it has the response's
            head, so that it is known even if the body never arrives.
    """

    method: str
    url: URL
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes | None = attrs.field(repr=False)
    sent_at: datetime
    secrets: tuple[str, ...] = attrs.field(repr=False)
    repeatable: bool = True
    sent_time: float = 0.0
    new_connection: bool = False
    timeouts: Timeouts = _TIMEOUTS
    response_status: int | None = None

    def conceal(self, text: str) -> str:
        """A text of the server's as an error can show it: without secrets, and on one line."""
        return printable(self.without_secrets(text))

    def without_secrets(self, text: str) -> str:
        """A text of the server's with `[secret]` in place of each secret."""
        return redact(text, self.secrets)

    def gives_away(self, text: str) -> bool:
        """Whether a text holds the token of a request that carries one.

        Values of the user's headers, as a tenant's name, do not count.
        """
        return holds_secret(text, self.secrets[:1])


class Connection(Protocol):
    """A connection that can be closed at once; an `asyncio.WriteTransport` is one."""

    def abort(self) -> None:
        """Close it, and drop what was not sent."""
        ...


def _case_insensitive(headers: Mapping[str, str]) -> CIMultiDictProxy[str]:
    return headers if isinstance(headers, CIMultiDictProxy) else CIMultiDictProxy(CIMultiDict(headers))


@attrs.define(on_setattr=attrs.setters.NO_OP)  # or attrs calls two functions where `decoded` is set
class Response(Unpicklable):
    """One whole response.

    Attributes:
        request: The request that it answers.
        status: The HTTP status.
        headers: The headers, in any mapping; names are case-insensitive. A field that came several times
            needs a `multidict.CIMultiDict`, or its values joined with commas (RFC 9110 §5.3).
        body: The whole body, with every content coding undone.
        whole: Whether all of the body came. Only the body of an error response can be cut.
        connection: The connection that it came over. It is aborted where the body cannot be decoded, because
            the response may belong to another request. None where the transport keeps no connections.
        decoded: What `decode` returned; unset before.
    """

    request: PreparedRequest = attrs.field(repr=False)
    status: int
    headers: CIMultiDictProxy[str] = attrs.field(converter=_case_insensitive, repr=False)
    body: bytes = attrs.field(repr=False)
    whole: bool = True
    connection: Connection | None = attrs.field(default=None, repr=False, eq=False)
    decoded: Any = attrs.field(init=False, repr=False, eq=False)

    def decode(self, decode: "Callable[[Response], Any]") -> None:
        """Decode it, and keep the result in `decoded`.

        Raises:
            DecodeError: It cannot be decoded. Its connection is aborted.
        """
        try:
            self.decoded = decode(self)
        except DecodeError:
            if self.connection is not None:
                self.connection.abort()
            raise

    @cached_property
    def retry_after(self) -> float | None:
        """Seconds that it asks to wait by Retry-After, or None."""
        value = self.headers.get("Retry-After")
        if value is None:
            return None
        return read_retry_after(value, self.headers.get("Date"), datetime.now(UTC))

    @property
    def request_id(self) -> str | None:
        """The X-Request-Id header as an error can show it, or None."""
        return self.request.conceal(self.headers.get("X-Request-Id", "")) or None

    @property
    def content_type(self) -> str:
        """The Content-Type as an error can show it, "" where there is none."""
        return self.request.conceal(self.headers.get("Content-Type", ""))

    @property
    def excerpt(self) -> str:
        """The first 200 bytes of the body, as text that an error can show."""
        text = self.request.without_secrets(self.body[:_REDACTED_BYTES].decode(errors="backslashreplace"))
        return printable(text[:200]).encode()[:200].decode(errors="ignore")


class Transport(Protocol):
    """Sends requests over HTTP, for one client: `BackupifyClient(..., transport=...)` takes one.

    It sends each request exactly once, to the request's own URL. It follows no redirect, resends nothing,
    stores no cookie, and writes no header into a log. A response of any status is returned and not raised.

        from backupify_async import AiohttpTransport, PreparedRequest, Response, Settings

        class Recorder:
            max_concurrency = None

            def __init__(self) -> None:
                self.inner, self.exchanges = AiohttpTransport(), []

            async def open(self, settings: Settings) -> None:
                await self.inner.open(settings)

            async def close(self) -> None:
                await self.inner.close()

            async def __call__(self, request: PreparedRequest) -> Response:
                response = await self.inner(request)
                self.exchanges.append((request.method, request.url.path, response.status, response.body))
                return response
    """

    @property
    def max_concurrency(self) -> int | None:
        """How many requests it can send at once; None where the client's `max_concurrency` alone counts."""
        ...

    async def open(self, settings: Settings) -> None:
        """Prepare to send, in the running event loop.

        Args:
            settings: The client's settings; the transport applies `max_body_bytes`, `proxy`, `trust_env`
                and `tls`.

        Raises:
            ConfigurationError: It cannot work with these settings, or not in this loop.
        """
        ...

    async def close(self) -> None:
        """Close all connections. It is called once, also where `open` was not."""
        ...

    async def __call__(self, request: PreparedRequest, /) -> Response:
        """Send a request once, and return the whole response.

        Raises:
            TransportError: No complete response arrived; `sent=False` says that no byte of the request can
                have reached the server. `RequestTimeout` and `ConnectionFailed` are kinds of it. Secrets in
                its text and its fields are replaced by `[secret]`; a cause that shows one is dropped. Any
                other exception is not retried: the caller gets it unchanged. If the request is not
                repeatable, such as a trigger, its outcome is then in doubt.
            DecodeError: The body is larger than `max_body_bytes`, or its content coding is unknown.
            asyncio.CancelledError: The calling task was cancelled: stop soon, and do not catch it. A call
                ends in this way at its `total` time-out, and all calls when the client closes: `close()`
                waits 10 s for them, and then closes the transport. A fan-out that is left early waits
                without limit. A call whose cancellation was caught is not sent again. A `CancelledError` for
                another reason, such as a cancelled task of the transport, becomes a `TransportError`. Code
                that cancels the calling task for a time-out must uncancel it, as `asyncio.timeout` does.
        """
        ...
