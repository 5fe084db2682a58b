"""The errors of responses other than 2xx, and of calls that are not sent because all calls would fail."""

from collections.abc import Callable, Mapping
from datetime import datetime

from yarl import URL

from backupify_async._escaping import printable
from backupify_async._transport.call_state import CallState
from backupify_async._transport.outage import Outage
from backupify_async._transport.rate import Limiter
from backupify_async._transport.request import Request
from backupify_async._transport.transport import Response
from backupify_async.errors import (
    APIError,
    BackupifyError,
    BadRequest,
    ClientClosed,
    Conflict,
    ConnectionFailed,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestTimeout,
    ServerError,
    Unauthorized,
    UnprocessableEntity,
)

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
    """The error class for an HTTP status."""
    return _BY_STATUS.get(status, ServerError if status >= 500 else APIError)


def api_error(
    request: Request, response: Response, gave_up: str | None = None, *, show_body: bool = True
) -> APIError:
    """The error for a response other than 2xx.

    Args:
        request: The request.
        response: Its response.
        gave_up: Why the request is not retried, where that is already known.
        show_body: Whether the error may contain the beginning of the body.
    """
    excerpt = response.excerpt if show_body else ""
    if 300 <= response.status < 400:
        excerpt = f"a redirect to {_origin(response.headers.get('Location'))}, which is not followed"
    return api_error_type(response.status)(
        response.status,
        request.method,
        request.path,
        response.request_id,
        excerpt,
        response.retry_after,
        gave_up,
    )


def refused_for_long(request: Request, until: datetime, wait: float) -> RateLimited:
    """The error of a call that is not sent because the server refuses all calls for longer than the cap.

    Args:
        request: The request.
        until: When the server accepts calls again, UTC.
        wait: Seconds until then.
    """
    gave_up = f"the server refuses all calls until {until:%Y-%m-%dT%H:%M:%SZ}; not sent"
    return RateLimited(429, request.method, request.path, retry_after=wait, gave_up=gave_up)


def down_for_long(since: datetime, max_outage: float) -> ConnectionFailed:
    """The error of a call that is not sent because the server has been down for longer than `max_outage`.

    Args:
        since: When the outage began, UTC.
        max_outage: Seconds.
    """
    problem = f"the server has been down since {since:%Y-%m-%dT%H:%M:%SZ}; not sent"
    return ConnectionFailed(problem, sent=False, gave_up=f"max_outage={max_outage:g} s is over")


def _origin(location: str | None) -> str:
    """The origin of a Location header. The rest of it can contain what an error must not show."""
    if location is None:
        return "no Location"
    try:
        return printable(str(URL(location).origin()))
    except ValueError:
        return "a relative URL"


def gate_closed(
    call: CallState,
    outage: Outage,
    limiter: Limiter,
    *,
    max_outage: float,
    now: float,
    utc: Callable[[float], datetime],
) -> BackupifyError:
    """The error of a call that is not sent because the gate lets no call pass for long."""
    if outage.down_since is not None and outage.is_closed(now):
        return down_for_long(utc(outage.down_since), max_outage)
    until = limiter.blocked_until
    return refused_for_long(call.request, utc(until), until - now)


def call_cut_short(call: CallState, *, closed: bool) -> BackupifyError:
    """The error of a call that was ended by `close()`, where `closed`, or else by its `total` time-out."""
    if closed:
        return ClientClosed("the client was closed during the call")
    total = call.options.timeouts.total
    return RequestTimeout(
        f"the call took longer than total={total:g} s",
        sent=call.may_have_arrived,
        status=call.status,
        limit="total",
        seconds=total,
    )
