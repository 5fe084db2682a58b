"""Telling the limiter what members did, and what became of those that are gone. Pure decisions."""

from backupify_async._shared.messages import CallEnd, Report, Turn
from backupify_async._shared.record import Record, Rules, Slot
from backupify_async._transport.rate.group_limiter import GroupLimiter
from backupify_async._transport.rate.ticket import CallOutcome, Ticket

_GONE = 3.0  # seconds without a turn, after which a member that holds slots or waits is expelled,
_FORGOTTEN = 30.0  # and after which any other one is
_VOID = 1.0  # seconds after its date: a slot that is not known to be used is void
_LATE = 3.0  # seconds after its sending: a call that the record does not know is counted no more
_UNAWARE = 1.0  # seconds after the limit was met, in which a member may not know it


def seed(record: Record, turn: Turn, now: float, rules: Rules) -> None:
    """The limit was met for the first time: from now on slots are needed."""
    limiter = GroupLimiter(record.ceiling(), rules.retry, turn.capacity)
    limiter.scale_start(turn.cap * len(record.members) / limiter.cap)
    record.seed(limiter, now)
    record.clock = max(record.clock, now)


def expel(record: Record, now: float, rules: Rules) -> bool:
    """Drop members that are gone, and slots that are void. Returns whether any slot was dropped."""
    holding = {slot.owner for slot in record.slots.values()}
    for name, member in list(record.members.items()):
        if now - member.seen > (_GONE if member.waiting or name in holding else _FORGOTTEN):
            del record.members[name]
    void = [
        (number, slot, slot.owner not in record.members)
        for number, slot in record.slots.items()
        if slot.owner not in record.members or (not slot.sent and slot.date < now - _VOID)
    ]
    for number, slot, gone in void:
        used = slot.sent or (gone and slot.date <= now)  # it can have been
        _end(record, number, Report(number, now, now, _end_of(used=used)), rules)
    return bool(void)


def report(record: Record, turn: Turn, now: float, rules: Rules) -> tuple[bool, list[int]]:
    """Tell the limiter what a member did.

    Args:
        record: The record; it is changed.
        turn: What the member says.
        now: The time.
        rules: The settings.

    Returns:
        Whether there was anything to tell, and the slots of the calls that the record did not know.
    """
    own = {number for number, slot in record.slots.items() if slot.owner == turn.member}
    lost = [number for number in own if record.slots[number].sent and number not in turn.known]
    if not (turn.sent_before or turn.reports or turn.without_slot or lost):
        return False, []
    limiter, tickets = record.limiter(rules)
    limiter.on_ended_before(turn.sent_before)
    registered = []
    for sent_time in turn.without_slot:
        record.last_slot += 1
        registered.append(record.last_slot)
        tickets[record.last_slot] = _ticket(record, limiter, sent_time)
        record.slots[record.last_slot] = Slot(turn.member, sent_time, sent=True)
    for number in lost:  # the member was away, and has forgotten them
        _end(record, number, Report(number, now, now, CallEnd.NO_RESPONSE), rules)
    for one in turn.reports:
        if one.slot is not None and one.slot in own:
            _end(record, one.slot, one, rules)
        elif one.end is not CallEnd.UNUSED and now - one.sent_time <= _LATE:
            _tell(record, limiter, _ticket(record, limiter, one.sent_time), one)
    return True, registered


def _ticket(record: Record, limiter: GroupLimiter, sent_time: float) -> Ticket:
    """The ticket of a call that was sent without a slot.

    Just after the limit was met its member does not know it: the call belongs to those in flight then.
    """
    felt_at = record.felt_at or 0.0
    return limiter.on_sent_before(felt_at if felt_at < sent_time < felt_at + _UNAWARE else sent_time)


def _end_of(*, used: bool) -> CallEnd:
    return CallEnd.NO_RESPONSE if used else CallEnd.UNUSED


def _end(record: Record, number: int, one: Report, rules: Rules) -> None:
    limiter, tickets = record.limiter(rules)
    del record.slots[number]
    _tell(record, limiter, tickets.pop(number), one)


def _tell(record: Record, limiter: GroupLimiter, ticket: Ticket, one: Report) -> None:
    """Report to the limiter. For it, time does not go back: what was granted cannot be stopped any more."""
    now = record.clock = max(record.clock, one.time)
    if one.refused:
        record.refused_at = now
    if one.end is CallEnd.RESPONSE and one.observation is not None:
        ticket.outcome = CallOutcome.REFUSED if one.refused else CallOutcome.ACCEPTED
        limiter.on_response(ticket, one.observation._replace(sent_time=ticket.sent_time, received_time=now))
    elif one.end is CallEnd.UNUSED:
        limiter.on_cancel(now, ticket)
    else:
        limiter.on_no_response(now, ticket)
    record.paused_until, record.blocked_until = limiter.paused_until, limiter.blocked_until
