"""Faults by rule: which requests fail, and how."""

import random
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any, Self, TypedDict, Unpack

from attrs import Attribute, field, fields, frozen
from attrs.validators import and_, ge, gt, in_, le, optional

from backupify_async.testing._messages import JSON, OPERATIONS, Operation, Request, Response, error_response


class FaultKind(Enum):
    """The effect of a fault."""

    ANSWER = "answer"
    LOSE_RESPONSE = "lose_response"
    HANG = "hang"
    REPEAT = "repeat"
    TRUNCATE = "truncate"
    GARBAGE = "garbage"
    WRONG_LINK = "wrong_link"


class RequestFilter(TypedDict, total=False):
    """Which requests a fault applies to: keywords of all class methods of `Fault`."""

    operation: Operation
    method: str
    path: str | re.Pattern[str]
    instance: int
    first: int
    every: int
    probability: float


def _upper(method: str | None) -> str | None:
    return None if method is None else method.upper()


def _sendable(_: object, attribute: "Attribute[Any]", value: Mapping[str, str]) -> None:
    for name, content in value.items():
        if set("\r\n\0") & set(name + content):
            raise ValueError(f"{attribute.name}: {name!r} must not contain a line break or a NUL")


@frozen(kw_only=True, repr=False)
class Fault:
    """A rule by which requests fail. Its class methods are the kinds of failure.

    All of them take the same keywords for the requests that the fault applies to: `operation`, `method`,
    `path`, `instance`, and one of `first`, `every` and `probability`. A fault applies only to requests that
    the rate limit and the token check accept. If several faults match a request, the first one is applied,
    and the others do not count the request.

        Fault.answer(503, retry_after=1, operation="trigger", first=2)
        Fault.lose_response(after_acting=True, method="GET", probability=0.02)

    Attributes:
        kind: The effect.
        operation: `token`, `ping`, `get_vendor`, `list_definitions`, `get_definition`, `list_customers`,
            `get_customer`, `create_customer`, `update_customer`, `list_customer_instances`,
            `list_instances`, `get_instance`, `list_backups`, `get_active`, `get_backup` or `trigger`.
        method: `GET`, `POST` or `PUT`.
        path: A glob for the whole path (`/v1/*/active`), or a compiled pattern to search in it.
        instance: The id of the backup instance in the path.
        first: Only the first n matching requests.
        every: Only every n-th matching request (3: the third, the sixth ...).
        probability: Each matching request with this probability, by the seed of the server.
        after_acting: Whether the server performs the operation anyway.
        late: By how many seconds of its clock the server performs it after the failure.
        canned: The response instead of the correct one, where it is fixed.
        headers: Headers that replace those of the correct response.

    Raises:
        ValueError: The operation is unknown, two of `first`, `every` and `probability` are given, one is out
            of range, or a header contains a line break.
    """

    kind: FaultKind
    operation: Operation | None = field(default=None, validator=optional(in_(OPERATIONS)))
    method: str | None = field(default=None, converter=_upper)
    path: str | re.Pattern[str] | None = None
    instance: int | None = None
    first: int | None = field(default=None, validator=optional(ge(1)))
    every: int | None = field(default=None, validator=optional(ge(1)))
    probability: float | None = field(default=None, validator=optional(and_(gt(0), le(1))))
    after_acting: bool = False
    late: float = field(default=0.0, validator=ge(0))
    canned: Response | None = None
    headers: Mapping[str, str] = field(factory=dict, validator=_sendable, hash=False)

    def __attrs_post_init__(self) -> None:
        if sum(choice is not None for choice in (self.first, self.every, self.probability)) > 1:
            raise ValueError("a fault takes one of first, every and probability")
        if self.late and not self.after_acting:
            raise ValueError("late requires after_acting=True")

    def __repr__(self) -> str:
        settings = [
            f"{each.name}={value!r}"
            for each in fields(type(self))
            if each.name != "kind" and (value := getattr(self, each.name)) not in (None, False, 0.0, {})
        ]
        return f"<Fault {' '.join([self.kind.value, *settings])}>"

    @classmethod
    def answer(
        cls,
        status: int,
        *,
        body: str | bytes | None = None,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
        retry_after: float | str | None = None,
        after_acting: bool = False,
        late: float = 0.0,
        **where: Unpack[RequestFilter],
    ) -> Self:
        """Answer with another response than the correct one.

        Args:
            status: The HTTP status.
            body: The body; by default JSON with the reason phrase.
            content_type: The Content-Type header.
            headers: Further headers.
            retry_after: The Retry-After header, which can be invalid.
            after_acting: Whether the server performs the operation anyway.
            late: By how many seconds of its clock the server performs it after the response, as if a proxy
                had timed out.
            **where: Which requests.

        Returns:
            The fault.

        Raises:
            ValueError: The status is not that of a final response.
        """
        if not 200 <= status <= 599:
            raise ValueError(f"status must be that of a final response, 200 to 599, not {status!r}")
        more = {**(headers or {})} | ({} if retry_after is None else {"Retry-After": str(retry_after)})
        _sendable(None, fields(cls).headers, more)
        whole = error_response(status).body if body is None else _encoded(body)
        canned = Response(status, whole, {"Content-Type": content_type, **more})
        return cls(kind=FaultKind.ANSWER, canned=canned, after_acting=after_acting, late=late, **where)

    @classmethod
    def redirect(cls, location: str, *, status: int = 302, **where: Unpack[RequestFilter]) -> Self:
        """Answer with a redirect.

        Args:
            location: The Location header.
            status: The HTTP status.
            **where: Which requests.
        """
        return cls.answer(status, headers={"Location": location}, **where)

    @classmethod
    def expired_token(cls, **where: Unpack[RequestFilter]) -> Self:
        """Answer with 401, as if the token had expired. It stays valid for the next request.

        Args:
            **where: Which requests.
        """
        return cls.answer(401, body='{"error":"The access token expired"}', **where)

    @classmethod
    def lose_response(cls, *, after_acting: bool, late: float = 0.0, **where: Unpack[RequestFilter]) -> Self:
        """Close the connection without a response.

        Args:
            after_acting: Whether the server performs the operation.
            late: By how many seconds of its clock the server performs it after it closed the connection.
            **where: Which requests.
        """
        return cls(kind=FaultKind.LOSE_RESPONSE, after_acting=after_acting, late=late, **where)

    @classmethod
    def hang(cls, *, after_acting: bool = False, late: float = 0.0, **where: Unpack[RequestFilter]) -> Self:
        """Send no response, until the client disconnects or the server stops.

        Args:
            after_acting: Whether the server performs the operation.
            late: By how many seconds of its clock the server performs it after the request.
            **where: Which requests.
        """
        return cls(kind=FaultKind.HANG, after_acting=after_acting, late=late, **where)

    @classmethod
    def repeat(cls, **where: Unpack[RequestFilter]) -> Self:
        """Perform the operation twice and return the second response, as if a proxy had repeated the request.

        Args:
            **where: Which requests.
        """
        return cls(kind=FaultKind.REPEAT, after_acting=True, **where)

    @classmethod
    def truncate(cls, **where: Unpack[RequestFilter]) -> Self:
        """Send half of the correct body, and close the connection. The Content-Length is that of the whole.

        Args:
            **where: Which requests.
        """
        return cls(kind=FaultKind.TRUNCATE, after_acting=True, **where)

    @classmethod
    def garbage(
        cls, body: str | bytes | None = None, *, content_type: str = JSON, **where: Unpack[RequestFilter]
    ) -> Self:
        """Send the correct status with an unreadable body. The server performs the operation.

        Args:
            body: The body; by default the first half of the correct one, with a matching Content-Length.
            content_type: The Content-Type header.
            **where: Which requests.
        """
        canned = None if body is None else Response(200, _encoded(body))
        headers = {"Content-Type": content_type}
        return cls(kind=FaultKind.GARBAGE, canned=canned, headers=headers, after_acting=True, **where)

    @classmethod
    def wrong_link(cls, value: str, **where: Unpack[RequestFilter]) -> Self:
        """Send the correct response with another Link header.

        Args:
            value: The Link header.
            **where: Which requests.
        """
        return cls(kind=FaultKind.WRONG_LINK, headers={"Link": value}, after_acting=True, **where)

    def matches(self, request: Request) -> bool:
        """Whether the request matches, regardless of `first`, `every` and `probability`."""
        return (
            self.operation in (None, request.operation)
            and self.method in (None, request.method)
            and self.instance in (None, request.instance_id)
            and self._matches_path(request.path)
        )

    def _matches_path(self, path: str) -> bool:
        if isinstance(self.path, re.Pattern):
            return self.path.search(path) is not None
        return self.path is None or fnmatchcase(path, self.path)


