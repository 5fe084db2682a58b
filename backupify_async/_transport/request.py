"""One request and one answer, as values: no I/O here.

Nobody changes them once they are made. They are not frozen only because that takes an `object.__setattr__`
for each field of each.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import urlencode

import attrs
from multidict import CIMultiDictProxy
from yarl import URL

from backupify_async._escaping import printable
from backupify_async._transport.retry_after import read_retry_after
from backupify_async.errors import BackupifyError, DecodeError
from backupify_async.ids import identifier


@attrs.define(unsafe_hash=True)
class Request:
    """What to ask.

    Attributes:
        method: The HTTP method.
        path: Path with its ids filled in and quoted; below the base URL, or from the origin for a Link.
        query: The query, encoded, without its question mark.
        from_origin: Whether `path` begins at the origin, as a Link's does, and not below the base URL.
        repeatable: Whether sending it twice does no more than sending it once (RFC 9110 §9.2.2).
        answers: Statuses from 300 up that whoever asks reads as answers; all others are raised.
        decode: Reads a 2xx. It runs for each sending, so that what it raises as `DecodeError` is tried again.
    """

    method: str
    path: str
    query: str = ""
    from_origin: bool = False
    repeatable: bool = True
    answers: frozenset[int] = frozenset()
    decode: "Callable[[Response], Any] | None" = attrs.field(default=None, eq=False, repr=False)

    @property
    def target(self) -> str:
        """Path and query in one."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @classmethod
    def get(
        cls,
        template: str,
        *,
        query: Mapping[str, int | str | None] | None = None,
        answers: frozenset[int] = frozenset(),
        decode: "Callable[[Response], Any] | None" = None,
        **ids: int | str,
    ) -> "Request":
        """A GET of a path template, `{names}` filled with quoted ids; a query item that is None is left out.

        Raises:
            TypeError, ValueError: An id cannot stand in a path; the message names it.
        """
        path = _fill(template, ids)
        if query is None:
            return cls("GET", path, answers=answers, decode=decode)
        items = {name: value for name, value in query.items() if value is not None}
        return cls("GET", path, urlencode(items), answers=answers, decode=decode)

    @classmethod
    def post(cls, template: str, *, answers: frozenset[int] = frozenset(), **ids: int | str) -> "Request":
        """A POST without a body to a path template; it is never sent twice for one call.

        Raises:
            TypeError, ValueError: An id cannot stand in a path; the message names it.
        """
        return cls("POST", _fill(template, ids), repeatable=False, answers=answers)


def _fill(template: str, ids: dict[str, int | str]) -> str:
    return template.format_map({name: identifier(value, name) for name, value in ids.items()})


_NO_MERE_WORD = 16  # characters
_MOST_READ = (
    64 * 2**10
)  # bytes: more than the longest token, however it is quoted, with what stands around it


def _may_hold(text: str, secret: str) -> bool:
    """Whether a text can hold a secret, however it is spelled: letters and digits stay what they are."""
    return max(re.findall(r"[A-Za-z0-9]+", secret), key=len, default="") in text


def _spellings(secret: str) -> re.Pattern[str]:
    """A secret as it may stand in a text: as it is, or with escapes of URLs, JSON and HTML."""
    return re.compile("".join(map(_spelling, secret)))


def _spelling(character: str) -> str:
    if character.isalnum() and character.isascii():
        return character
    code = ord(character)
    octets = "".join(f"%{octet:02x}" for octet in character.encode())
    escapes = rf"{octets}|\\u{code:04x}|&\#x0*{code:x};|&\#0*{code};|\\?{re.escape(character)}"
    return f"(?i:{escapes})"


@attrs.define
class PreparedRequest:
    """One sending of a request, with all that goes over the wire.

    Attributes:
        method: The HTTP method.
        url: Where to, encoded.
        headers: Beside those that every request has.
        body: The bytes to send.
        sent_at: When it leaves, UTC, by this machine's clock.
        secrets: What no error about it may show.
        repeatable: Whether sending it twice does no more than sending it once.
        sent_time: When it leaves, in seconds of the loop's clock, which never jumps.
        status: The status of its answer, as soon as the head of that came; None until then.
        fresh: Whether it goes over a new connection.
    """

    method: str
    url: URL
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes | None = attrs.field(repr=False)
    sent_at: datetime
    secrets: tuple[str, ...] = attrs.field(repr=False)
    repeatable: bool = True
    sent_time: float = 0.0
    status: int | None = None
    fresh: bool = False

    def conceal(self, text: str) -> str:
        """A text of the server's as an error may show it: without what would forge a line, or a secret."""
        return printable(self.without_secrets(text))

    def without_secrets(self, text: str) -> str:
        """A text of the server's without the secrets: servers have been seen to echo a token."""
        for secret in self.secrets:
            if _may_hold(text, secret):
                text = _spellings(secret).sub("[secret]", text)
        return text

    def gives_away(self, text: str) -> bool:
        """Whether a text holds one of the secrets, and not by chance, as it may hold a short word."""
        return any(
            _may_hold(text, secret) and _spellings(secret).search(text) is not None
            for secret in self.secrets
            if len(secret) >= _NO_MERE_WORD
        )


@attrs.define
class Response:
    """A whole answer.

    Attributes:
        message: What it answers.
        status: The HTTP status.
        headers: The headers.
        body: The bytes, after decompression.
        whole: Whether all of the body came; only an error's body may have been cut.
        transport: The connection over which it came, where that is ours to close.
        decoded: What `decode` read; it is not there before.
    """

    message: PreparedRequest = attrs.field(repr=False)
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes = attrs.field(repr=False)
    whole: bool = True
    connection: asyncio.WriteTransport | None = attrs.field(default=None, repr=False, eq=False)
    decoded: Any = attrs.field(init=False, repr=False, eq=False)

    def decode(self, decode: "Callable[[Response], Any]") -> None:
        """Read it, and keep what that gives.

        Raises:
            DecodeError: It cannot be read. Its connection is closed: it may not have been this request's
                answer, which then comes to the next one.
        """
        try:
            self.decoded = decode(self)
        except DecodeError:
            if self.connection is not None:
                self.connection.abort()
            raise

    @cached_property
    def retry_after(self) -> float | None:
        """Seconds that the response asks to wait, or None."""
        value = self.headers.get("Retry-After")
        if value is None:
            return None
        return read_retry_after(value, self.headers.get("Date"), datetime.now(UTC))

    @property
    def content_type(self) -> str:
        """The Content-Type as an error may show it, "" where there is none."""
        return self.message.conceal(self.headers.get("Content-Type", ""))

    @property
    def excerpt(self) -> str:
        """The body's first 200 bytes, as text and as an error may show them."""
        text = self.message.without_secrets(self.body[:_MOST_READ].decode(errors="backslashreplace"))
        return printable(text[:200]).encode()[:200].decode(errors="ignore")


class Transport(Protocol):
    """What carries messages: `AiohttpTransport`, or a stand-in without a network."""

    @property
    def max_concurrency(self) -> int:
        """How many messages may be under way at once."""
        ...

    async def open(self) -> None:
        """Get ready, in the running loop."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...

    async def __call__(self, message: PreparedRequest) -> Response:
        """Send a message once, and return the whole answer."""
        ...


class DeliveryUnknown(Exception):
    """A request that must not be repeated left, and no clear answer came.

    Whoever built the request says to the caller what that means.
    """

    def __init__(self, sent_at: datetime, cause: BackupifyError) -> None:
        super().__init__(sent_at, cause)
        self.sent_at = sent_at
        self.cause = cause
