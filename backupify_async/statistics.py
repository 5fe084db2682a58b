"""A snapshot of what a client is doing."""

from datetime import datetime
from enum import Enum

import attrs

from backupify_async._json_types import ToDict

__all__ = ["LimitSource", "SpeedReason", "Statistics"]


class LimitSource(Enum):
    """What the estimate of the server's limit is based on; the best source wins.

    Attributes:
        HEADERS: The quota that the server announces in its responses.
        WINDOW: Retry-After: windows whose end is known, and the number of calls that they accepted.
        IN_FLIGHT: The number of calls in flight when others were refused: the server limits that number, and
            no rate.
        HISTORY: The times of refusals, and the number of calls accepted between them.
        NONE: Nothing yet: no limit was met, or detection is off.
    """

    HEADERS = "headers"
    WINDOW = "window"
    IN_FLIGHT = "in flight"
    HISTORY = "history"
    NONE = "none"


class SpeedReason(Enum):
    """What determines the current send rate.

    Attributes:
        NOT_LIMITED: Only the client's own settings: no limit was met, or some of the announced quota remains.
        FINDING: Calls were refused, and the server's limit is not known for certain yet.
        AT_LIMIT: The server's limit is known and kept.
        ASKING: The limit is known and was not exceeded for a while: the client sends a little faster, in case
            the limit rose.
        RETRY_AFTER: The server asked all calls to wait.
        QUOTA: The announced quota is spent until its reset.
        WINDOW: As many calls were sent as the server's window is known to accept: the client waits for the
            next window.
        IN_FLIGHT: The server limits the number of calls in flight, and no rate; the client tries one more
            from time to time.
        REFUSED: The server refuses every call: one call at a time probes whether that is over.
        DOWN: The server is down: one call at a time probes whether it is back.
    """

    NOT_LIMITED = "not limited"
    FINDING = "finding the limit"
    AT_LIMIT = "at the limit"
    ASKING = "asking for more"
    RETRY_AFTER = "Retry-After"
    QUOTA = "quota spent"
    WINDOW = "window spent"
    IN_FLIGHT = "at the limit of calls in flight"
    REFUSED = "all refused"
    DOWN = "server down"


@attrs.frozen
class Statistics(ToDict):
    """A snapshot of one client; counts are since it was opened.

    Attributes:
        in_flight: Requests in flight.
        waiting: Calls that wait for their turn to send.
        paused_until: Until when nothing is sent, UTC; None if nothing is paused.
        down_since: Since when the server is down and all calls wait, UTC; None if it is not.
        requests: Requests sent, including token requests and retries.
        refused: Responses that refused a call for now, as `Throttled` says.
        retried: Requests that repeat a failed one, without those that repeat a refused one.
        budget_left: Tokens remaining for retries.
        limit_source: What the estimate of the server's limit is based on.
        limit_per_second: The estimated limit, in calls per second; with a `SharedState`, that of all
            clients together. Before there is an estimate, the average of accepted calls. Preliminary while
            `speed_reason` is FINDING; None if nothing was refused or announced, or detection is off.
        reconciling: Triggers that are being reconciled, because their response was lost.
        waited_for: Backups that calls wait for.
        answered_from_memory: 404 responses to get-active taken for "idle" without a second request.
        speed_reason: What determines the current send rate.
        store_away: Since when the store of a `SharedState` cannot be used, UTC; None if it can, or if nothing
            is shared.
    """

    in_flight: int
    waiting: int
    paused_until: datetime | None
    requests: int
    refused: int
    retried: int
    budget_left: int
    limit_source: LimitSource
    limit_per_second: float | None
    reconciling: int = 0
    waited_for: int = 0
    answered_from_memory: int = 0
    down_since: datetime | None = None
    speed_reason: SpeedReason = SpeedReason.NOT_LIMITED
    store_away: datetime | None = None