def _encoded(body: str | bytes) -> bytes:
    return body.encode() if isinstance(body, str) else body


class FaultInjector:
    """The faults of one server, each with the number of its matching requests.

    Args:
        faults: The faults, in the order in which they are tried.
        rng: For faults with a probability.
    """

    def __init__(self, faults: Sequence[Fault], rng: random.Random) -> None:
        self._rng = rng
        self._entries: tuple[tuple[Fault, list[int]], ...] = ()
        self.add(*faults)

    def add(self, *faults: Fault) -> None:
        """Add faults after the existing ones."""
        self._entries += tuple((fault, [0]) for fault in faults)

    @property
    def latest(self) -> float:
        """The maximum of `late`, in seconds."""
        return max((fault.late for fault, _ in self._entries), default=0.0)

    def clear(self) -> None:
        """Remove all faults."""
        self._entries = ()

    def match(self, request: Request) -> Fault | None:
        """The fault to apply to a request, or None. Each fault that is tried counts the request."""
        for fault, seen in self._entries:
            if fault.matches(request):
                seen[0] += 1
                if self._applies(fault, seen[0]):
                    return fault
        return None

    def _applies(self, fault: Fault, nth: int) -> bool:
        if fault.first is not None:
            return nth <= fault.first
        if fault.every is not None:
            return nth % fault.every == 0
        return fault.probability is None or self._rng.random() < fault.probability
