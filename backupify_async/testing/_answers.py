"""What the server has been asked and what it answers: plain values, no I/O."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal, get_args

from attrs import field, frozen

JSON = "application/json"
_DIGITS = re.compile(r"[0-9]{1,18}")

Operation = Literal[
    "token",
    "ping",
    "list_instances",
    "get_instance",
    "list_customer_instances",
    "list_backups",
    "get_active",
    "get_backup",
    "trigger",
]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)


@frozen(kw_only=True)
class Asked:
    """One request as it came in.

    Attributes:
        operation: what it asks for, or None where no route is known.
        method: in capitals.
        path: without the query, still percent-encoded.
        at: when it arrived, in seconds since the epoch on the server's clock.
        origin: scheme and host by which the server believes itself to be reached.
        parts: the variable parts of the path, by name, decoded.
        query: the parameters after the question mark.
        form: the parameters of the body.
        token: what the Authorization header bears, if it bears something.
        user_agent: as the client calls itself.
    """

    operation: Operation | None
    method: str
    path: str
    at: float
    origin: str
    parts: Mapping[str, str] = field(factory=dict)
    query: Mapping[str, str] = field(factory=dict)
    form: Mapping[str, str] = field(factory=dict, repr=False)
    token: str | None = field(default=None, repr=False)
    user_agent: str = ""

    @property
    def instance_id(self) -> int | None:
        """The backup instance that the path names, or None."""
        return number(self.parts.get("instance_id", ""))


@frozen
class Answer:
    """Status, headers and body, ready to be sent.

    Attributes:
        status: the HTTP status.
        body: the bytes of the body; it may be empty. It can hold a token and is not in the repr.
        headers: all but those of the framing.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(factory=dict, hash=False)


def json_answer(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer whose body is `value` as JSON."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return Answer(status, body, {"Content-Type": JSON, **(headers or {})})


def error_answer(status: int, message: str | None = None) -> Answer:
    """An answer `{"error": message}`; without a message it says what the status is called."""
    return json_answer(status, {"error": message or phrase(status)})


def phrase(status: int) -> str:
    """What a status is called, for those that have no name too."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


def number(text: str) -> int | None:
    """The integer that is written in at most 18 decimal ASCII digits, or None where there is none."""
    return int(text) if _DIGITS.fullmatch(text) else None
