"""What a call asks of the API, as a value.

A `Request` is not changed once it is made. It is not frozen only because that costs an `object.__setattr__`
for each field.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import attrs

from backupify_async._transport.transport import Response
from backupify_async.errors import BackupifyError
from backupify_async.ids import identifier

AUTHORIZATION = "Authorization"
FORM = "application/x-www-form-urlencoded"


@attrs.define(unsafe_hash=True)
class Request:
    """One request to the API.

    Attributes:
        method: The HTTP method.
        path: The path, with its ids filled in and quoted.
        query: The query, encoded, without the question mark.
        from_origin: Whether `path` begins at the origin, as that of a Link does, and not below the base URL.
        repeatable: Whether sending it twice does no more than sending it once (RFC 9110 §9.2.2).
        answers: The statuses from 300 up that are returned; all others are raised.
        decode: Decodes a 2xx, into a model or raw JSON. It runs for each response, so that a `DecodeError` is
            retried.
        body: The bytes of the body, already encoded; None for none.
        content_type: What the body is; None without one.
        token_header: The header that carries the token; "" for a request without a token.
    """

    method: str
    path: str
    query: str = ""
    from_origin: bool = False
    repeatable: bool = True
    answers: frozenset[int] = frozenset()
    decode: Callable[[Response], Any] | None = attrs.field(default=None, eq=False, repr=False)
    body: bytes | None = attrs.field(default=None, repr=False)
    content_type: str | None = None
    token_header: str = AUTHORIZATION

    @property
    def target(self) -> str:
        """The path with its query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @classmethod
    def get(
        cls,
        template: str,
        *,
        query: Mapping[str, int | str | None] | None = None,
        answers: frozenset[int] = frozenset(),
        decode: Callable[[Response], Any] | None = None,
        **ids: int | str,
    ) -> "Request":
        """A GET of a path template; `{names}` become quoted ids, and query items of None are omitted.

        Raises:
            TypeError, ValueError: An id cannot be part of a path; the message names it.
        """
        path = _fill(template, ids)
        if query is None:
            return cls("GET", path, answers=answers, decode=decode)
        items = {name: value for name, value in query.items() if value is not None}
        return cls("GET", path, urlencode(items), answers=answers, decode=decode)

    @classmethod
    def post(cls, template: str, *, answers: frozenset[int] = frozenset(), **ids: int | str) -> "Request":
        """A POST without a body to a path template. It is not repeatable.

        Raises:
            TypeError, ValueError: An id cannot be part of a path; the message names it.
        """
        return cls("POST", _fill(template, ids), repeatable=False, answers=answers)


def _fill(template: str, ids: dict[str, int | str]) -> str:
    return template.format_map({name: identifier(value, name) for name, value in ids.items()})


class DeliveryUnknown(Exception):
    """A request that is not repeatable was sent, and got no clear response.

    The code that made the request turns this into an error for its caller.
    """

    def __init__(self, sent_at: datetime, cause: BackupifyError) -> None:
        super().__init__(sent_at, cause)
        self.sent_at = sent_at
        self.cause = cause
