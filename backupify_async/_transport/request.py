"""One request and one answer, as values: no I/O here.

Nobody changes them once they are made. They are not frozen only because that takes an `object.__setattr__`
for each field of each.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import attrs

from backupify_async._transport.transport import Response
from backupify_async.errors import BackupifyError
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
    decode: Callable[[Response], Any] | None = attrs.field(default=None, eq=False, repr=False)
    body: bytes | None = attrs.field(default=None, repr=False)
    content_type: str | None = None

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
        decode: Callable[[Response], Any] | None = None,
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


class DeliveryUnknown(Exception):
    """A request that must not be repeated left, and no clear answer came.

    Whoever built the request says to the caller what that means.
    """

    def __init__(self, sent_at: datetime, cause: BackupifyError) -> None:
        super().__init__(sent_at, cause)
        self.sent_at = sent_at
        self.cause = cause
