"""Calls in the order in which they left, whatever the order in which their answers come.

An edge refuses at once, and what it lets through takes its time: answers say nothing of the order in which a
server met the calls. So an answer is handed on once all calls that left before are answered, and a count up
to a refusal is exact. One that hangs holds up the others for no more than a few times as long as calls take;
if it is accepted after all, it is counted late.
"""

from collections import deque
from collections.abc import Iterator

from backupify_async._transport.rate.ticket import CallOutcome, Ticket

_PATIENCE = 4.0  # times as long as an accepted call takes, before a call without an answer holds up no other
_LEAST_PATIENCE = 0.5  # seconds
_WEIGHT = 0.1  # of the latest call in the average


class ReorderBuffer:
    """All calls whose turn to be handed on has not come. All times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._entries: deque[Ticket] = deque()
        self.latency: float | None = None
        """Seconds from the sending of a call to the answer that accepts it, on average."""

    def on_send(self, now: float) -> Ticket:
        """Enter a call that leaves now."""
        ticket = Ticket(now)
        self._entries.append(ticket)
        return ticket

    def settle(self, now: float, ticket: Ticket, outcome: CallOutcome) -> Iterator[Ticket]:
        """Note what became of a call; give those whose turn has come, in the order in which they left."""
        ticket.outcome = outcome
        if outcome is CallOutcome.ACCEPTED:
            taken = now - ticket.sent_time
            self.latency = taken if self.latency is None else self.latency + _WEIGHT * (taken - self.latency)
        if ticket.overdue:
            yield ticket
        yield from self.due(now)

    def due(self, now: float) -> Iterator[Ticket]:
        """Give those whose turn has come, because a call before them is not waited for any longer."""
        entries = self._entries
        while entries and (
            entries[0].outcome is not CallOutcome.PENDING or entries[0].sent_time <= now - self.patience
        ):
            first = entries.popleft()
            if first.outcome is CallOutcome.PENDING:
                first.overdue = True
            else:
                yield first

    @property
    def patience(self) -> float:
        """Seconds from its sending on, for which a call without an answer holds up the others."""
        return max(_LEAST_PATIENCE, _PATIENCE * (self.latency or 0.0))
