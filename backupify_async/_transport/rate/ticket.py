"""A call that the limiter let go, and what became of it."""

from enum import Enum

import attrs


class CallOutcome(Enum):
    """What became of a call."""

    PENDING = "no answer yet"
    ACCEPTED = "accepted"
    REFUSED = "refused for now"
    UNKNOWN = "no answer, or none that teaches"


@attrs.define(eq=False)
class Ticket:
    """A call that may leave. The limiter that gave it wants it back with the answer, or as lost.

    Attributes:
        sent_time: When, by the clock of the limiter, in seconds.
        outcome: What became of it.
        overdue: Whether later calls were counted before it.
        in_flight: How many calls were in flight when it left, itself included; 0 before anything was refused.
    """

    sent_time: float
    outcome: CallOutcome = CallOutcome.PENDING
    overdue: bool = False
    in_flight: int = 0
