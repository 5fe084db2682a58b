"""The events that a client reports to its `on_event` hook: frozen, without tokens and secrets.

Hooks run in the event loop: keep them short. An exception in a hook is logged, and has no other effect.
"""

import logging
from collections.abc import Callable
from datetime import datetime

import attrs

from backupify_async.models import SentTrigger
from backupify_async.statistics import LimitSource, SpeedReason

__all__ = [
    "Event",
    "EventHook",
    "LimitChanged",
    "RequestSent",
    "ResponseReceived",
    "RetryScheduled",
    "SharedStoreAway",
    "SharedStoreBack",
    "Throttled",
    "TokenRefreshed",
    "TriggerStopped",
]

_LOGGER = logging.getLogger("backupify_async.events")


@attrs.frozen
class RequestSent:
    """A request is about to be sent.

    Attributes:
        method: The method.
        path: The path, without the query.
        attempt: The number of this attempt of the call, from 1.
    """

    method: str
    path: str
    attempt: int


@attrs.frozen
class ResponseReceived:
    """A response was received, a refusal included.

    Attributes:
        method: The request's method.
        path: The request's path, without the query.
        attempt: The number of this attempt of the call, from 1.
        status: The HTTP status.
        elapsed: Seconds from sending to the last byte of the response.
    """

    method: str
    path: str
    attempt: int
    status: int
    elapsed: float


@attrs.frozen
class RetryScheduled:
    """A call failed, and will be retried.

    Attributes:
        method: The request's method.
        path: The request's path, without the query.
        attempt: The number of the failed attempt, from 1.
        delay: Seconds until it enters the queue again.
        reason: The message of the error.
    """

    method: str
    path: str
    attempt: int
    delay: float
    reason: str


@attrs.frozen
class Throttled:
    """The server refused a call because of its rate limit, and all calls pause.

    Refusals are 429 and 420; 503 with Retry-After, or while other calls succeed; 403 with Retry-After, or
    with headers that show a used-up quota; and 400 to a GET if the body mentions throttling. A call that is
    refused again while others succeed waits alone.

    Attributes:
        method: The request's method.
        path: The request's path, without the query.
        retry_after: The seconds in the Retry-After header; None without one.
        paused_until: The end of the pause, UTC.
        limit_source: What the client's estimate of the server's limit is based on now.
        limit_per_second: The estimate, in calls per second; None where there is none.
    """

    method: str
    path: str
    retry_after: float | None
    paused_until: datetime
    limit_source: LimitSource
    limit_per_second: float | None


@attrs.frozen
class LimitChanged:
    """The client's estimate of the server's limit changed, or the reason for its current send rate.

    Reported at most once a second, while calls are sent, if `limit_source` or `speed_reason` differs from the
    last report, or `limit_per_second` differs by more than 20 %. Never reported before the first refusal or
    the first response with a quota.

    Attributes:
        limit_source: What the estimate is based on.
        limit_per_second: The estimate, in calls per second, as `Statistics` explains it; None where there is
            none.
        speed_reason: What determines the current send rate.
        paused_until: The end of the current pause, UTC; None without one.
    """

    limit_source: LimitSource
    limit_per_second: float | None
    speed_reason: SpeedReason
    paused_until: datetime | None


@attrs.frozen
class TokenRefreshed:
    """A new token was obtained.

    Attributes:
        expires_in: Its lifetime in seconds; None where it is unknown.
    """

    expires_in: float | None


@attrs.frozen
class TriggerStopped:
    """A trigger was cancelled, or ended by `drain()`, before its outcome was known.

    Attributes:
        instance_id: The instance.
        in_doubt: The trigger that was sent and may have started a backup; None where none was started.
    """

    instance_id: int | str
    in_doubt: SentTrigger | None


@attrs.frozen
class SharedStoreAway:
    """The store of a `SharedState` cannot be used.

    Until it is back, this client sends at its share of the last rate, and requests tokens for itself.

    Attributes:
        reason: Why, without a password.
    """

    reason: str


@attrs.frozen
class SharedStoreBack:
    """The store of a `SharedState` can be used again.

    Attributes:
        away_for: How long it could not, in seconds.
    """

    away_for: float


Event = (
    RequestSent
    | ResponseReceived
    | RetryScheduled
    | Throttled
    | LimitChanged
    | TokenRefreshed
    | SharedStoreAway
    | SharedStoreBack
    | TriggerStopped
)
EventHook = Callable[[Event], object]


def emit(hook: EventHook | None, event: Event) -> None:
    """Report an event to a hook. An exception in the hook is logged."""
    if hook is None:
        return
    try:
        hook(event)
    except Exception:
        _LOGGER.exception("the on_event hook raised at %s", type(event).__name__)
