"""Requests and responses as values: no I/O."""

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal, get_args

from attrs import field, frozen

JSON = "application/json"
_DIGITS = re.compile(r"[0-9]{1,18}")

Operation = Literal[
    "token",
    "ping",
    "get_vendor",
    "list_definitions",
    "get_definition",
    "list_customers",
    "get_customer",
    "create_customer",
    "update_customer",
    "list_customer_instances",
    "list_instances",
    "get_instance",
    "list_backups",
    "get_active",
    "get_backup",
    "trigger",
]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)


@frozen(kw_only=True)
class Request:
    """One received request.

    Attributes:
        operation: The operation; None for an unknown route.
        method: The method, in capitals.
        path: The path without the query, percent-encoded.
        at: The time of arrival, in seconds since the epoch on the server's clock.
        origin: The scheme and host that the server sees.
        parts: The variable parts of the path by name, decoded.
        query: The query parameters.
        form: The names and values of the form in the body, in order.
        token: The bearer token, if any.
        user_agent: The User-Agent header.
    """

    operation: Operation | None
    method: str
    path: str
    at: float
    origin: str
    parts: Mapping[str, str] = field(factory=dict)
    query: Mapping[str, str] = field(factory=dict)
    form: Sequence[tuple[str, str]] = field(default=(), repr=False)
    token: str | None = field(default=None, repr=False)
    user_agent: str = ""

    @property
    def instance_id(self) -> int | None:
        """The backup instance in the path, or None."""
        return number(self.parts.get("instance_id", ""))


@frozen
class Response:
    """A response to send.

    Attributes:
        status: The HTTP status.
        body: The body. It can hold a token, and is not in the repr.
        headers: The headers, without those of the framing.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(factory=dict, hash=False)


def json_response(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Response:
    """A response with `value` as its JSON body."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return Response(status, body, {"Content-Type": JSON, **(headers or {})})


def error_response(status: int, message: str | None = None) -> Response:
    """A response `{"error": message}`; by default the message is the reason phrase."""
    return json_response(status, {"error": message or phrase(status)})


def phrase(status: int) -> str:
    """The reason phrase of a status, registered or not."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


def number(text: str) -> int | None:
    """The integer in a text of at most 18 ASCII digits; None for any other text."""
    return int(text) if _DIGITS.fullmatch(text) else None
