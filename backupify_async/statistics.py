"""What is going on in a client, at one moment."""

from datetime import datetime
from enum import Enum

import attrs

from backupify_async._json_types import ToDict

__all__ = ["LimitSource", "SpeedReason", "Statistics"]


class LimitSource(Enum):
    """What a belief of the server's limit rests on; the best source wins."""

    HEADERS = "headers"
    """What the server says of its quota in each answer."""
    WINDOW = "window"
    """Retry-After: windows whose end is known, and the calls that they held."""
    HISTORY = "history"
    """Our own refusals, and how many calls were accepted between them."""
    NONE = "none"
    """Nothing yet: the limit was not felt, or is not looked for."""


class SpeedReason(Enum):
    """Why calls leave as fast as they do, and no faster."""

    NOT_LIMITED = "not limited"
    """Nothing holds them back but the client's own settings: the limit was not met, or a quota is left."""
    FINDING = "finding the limit"
    """Calls were refused, and what the server takes is not known for certain yet."""
    AT_LIMIT = "at the limit"
    """The server's limit is known, and kept."""
    ASKING = "asking for more"
    """The limit is known, and was borne for a while: the speed grows above it, in case it rose."""
    RETRY_AFTER = "Retry-After"
    """The server asked everybody to wait."""
    QUOTA = "quota spent"
    """The quota that the server announces is spent until its reset."""
    WINDOW = "window spent"
    """As many calls as the server's window is known to hold have left: the next one is waited for."""
    IN_FLIGHT = "as many in flight as it takes"
    """The server limits how many calls are in flight, and no rate; more are asked for from time to time."""
    REFUSED = "all refused"
    """Nothing is accepted: one call at a time asks whether that is over."""
    DOWN = "server down"
    """The server fails everybody: one call at a time asks whether it is back."""


@attrs.frozen
class Statistics(ToDict):
    """A snapshot; the counts are since the client was opened.

    Attributes:
        in_flight: Requests that hold a place now.
        waiting: Calls that wait for a place or a slot now.
        paused_until: Until when nobody sends, UTC; None where nothing is paused.
        down_since: Since when the server is down and all calls wait, UTC; None where it is not.
        requests: Requests sent, those for tokens and those sent again included.
        refused: Answers that refused a call for now, as `Throttled` says.
        retried: Sendings that repeat a failed one; those after what `refused` counts are not counted.
        budget_left: Tokens left for retries.
        limit_source: What the client's belief of the server's limit rests on.
        limit_per_second: Calls a second that the server is believed to take. None where none is looked for
            or nothing was refused or announced; where it is not known yet, what was accepted on average.
        reconciling: Triggers whose answer was lost, and that are being found out now.
        waited_for: Backups whose end is waited for now.
        answered_from_memory: 404 answers to get-active taken for "idle" without a second look.
        speed_reason: Why calls leave as fast as they do.
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
