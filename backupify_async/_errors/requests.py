"""The errors of one request."""

from typing import Literal

import attrs

from backupify_async._errors.base import AuthenticationError, BackupifyError, after_giving_up


@attrs.define(slots=False, eq=False)
class TransportError(BackupifyError):
    """No complete response was received.

    Attributes:
        problem: What went wrong, in words.
        sent: False where the request certainly did not reach the server.
        gave_up: Why it was not retried; None if this kind of failure is never retried.
        status: The HTTP status, where the head of the response was received; else None.
        ours: Whether this machine lacks a resource: file descriptors, ports or memory.
    """

    problem: str
    sent: bool = True
    gave_up: str | None = None
    status: int | None = None
    ours: bool = False

    def __str__(self) -> str:
        return self.problem + after_giving_up(self.gave_up)


class ConnectionFailed(TransportError):
    """No connection to the server was established, so nothing was sent."""


@attrs.define(slots=False, eq=False)
class RequestTimeout(TransportError):
    """A time-out of `Timeouts` expired.

    Attributes:
        limit: The field of `Timeouts` that expired; None where it was none of them.
        seconds: The value of that field.
    """

    limit: Literal["connect", "read", "attempt", "total"] | None = None
    seconds: float | None = None


@attrs.define(slots=False, eq=False)
class APIError(BackupifyError):
    """The server refused the request.

    Attributes:
        status: The HTTP status.
        method: The method of the request.
        path: The path of the request, without its query.
        request_id: The server's id of this request (`X-Request-Id`), to quote in a support case.
        excerpt: The first 200 bytes of the body, as text.
        retry_after: The seconds in the Retry-After header; None without one.
        gave_up: Why it was not retried; None if this kind of failure is never retried.
    """

    status: int
    method: str
    path: str
    request_id: str | None = None
    excerpt: str = ""
    retry_after: float | None = None
    gave_up: str | None = None

    def __str__(self) -> str:
        text = f"{self.method} {self.path} answered {self.status}"
        text += f": {self.excerpt}" if self.excerpt else ""
        text += "" if self.retry_after is None else f" (Retry-After: {self.retry_after:g} s)"
        text += f" (request {self.request_id})" if self.request_id else ""
        return text + after_giving_up(self.gave_up)


class BadRequest(APIError):
    """400: the server does not understand the request."""


class Unauthorized(APIError, AuthenticationError):
    """401: the server refuses every token for a while, or this call while others succeed with the same."""


class PermissionDenied(APIError):
    """403: the token does not permit this on this instance."""


class NotFound(APIError):
    """404: there is no such resource."""


class Conflict(APIError):
    """409: the request conflicts with the state of the resource."""


class UnprocessableEntity(APIError):
    """422: the server understands the request and does not accept it."""


class RateLimited(APIError):
    """429: the server refuses calls for longer than the retry policy waits."""


class ServerError(APIError):
    """5xx: the server, or a proxy before it, failed."""


@attrs.define(slots=False, eq=False)
class DecodeError(BackupifyError):
    """The response is malformed, or not what the API returns.

    Attributes:
        problem: What is wrong with it, in words.
        path: The path of the request, without its query.
        content_type: The Content-Type of the response, "" without one.
        excerpt: The first 200 bytes of the body, as text.
        status: The HTTP status.
        gave_up: Why it was not retried; None if this kind of failure is never retried.
    """

    problem: str
    path: str
    content_type: str = ""
    excerpt: str = ""
    status: int | None = None
    gave_up: str | None = None

    def __str__(self) -> str:
        content_type = self.content_type or "missing"
        text = f"{self.path}: {self.problem} (Content-Type {content_type}): '{self.excerpt}'"
        return text + after_giving_up(self.gave_up)


class PaginationError(BackupifyError):
    """The pages of a list cannot be followed to their end; the message names the link."""


class UnsafeLink(PaginationError):
    """A Link leads to another origin. It was not followed, and the token was not sent there."""
