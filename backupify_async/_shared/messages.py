"""What a member brings to a turn, and what it takes home. All times are by the record's scale."""

from collections.abc import Collection, Sequence
from enum import Enum

import attrs

from backupify_async._transport.rate.limiter import Observation


class CallEnd(Enum):
    """How a call, or a slot, ended."""

    RESPONSE = "with a response that says something of the limit"
    NO_RESPONSE = "without one"
    UNUSED = "nothing was sent"


@attrs.frozen
class Report:
    """How one call ended.

    Attributes:
        slot: Its slot; None if it was sent without one.
        sent_time: When it was sent.
        time: When it ended.
        end: How.
        observation: What the response says; its times are not used.
    """

    slot: int | None
    sent_time: float
    time: float
    end: CallEnd
    observation: Observation | None = None

    @property
    def refused(self) -> bool:
        """Whether the call was refused for now."""
        return self.observation is not None and self.observation.status == 429


@attrs.frozen
class Turn:
    """What a member brings.

    Attributes:
        member: Its id.
        capacity: How many requests it can have in flight.
        wanted: How many slots it can use now, beyond those that it has.
        latency: Seconds that its turns take.
        felt: Whether it met the limit.
        cap: How many calls it lets be in flight while no limit is met.
        sent_before: How many calls it sent, and saw the end of, while it needed no slots; 0 once reported.
        reports: How calls ended, in the order of their ends.
        sent: Slots that were used, where the record should know that now.
        without_slot: When the calls were sent that are in flight without a slot.
        known: The slots that it has, used or not.
        leaves: Whether it is its last turn.
    """

    member: str
    capacity: int
    wanted: int = 0
    latency: float = 0.0
    felt: bool = False
    cap: int = 1
    sent_before: int = 0
    reports: Sequence[Report] = ()
    sent: Collection[int] = ()
    without_slot: Sequence[float] = ()
    known: Collection[int] = frozenset()
    leaves: bool = False


@attrs.frozen
class News:
    """What a member takes home.

    Attributes:
        felt: Whether the limit was met: slots are needed.
        members: How many members there are.
        granted: The new slots and their dates.
        void: The slots that it thought it had.
        registered: The slots of its `Turn.without_slot`, in their order.
        waiting: How many more slots it waits for.
        next_turn: When it should take its next turn to have slots granted; infinity for no such time.
        eager: Whether calls wait for what a report can say: it should not be delayed.
        changed: Whether other members should be woken.
        paused_until: As the limiter says.
        blocked_until: As the limiter says.
    """

    felt: bool
    members: int
    granted: Sequence[tuple[int, float]]
    void: Collection[int]
    registered: Sequence[int]
    waiting: int
    next_turn: float
    eager: bool
    changed: bool
    paused_until: float
    blocked_until: float
