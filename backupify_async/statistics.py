"""What is going on in a client, at one moment."""

from datetime import datetime

import attrs


@attrs.frozen
class Statistics:
    """A snapshot; the counts are since the client was opened.

    Attributes:
        in_flight: Requests that hold a place now.
        waiting: Calls that wait for a place or a slot now.
        paused_until: Until when nobody sends, UTC; None where nothing is paused.
        requests: Requests sent, those for tokens and those sent again included.
        refused: Answers 429.
        retried: Sendings that repeat a failed one; after a 429, which `refused` counts, they are not counted.
        budget_left: Tokens left for retries.
        answered_from_memory: 404 answers to get-active taken for "idle" without a second look.
    """

    in_flight: int
    waiting: int
    paused_until: datetime | None
    requests: int
    refused: int
    retried: int
    budget_left: int
    answered_from_memory: int = 0
