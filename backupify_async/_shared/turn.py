"""One member's turn: pure decisions about a record.

A turn is what a member does between reading the record and writing it. It shows that it is there and how many
slots it needs, reports how its calls ended, expels members that are gone, and grants the slots that are due
soon to the members that wait, the one that was served longest ago first. So no member is in charge, and each
can stop at any time.
"""

import math
from collections.abc import Collection

import attrs

from backupify_async._shared.granting import grant, is_due, next_turn
from backupify_async._shared.messages import News, Turn
from backupify_async._shared.record import MOST, Member, Record, Rules
from backupify_async._shared.reporting import expel, report, seed

_SEEN_EVERY = 0.5  # seconds: a member need not show more often that it is there
_THERE = 3.0  # seconds since its last turn: a member counts
_OLD = 3600.0  # seconds since the last turn of any member: what was learned is doubtful
_EARLIER = 0.008  # seconds: others are woken if slots are due so much earlier


def is_needed(record: Record, turn: Turn, now: float) -> bool:
    """Whether a turn changes the record; else reading it is enough (`read_news`)."""
    me = record.members.get(turn.member)
    if me is None or turn.leaves or turn.reports or turn.sent or now - me.seen > _SEEN_EVERY:
        return True
    if record.felt_at is None:
        return turn.felt
    waiting = _still_wanted(record, turn)
    asks = bool(waiting) and (not me.waiting or is_due(record, now))
    return asks or bool(turn.without_slot)


def read_news(record: Record, turn: Turn, now: float) -> News:
    """What a member learns from a record that it leaves as it is."""
    return _news(record, turn, now, turn.known)


def take_turn(record: Record, turn: Turn, now: float, rules: Rules) -> News:
    """Take a turn.

    Args:
        record: The record; it is changed.
        turn: What the member brings.
        now: The time by the record's scale.
        rules: The settings.

    Raises:
        BadRecord: The record cannot be used.
    """
    others = {name: member.waiting for name, member in record.members.items() if name != turn.member}
    felt, due, joined = record.felt_at is not None, record.due, turn.member not in record.members
    begins = felt and not _present(record, now)
    me = _register(record, turn, now, rules)
    if begins:
        record.limiter(rules)[0].begin_run(now, doubt=now - record.turned_at > _OLD)
    record.turned_at = now
    moved = expel(record, now, rules)
    if turn.felt and not felt:
        seed(record, turn, now, rules)
    registered: list[int] = []
    if record.felt_at is not None:
        reported, registered = report(record, turn, now, rules)
        me.waiting = _still_wanted(record, turn)
        grant(record, now, rules, moved=moved or reported)
        record.require_plausible(now)
    served = any(record.members[name].waiting < n for name, n in others.items() if name in record.members)
    earlier = record.due < due - _EARLIER and any(others.values())
    refused = any(one.refused for one in turn.reports)
    news = attrs.evolve(
        _news(record, turn, now, {*turn.known, *registered}),
        registered=registered,
        changed=served or earlier or refused or joined or felt != (record.felt_at is not None),
    )
    if turn.leaves:
        me.seen = -math.inf
        expel(record, now, rules)
    return news


def _present(record: Record, now: float) -> int:
    """How many members there are."""
    return sum(now - member.seen <= _THERE for member in record.members.values())


def _register(record: Record, turn: Turn, now: float, rules: Rules) -> Member:
    """Show that the member is there."""
    me = record.members.get(turn.member)
    if me is None:
        me = record.members[turn.member] = Member(
            now,
            min(turn.capacity, MOST),
            ceiling=rules.limit.per_second or math.inf,
            burst=min(rules.limit.burst, MOST),
        )
    me.seen, me.latency = now, turn.latency
    for number in turn.sent:
        if number in record.slots:
            record.slots[number].sent = True
    return me


def _still_wanted(record: Record, turn: Turn) -> int:
    """How many slots a member wants beyond those that were granted, of which it does not know yet."""
    wanted = min(turn.wanted, MOST)
    return max(0, wanted - len(_granted(record, turn, turn.known))) if wanted else 0


def _granted(record: Record, turn: Turn, known: Collection[int]) -> list[tuple[int, float]]:
    return [
        (number, slot.date)
        for number, slot in record.slots.items()
        if slot.owner == turn.member and not slot.sent and number not in known
    ]


def _news(record: Record, turn: Turn, now: float, known: Collection[int]) -> News:
    reported = {one.slot for one in turn.reports}
    return News(
        felt=record.felt_at is not None,
        members=_present(record, now),
        granted=_granted(record, turn, known),
        void=[number for number in known if number not in record.slots and number not in reported],
        registered=(),
        waiting=record.members[turn.member].waiting,
        next_turn=next_turn(record, turn.member, now),
        eager=record.due == math.inf,
        changed=False,
        paused_until=record.paused_until,
        blocked_until=record.blocked_until,
    )
