"""The calls of one member, and the slots that it holds. All times are the loop's."""

import math
from bisect import insort
from collections.abc import Sequence

import attrs

from backupify_async._shared.messages import CallEnd, News, Report, Turn
from backupify_async._transport.rate.limiter import Observation
from backupify_async._transport.rate.ticket import Ticket

_HELD = 0.25  # seconds after its date: a slot that no call used is given back
_OUTDATED = 0.8  # seconds after its date: it will be void soon, and this process was stopped meanwhile
_SENT_DELAY = 0.1  # seconds after which the record must know that a slot was used


@attrs.define(eq=False)
class Call:
    """A call in flight, or one whose end is not reported yet.

    Attributes:
        ticket: Its ticket.
        slot: Its slot; None if it was sent without one.
        shown: Whether the record knows that it was sent.
        end: How it ended; None while it is in flight.
        time: When it ended.
        observation: What its response says.
    """

    ticket: Ticket
    slot: int | None = None
    shown: bool = False
    end: CallEnd | None = None
    time: float = 0.0
    observation: Observation | None = None


class OwnCalls:
    """Keeps what the next turn has to say of this member's calls, and the slots that turns brought.

    Args:
        capacity: How many requests can be in flight.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.waiting = 0
        """How many calls wait for a slot."""
        self._calls: dict[Ticket, Call] = {}
        self._pool: list[tuple[float, int]] = []  # slots, by date
        self._reports: list[Call] = []
        self._unshown: list[Call] = []

    @property
    def wanted(self) -> int:
        """How many slots can be used beyond those that are held."""
        in_flight = len(self._calls) - len(self._reports)
        return max(0, min(self.waiting, self._capacity - in_flight) - self.held)

    @property
    def held(self) -> int:
        """How many slots can be used."""
        return len(self._pool)

    @property
    def first_slot(self) -> float:
        """When the first slot can be used; infinity without one."""
        return self._pool[0][0] if self._pool else math.inf

    @property
    def show_at(self) -> float:
        """When the record must hear at the latest of slots that were used, or were not."""
        sent = self._unshown[0].ticket.sent_time + _SENT_DELAY if self._unshown else math.inf
        return min(sent, self.first_slot + _HELD)

    def get(self, ticket: Ticket) -> Call | None:
        """The call of a ticket, until its end is reported."""
        return self._calls.get(ticket)

    def add(self, ticket: Ticket) -> None:
        """A call was sent without a slot."""
        self._calls[ticket] = Call(ticket)

    def send(self, now: float) -> Ticket:
        """Send a call on the first slot."""
        ticket = Ticket(now)
        self._calls[ticket] = call = Call(ticket)
        if not self._pool or self._pool[0][0] > now:
            return ticket  # a token request, which asks no gate, was refused
        call.slot = self._pool.pop(0)[1]
        self._unshown.append(call)
        self.waiting = max(0, self.waiting - 1)
        return ticket

    def keep_slot(self, call: Call) -> None:
        """A call was cancelled before it was sent: the next one can have its slot."""
        self.drop(call)
        if call.slot is not None:
            if call in self._unshown:
                self._unshown.remove(call)
            insort(self._pool, (call.ticket.sent_time, call.slot))

    def drop(self, call: Call) -> None:
        """Forget a call."""
        del self._calls[call.ticket]

    def end(self, call: Call, now: float, end: CallEnd, observation: Observation | None = None) -> None:
        """A call has ended: the next turn reports it."""
        call.end, call.time, call.observation = end, now, observation
        self._reports.append(call)

    def give_back(self, now: float) -> None:
        """Let the next turn give back the slots that no call used in time."""
        late = [(date, slot) for date, slot in self._pool if date < now - _HELD]
        for date, slot in late:
            self._pool.pop(0)
            self._calls[ticket] = call = Call(ticket := Ticket(date), slot)
            self.end(call, date, CallEnd.UNUSED)
            self.waiting = 0  # no call waits, or it would have used them

    def forget_reports(self) -> Sequence[Call]:
        """The store is away: forget what was to be reported, and the slots. Returns the reports."""
        reports, self._reports = self._reports, []
        for call in reports:
            self.drop(call)
        self._pool.clear()
        self._unshown.clear()
        return reports

    def batch(self, now: float) -> "Batch":
        """What the next turn says."""
        without_slot = [call for call in self._calls.values() if call.slot is None and call.end is None]
        shows = self._reports or now >= self.show_at
        return Batch(tuple(self._reports), tuple(without_slot), tuple(self._unshown) if shows else ())

    def complete(self, turn: Turn, batch: "Batch", ahead: float) -> Turn:
        """Add to a turn what is to be said of the calls; `ahead` is the record's time less the loop's."""
        known = {call.slot for call in self._calls.values() if call.slot is not None}
        return attrs.evolve(
            turn,
            reports=[_report(call, ahead) for call in batch.reports],
            sent=[call.slot for call in batch.sent if call.slot is not None],
            without_slot=[call.ticket.sent_time + ahead for call in batch.without_slot],
            known=known | {slot for _, slot in self._pool},
        )

    def learn(self, batch: "Batch", news: News, ahead: float, now: float) -> None:
        """Take in what a turn brought. A slot that comes after its date can be used from now on."""
        for call in batch.reports:
            self.drop(call)
        del self._reports[: len(batch.reports)]
        for call, slot in zip(batch.without_slot, news.registered, strict=False):
            call.slot = slot
        for call in batch.sent:
            call.shown = True
        self._unshown = [call for call in self._unshown if not call.shown and call.end is None]
        if news.void:
            self._pool = [(date, slot) for date, slot in self._pool if slot not in news.void]
        for slot, date in news.granted:
            late = 0.0 < now - (date - ahead) < _OUTDATED
            insort(self._pool, (now if late else date - ahead, slot))


@attrs.frozen
class Batch:
    """What one turn says of calls, however often it is tried.

    Attributes:
        reports: Calls that have ended.
        without_slot: Calls in flight that the record does not know.
        sent: Calls that used their slots, where the record should know that now.
    """

    reports: tuple[Call, ...]
    without_slot: tuple[Call, ...]
    sent: tuple[Call, ...]


def _report(call: Call, ahead: float) -> Report:
    sent_time, end = call.ticket.sent_time, call.end or CallEnd.NO_RESPONSE
    return Report(call.slot, sent_time + ahead, call.time + ahead, end, call.observation)
