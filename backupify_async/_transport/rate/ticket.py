"""One request that was sent, as a limiter knows it."""

from enum import Enum

import attrs


class CallOutcome(Enum):
    """What a call tells about the limit."""

    PENDING = "no response yet"
    ACCEPTED = "accepted"
    REFUSED = "refused for now"
    UNKNOWN = "no response, or one that says nothing of the limit"


@attrs.define(eq=False)
class Ticket:
    """One request that was sent. Its limiter gets it back exactly once.

    Attributes:
        sent_time: When it was sent, in seconds of the event loop's clock.
        outcome: Recorded by the gate; the adaptive limiter corrects it where a refusal says nothing of the
            rate.
        overdue: Whether later requests were counted before it (adaptive limiter only).
        in_flight: How many requests were in flight when it was sent, itself included; 0 before the first
            refusal (adaptive limiter only).
    """

    sent_time: float
    outcome: CallOutcome = CallOutcome.PENDING
    overdue: bool = False
    in_flight: int = 0
