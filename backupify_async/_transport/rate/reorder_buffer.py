"""Puts the outcomes of calls back into the order in which the calls were sent.

An edge server refuses at once, while an accepted call takes its time: the order of responses is not the
order in which the server met the calls. So an outcome is passed on once every call sent before has one;
then the count of accepted calls up to a refusal is exact. A call that hangs delays the others for a few
times the usual latency; if it is accepted after all, it is counted late.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from backupify_async._transport.rate.ticket import CallOutcome, Ticket

_PATIENCE = 4.0  # times the latency of an accepted call
_LEAST_PATIENCE = 0.5  # seconds
_WEIGHT = 0.1  # of the latest call in the average


class ReorderBuffer:
    """Holds calls until all earlier ones have an outcome. All times are seconds of one monotonic clock."""

    def __init__(self, tickets: Iterable[Ticket] = (), latency: float | None = None) -> None:
        self.tickets = deque(tickets)
        """The calls that are held, in the order of sending."""
        self.latency = latency
        """Average seconds from sending a call to the response that accepts it."""

    def on_send(self, now: float) -> Ticket:
        """Add a call that is sent now."""
        ticket = Ticket(now)
        self.tickets.append(ticket)
        return ticket

    def settle(self, now: float, ticket: Ticket, outcome: CallOutcome) -> Iterator[Ticket]:
        """Record an outcome; yield the calls that need not wait any longer, in the order of sending."""
        ticket.outcome = outcome
        if outcome is CallOutcome.ACCEPTED:
            seconds = now - ticket.sent_time
            before = seconds if self.latency is None else self.latency
            self.latency = before + _WEIGHT * (seconds - before)
        if ticket.overdue:
            yield ticket
        yield from self.due(now)

    def due(self, now: float) -> Iterator[Ticket]:
        """Yield the calls that need not wait any longer, because one before them took too long."""
        tickets, hangs = self.tickets, now - self.patience
        while tickets and (tickets[0].outcome is not CallOutcome.PENDING or tickets[0].sent_time <= hangs):
            first = tickets.popleft()
            if first.outcome is CallOutcome.PENDING:
                first.overdue = True
            else:
                yield first

    @property
    def patience(self) -> float:
        """Seconds for which a call without an outcome delays the others."""
        return max(_LEAST_PATIENCE, _PATIENCE * (self.latency or 0.0))
