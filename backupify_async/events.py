"""What a client tells its `on_event` hook while it works: frozen, and without a token or a secret.

Hooks are called in the event loop, between two steps of a request, or of none: let them be quick. One that
raises is logged, and harms nobody.
"""

import logging
from collections.abc import Callable
from datetime import datetime

import attrs

from backupify_async.models import SentTrigger
from backupify_async.statistics import LimitSource, SpeedReason

_LOGGER = logging.getLogger("backupify_async.events")


@attrs.frozen
class RequestSent:
    """A request is about to leave.

    Attributes:
        method: Its method.
        path: Its path, without the query.
        attempt: Which sending of this call it is, from 1.
    """

    method: str
    path: str
    attempt: int


@attrs.frozen
class ResponseReceived:
    """An answer has come, whole or refused.

    Attributes:
        method: The request's method.
        path: The request's path, without the query.
        attempt: Which sending of this call it was, from 1.
        status: The answer's HTTP status.
        elapsed: Seconds from sending to the answer's last byte.
    """

    method: str
    path: str
    attempt: int
    status: int
    elapsed: float


@attrs.frozen
class RetryScheduled:
    """A call failed, and will be sent again.

    Attributes:
        method: The request's method.
        path: The request's path, without the query.
        attempt: Which sending of this call failed, from 1.
        delay: Seconds until it joins the queue again.
        reason: The failure in words.
    """

    method: str
    path: str
    attempt: int
    delay: float
    reason: str


@attrs.frozen
class Throttled:
    """The server refused a call for now, and all calls wait.

    Refusals are 429 and 420; 503 with Retry-After, or while other calls pass; 403 with Retry-After or with
    headers that tell of a spent quota; and a GET's 400 whose body names throttling. A call that is refused
    again while others pass waits alone.

    Attributes:
        method: The request's method.
        path: The request's path, without the query.
        retry_after: Seconds that the server asked to wait, or None where it did not say.
        paused_until: Until when nobody sends, UTC.
        limit_source: What the client's belief of the server's limit now rests on.
        limit_per_second: Calls a second that the server is believed to take; None where that is not known.
    """

    method: str
    path: str
    retry_after: float | None
    paused_until: datetime
    limit_source: LimitSource
    limit_per_second: float | None


@attrs.frozen
class LimitChanged:
    """What the client believes of the server's limit has changed, or why calls leave as fast as they do.

    Told at most once a second, while calls are sent and answered, where `limit_source` or `speed_reason` is
    another than was told last, or `limit_per_second` another by more than a fifth. No such event comes while
    no call was refused and no answer announced a quota.

    Attributes:
        limit_source: What the belief rests on.
        limit_per_second: Calls a second that the server is believed to take; None where that is not known.
        speed_reason: Why calls leave as fast as they do.
        paused_until: Until when nobody sends, UTC; None where nothing is paused.
    """

    limit_source: LimitSource
    limit_per_second: float | None
    speed_reason: SpeedReason
    paused_until: datetime | None


@attrs.frozen
class TokenRefreshed:
    """There is a new token.

    Attributes:
        expires_in: Seconds for which the server takes it, or None where it has no known end.
    """

    expires_in: float | None


@attrs.frozen
class TriggerStopped:
    """A trigger was cancelled, or ended by `drain()`, before its outcome was known.

    Attributes:
        instance_id: The instance.
        in_doubt: What was sent, and can have started a backup; None where no backup was started.
    """

    instance_id: int | str
    in_doubt: SentTrigger | None


Event = (
    RequestSent
    | ResponseReceived
    | RetryScheduled
    | Throttled
    | LimitChanged
    | TokenRefreshed
    | TriggerStopped
)
EventHook = Callable[[Event], object]


def tell(hook: EventHook | None, event: Event) -> None:
    """Tell a hook of an event; one that raises is logged, and harms nobody."""
    if hook is None:
        return
    try:
        hook(event)
    except Exception:
        _LOGGER.exception("the on_event hook raised at %s", type(event).__name__)
