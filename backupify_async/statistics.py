"""What is going on in a client, at one moment."""

from datetime import datetime
from enum import Enum

import attrs

from backupify_async.plain import Plain


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


@attrs.frozen
class Statistics(Plain):
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
        limit_per_second: Calls a second that the server is believed to take; None where that is not known.
        looked_for: Triggers whose answer was lost, and that are being found out now.
        waited_for: Backups whose end is waited for now.
        answered_from_memory: 404 answers to get-active taken for "idle" without a second look.
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
    looked_for: int = 0
    waited_for: int = 0
    answered_from_memory: int = 0
    down_since: datetime | None = None
