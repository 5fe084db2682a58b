"""A snapshot of what a client is doing."""

from datetime import datetime
from enum import Enum

import attrs

from backupify_async._json_types import ToDict

__all__ = ["LimitSource", "SpeedReason", "Statistics"]


class LimitSource(Enum):
    """What the estimate of the server's limit rests on; the best source wins."""

    HEADERS = "headers"
    """The quota that the server announces in its responses."""
    WINDOW = "window"
    """Retry-After: windows whose end is known, and how many calls they held."""
    IN_FLIGHT = "in flight"
    """How many calls were in flight when others were refused: the server limits that, and no rate."""
    HISTORY = "history"
    """When calls were refused, and how many were accepted in between."""
    NONE = "none"
    """Nothing yet: no limit was met, or detection is off."""


class SpeedReason(Enum):
    """What limits the present speed."""

    NOT_LIMITED = "not limited"
    """Only the client's own settings: no limit was met, or some of the announced quota remains."""
    FINDING = "finding the limit"
    """Calls were refused, and the server's limit is not known for certain yet."""
    AT_LIMIT = "at the limit"
    """The server's limit is known and kept."""
    ASKING = "asking for more"
    """The limit is known and was not exceeded for a while: the speed grows above it, in case it rose."""
    RETRY_AFTER = "Retry-After"
    """The server asked all calls to wait."""
    QUOTA = "quota spent"
    """The announced quota is spent until its reset."""
    WINDOW = "window spent"
    """As many calls were sent as the server's window is known to hold: the next window is waited for."""
    IN_FLIGHT = "as many in flight as it takes"
    """The server limits how many calls are in flight, and no rate; one more is tried from time to time."""
    REFUSED = "all refused"
    """No call is accepted: one at a time probes whether that is over."""
    DOWN = "server down"
    """The server is down: one call at a time probes whether it is back."""


@attrs.frozen
class Statistics(ToDict):
    """A snapshot; counts are since the client was opened.

    Attributes:
        in_flight: Requests in flight.
        waiting: Calls that wait for their turn to send.
        paused_until: Until when nothing is sent, UTC; None if nothing is paused.
        down_since: Since when the server is down and all calls wait, UTC; None if it is not.
        requests: Requests sent, including token requests and retries.
        refused: Responses that refused a call for now, as `Throttled` says.
        retried: Requests that repeat a failed one, without those that repeat a refused one.
        budget_left: Tokens remaining for retries.
        limit_source: What the estimate of the server's limit rests on.
        limit_per_second: Calls a second that the server is estimated to accept. While that is not known, the
            average of what was accepted; None if nothing was refused or announced, or detection is off.
        reconciling: Triggers whose response was lost, and whose outcome is being found out now.
        waited_for: Backups whose end is waited for now.
        answered_from_memory: 404 responses to get-active taken for "idle" without a second request.
        speed_reason: What limits the present speed.
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
