"""Faults by rule: which requests go wrong, and how."""

import random
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any, Self, TypedDict, Unpack

from attrs import Attribute, field, fields, frozen
from attrs.validators import and_, ge, gt, in_, le, optional

from backupify_async.testing._answers import JSON, OPERATIONS, Answer, Asked, Operation, error_answer


class FaultKind(Enum):
    """What a fault does to a request."""

    ANSWER = "answer"
    LOSE_ANSWER = "lose_answer"
    HANG = "hang"
    REPEAT = "repeat"
    TRUNCATE = "truncate"
    GARBAGE = "garbage"
    WRONG_LINK = "wrong_link"


class Where(TypedDict, total=False):
    """Which requests a fault meets: the keywords that all of `Fault`'s class methods take."""

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
            raise ValueError(f"{attribute.name}: {name!r} holds a line break or a NUL, which no header can")


@frozen(kw_only=True, repr=False)
class Fault:
    """A rule by which requests go wrong. Made by its class methods, each of which is a way to go wrong.

    All of them take the same keywords, which say what requests the fault meets: `operation`, `method`,
    `path`, `instance`, and one of `first`, `every` and `probability`. A fault meets only requests that the
    rate limit and the token check let pass; the first of the server's faults that wants a request gets it,
    and those behind it do not see that request.

        Fault.answer(503, retry_after=1, operation="trigger", first=2)
        Fault.lose_answer(after_acting=True, method="GET", probability=0.02)

    Attributes:
        kind: what happens.
        operation: the request's purpose: `token`, `ping`, `list_instances`, `get_instance`,
            `list_customer_instances`, `list_backups`, `get_active`, `get_backup` or `trigger`.
        method: `GET` or `POST`.
        path: a glob over the whole path (`/v1/*/active`), or a compiled pattern that is searched in it.
        instance: the id of the backup instance in the path.
        first: only so many of the requests that fit, the first ones.
        every: only each so-manieth of the requests that fit (3: the third, the sixth ...).
        probability: each request that fits, with this probability by the server's seed.
        after_acting: whether the server does what it is asked before it goes wrong.
        late: how long after that it does so, in seconds of its clock.
        canned: what is answered instead of the truth, where that is known beforehand.
        headers: what is put into the headers of the true answer.

    Raises:
        ValueError: for an operation that is none, for two of `first`, `every` and `probability`, for one out
            of its range, and for a header with a line break in it.
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
    canned: Answer | None = None
    headers: Mapping[str, str] = field(factory=dict, validator=_sendable, hash=False)

    def __attrs_post_init__(self) -> None:
        if sum(choice is not None for choice in (self.first, self.every, self.probability)) > 1:
            raise ValueError("a fault takes one of first, every and probability")
        if self.late and not self.after_acting:
            raise ValueError("late: who acts late acts: say after_acting=True as well")

    def __repr__(self) -> str:
        told = [
            f"{each.name}={value!r}"
            for each in fields(type(self))
            if each.name != "kind" and (value := getattr(self, each.name)) not in (None, False, 0.0, {})
        ]
        return f"<Fault {' '.join([self.kind.value, *told])}>"

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
        **where: Unpack[Where],
    ) -> Self:
        """Another answer than the true one.

        Args:
            status: the HTTP status.
            body: the body; by default JSON that says what the status is called.
            content_type: what the body is said to be.
            headers: further headers.
            retry_after: the Retry-After header as it stands, also one that makes no sense.
            after_acting: whether the server does what it is asked all the same.
            late: how long after it has answered so, in seconds of its clock: a proxy gave up waiting.
            **where: which requests.

        Returns:
            The fault.

        Raises:
            ValueError: for a status that no final answer has.
        """
        if not 200 <= status <= 599:
            raise ValueError(f"status is one of a final answer, 200 to 599, not {status!r}")
        more = {**(headers or {})} | ({} if retry_after is None else {"Retry-After": str(retry_after)})
        _sendable(None, fields(cls).headers, more)
        whole = error_answer(status).body if body is None else _encoded(body)
        canned = Answer(status, whole, {"Content-Type": content_type, **more})
        return cls(kind=FaultKind.ANSWER, canned=canned, after_acting=after_acting, late=late, **where)

    @classmethod
    def redirect(cls, location: str, *, status: int = 302, **where: Unpack[Where]) -> Self:
        """A redirect.

        Args:
            location: where to, as it stands in the Location header.
            status: which kind of redirect.
            **where: which requests.
        """
        return cls.answer(status, headers={"Location": location}, **where)

    @classmethod
    def expired_token(cls, **where: Unpack[Where]) -> Self:
        """A 401, as if the token were over; it is not, the next request may use it again.

        Args:
            **where: which requests.
        """
        return cls.answer(401, body='{"error":"The access token expired"}', **where)

    @classmethod
    def lose_answer(cls, *, after_acting: bool, late: float = 0.0, **where: Unpack[Where]) -> Self:
        """The connection is closed without a byte of an answer.

        Args:
            after_acting: whether the server does what it is asked.
            late: how long after it has closed the connection, in seconds of its clock.
            **where: which requests.
        """
        return cls(kind=FaultKind.LOSE_ANSWER, after_acting=after_acting, late=late, **where)

    @classmethod
    def hang(cls, *, after_acting: bool = False, late: float = 0.0, **where: Unpack[Where]) -> Self:
        """No answer comes until the client leaves or the server stops.

        Args:
            after_acting: whether the server does what it is asked.
            late: how long after it has fallen silent, in seconds of its clock.
            **where: which requests.
        """
        return cls(kind=FaultKind.HANG, after_acting=after_acting, late=late, **where)

    @classmethod
    def repeat(cls, **where: Unpack[Where]) -> Self:
        """A proxy sends the request on twice, and the second answer comes back.

        Args:
            **where: which requests.
        """
        return cls(kind=FaultKind.REPEAT, after_acting=True, **where)

    @classmethod
    def truncate(cls, **where: Unpack[Where]) -> Self:
        """Half of the true answer's body, and then the end of the connection; the headers announce all of it.

        Args:
            **where: which requests.
        """
        return cls(kind=FaultKind.TRUNCATE, after_acting=True, **where)

    @classmethod
    def garbage(
        cls, body: str | bytes | None = None, *, content_type: str = JSON, **where: Unpack[Where]
    ) -> Self:
        """The true answer's status with a body that nobody can read; the server has acted.

        Args:
            body: the body; by default the first half of the true one, in an answer that is otherwise whole.
            content_type: what the body is said to be.
            **where: which requests.
        """
        canned = None if body is None else Answer(200, _encoded(body))
        headers = {"Content-Type": content_type}
        return cls(kind=FaultKind.GARBAGE, canned=canned, headers=headers, after_acting=True, **where)

    @classmethod
    def wrong_link(cls, value: str, **where: Unpack[Where]) -> Self:
        """The true answer with another Link header.

        Args:
            value: the header as it stands.
            **where: which requests.
        """
        return cls(kind=FaultKind.WRONG_LINK, headers={"Link": value}, after_acting=True, **where)

    def fits(self, asked: Asked) -> bool:
        """Whether the fault is about this request at all, however often it strikes."""
        return (
            self.operation in (None, asked.operation)
            and self.method in (None, asked.method)
            and self.instance in (None, asked.instance_id)
            and self._fits_path(asked.path)
        )

    def _fits_path(self, path: str) -> bool:
        if isinstance(self.path, re.Pattern):
            return self.path.search(path) is not None
        return self.path is None or fnmatchcase(path, self.path)


def _encoded(body: str | bytes) -> bytes:
    return body.encode() if isinstance(body, str) else body


class FaultBook:
    """The faults of one server, and how often each has been looked at.

    Args:
        faults: in the order in which they are asked.
        rng: decides about those with a probability.
    """

    def __init__(self, faults: Sequence[Fault], rng: random.Random) -> None:
        self._rng = rng
        self._entries: tuple[tuple[Fault, list[int]], ...] = ()
        self.add(*faults)

    def add(self, *faults: Fault) -> None:
        """Put more faults behind those that are there."""
        self._entries += tuple((fault, [0]) for fault in faults)

    @property
    def latest(self) -> float:
        """How late the latest of them acts, in seconds."""
        return max((fault.late for fault, _ in self._entries), default=0.0)

    def clear(self) -> None:
        """Drop all faults."""
        self._entries = ()

    def meet(self, asked: Asked) -> Fault | None:
        """The fault that a request meets, or None; each one that is looked at counts the request."""
        for fault, seen in self._entries:
            if fault.fits(asked):
                seen[0] += 1
                if self._strikes(fault, seen[0]):
                    return fault
        return None

    def _strikes(self, fault: Fault, nth: int) -> bool:
        if fault.first is not None:
            return nth <= fault.first
        if fault.every is not None:
            return nth % fault.every == 0
        return fault.probability is None or self._rng.random() < fault.probability
