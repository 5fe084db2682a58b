"""What `-vv` shows on stderr: each request, its response, and the decisions to retry.

Shown are method, URL, status, seconds and request id; no body and no header. The server chooses the URL of
a next page and the request id, so secrets are taken out of both.
"""

import asyncio
from collections.abc import Callable
from itertools import count
from types import UnionType

from backupify_async._cli.error_messages import reason
from backupify_async._transport.transport import PreparedRequest, Response, Transport
from backupify_async.config import Settings
from backupify_async.events import (
    Event,
    EventHook,
    LimitChanged,
    RetryScheduled,
    SharedStoreAway,
    SharedStoreBack,
    Throttled,
    TokenRefreshed,
)


class LoggingTransport:
    """Logs each request and response of another transport. The two lines of one exchange share a number.

    Args:
        transport: Sends the requests.
        log: Takes the lines.
    """

    def __init__(self, transport: Transport, log: Callable[[str], None]) -> None:
        self._transport = transport
        self._log = log
        self._numbers = count(1)

    @property
    def max_concurrency(self) -> int | None:
        """How many requests it can send at once, as the other transport says."""
        return self._transport.max_concurrency

    async def open(self, settings: Settings) -> None:
        """Open the other transport."""
        await self._transport.open(settings)

    async def close(self) -> None:
        """Close the other transport."""
        await self._transport.close()

    async def __call__(self, request: PreparedRequest, /) -> Response:
        """Send a request by the other transport, and log it with its response or error."""
        number, now = next(self._numbers), asyncio.get_running_loop().time
        started = now()
        self._log(f"> [{number}] {request.method} {request.conceal(str(request.url))}")
        try:
            response = await self._transport(request)
        except BaseException as error:
            cancelled = isinstance(error, asyncio.CancelledError)
            problem = "cancelled" if cancelled else request.conceal(reason(error))
            self._log(f"< [{number}] {problem}, after {now() - started:.3f} s")
            raise
        request_id = f", request id {response.request_id}" if response.request_id else ""
        self._log(f"< [{number}] {response.status} in {now() - started:.3f} s{request_id}")
        return response


def log_events(
    hook: EventHook | None, log: Callable[[str], None], kinds: type | UnionType = object, lead: str = "* "
) -> EventHook:
    """An event hook that logs the decisions among the events, and passes all events on to `hook`.

    Args:
        hook: The other hook, if any.
        log: Takes the lines.
        kinds: The classes of the events to log.
        lead: What each line begins with.
    """

    def on_event(event: Event) -> None:
        line = event_line(event) if isinstance(event, kinds) else None
        if line is not None:
            log(f"{lead}{line}")
        if hook is not None:
            hook(event)

    return on_event


def event_line(event: Event) -> str | None:
    """The log line for an event; None for one that requests and responses show already."""
    match event:
        case RetryScheduled(method, path, attempt, delay, why):
            return f"{method} {path}: attempt {attempt} failed, retry in {delay:.2f} s: {why}"
        case Throttled(method, path, retry_after, paused_until):
            asked = "no Retry-After" if retry_after is None else f"Retry-After {retry_after:g} s"
            return f"{method} {path}: throttled, {asked}; paused until {paused_until:%H:%M:%S}Z"
        case LimitChanged(source, per_second, speed_reason):
            known = per_second is not None
            limit = f"{per_second:.3g} calls/s (source: {source.value})" if known else "unknown"
            return f"server's limit: {limit}; send rate: {speed_reason.value}"
        case TokenRefreshed(expires_in):
            return f"new token, {valid_for(expires_in)}"
        case SharedStoreAway(why):
            return f"shared store away: {why}"
        case SharedStoreBack(away_for):
            return f"shared store back after {away_for:.1f} s"
        case _:
            return None


def valid_for(expires_in: float | None) -> str:
    """How long a token is valid, in words; None where its end is not known."""
    return "with no known end" if expires_in is None else f"valid for {expires_in:.0f} s"
