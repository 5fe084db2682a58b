"""What an answer that is no success says: which error it is, and how long it asks to wait."""

import email.utils
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from yarl import URL

from backupify_async._escaping import printable
from backupify_async._transport.request import Request, Response
from backupify_async.errors import (
    APIError,
    BadRequest,
    Conflict,
    ConnectionFailed,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    Unauthorized,
    UnprocessableEntity,
)

_ABSURD = 7 * 86_400.0
_SECONDS = re.compile(r"\d+(?:\.\d*)?", re.ASCII)

_BY_STATUS: Mapping[int, type[APIError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    422: UnprocessableEntity,
    429: RateLimited,
}


def api_error_type(status: int) -> type[APIError]:
    """The class of error that stands for an HTTP status."""
    return _BY_STATUS.get(status, ServerError if status >= 500 else APIError)


def refusal(
    request: Request, response: Response, gave_up: str | None = None, *, show_body: bool = True
) -> APIError:
    """The error that an answer stands for.

    Args:
        request: What was asked.
        response: The answer: none of 2xx.
        gave_up: Why it is not tried again, where that is known already.
        show_body: Whether the error may show the body's beginning.
    """
    excerpt = response.excerpt if show_body else ""
    if 300 <= response.status < 400:
        excerpt = f"a redirect to {_origin(response.headers.get('Location'))}, which is not followed"
    return api_error_type(response.status)(
        response.status,
        request.method,
        request.path,
        response.message.conceal(response.headers.get("X-Request-Id", "")) or None,
        excerpt,
        retry_after(response),
        gave_up,
    )


def refused_for_long(request: Request, until: datetime, wait: float) -> RateLimited:
    """The error of a call that is not sent, for the server refuses all calls for longer than anybody waits.

    Args:
        request: What was to be asked.
        until: Until when, UTC.
        wait: Seconds until then.
    """
    gave_up = f"the server refuses all calls until {until:%Y-%m-%dT%H:%M:%SZ}; not sent"
    return RateLimited(429, request.method, request.path, retry_after=wait, gave_up=gave_up)


def down_for_long(since: datetime, longest: float) -> ConnectionFailed:
    """The error of a call that is not sent, for the server has been down for longer than anybody waits.

    Args:
        since: Since when, UTC.
        longest: For how many seconds that is waited out.
    """
    problem = f"the server has been down since {since:%Y-%m-%dT%H:%M:%SZ}; not sent"
    return ConnectionFailed(problem, sent=False, gave_up=f"max_outage={longest:g} s is over")


def _origin(location: str | None) -> str:
    """The origin of a Location: the rest of it may hold more than an error should show."""
    if location is None:
        return "no Location"
    try:
        return printable(str(URL(location).origin()))
    except ValueError:
        return "a place of the same origin"


def retry_after(response: Response) -> float | None:
    """Seconds that an answer asks to wait, or None."""
    value = response.headers.get("Retry-After")
    if value is None:
        return None
    return read_retry_after(value, response.headers.get("Date"), datetime.now(UTC))


def read_retry_after(value: str, date: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks to wait (RFC 9110 §10.2.3), fractions allowed.

    What is negative, past, no number and no date, or longer than a week is taken as missing.

    Args:
        value: The header.
        date: The answer's Date header: a date to wait for is by the server's clock, not by ours.
        now: Our own time, where the server does not tell its own.
    """
    value = value.strip()
    if _SECONDS.fullmatch(value):
        seconds = float(value)
    else:
        until = http_date(value)
        if until is None:
            return None
        seconds = (until - (http_date(date) or now)).total_seconds()
        if seconds <= 0:
            return None
    return seconds if seconds <= _ABSURD else None


def http_date(value: str | None) -> datetime | None:
    """A date in any of the three forms of RFC 9110 §5.6.7."""
    if value is None:
        return None
    try:
        date = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
