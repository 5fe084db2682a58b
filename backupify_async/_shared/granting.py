"""Pure decisions about slots: who comes next, how far ahead, and how many calls can be in flight."""

import math

from backupify_async._shared.record import Record, Rules, Slot
from backupify_async._transport.rate.group_limiter import GroupLimiter

_STALLED = 0.3  # seconds after its date: the owner of a slot that is not known to be used gets no more
_STALE = 0.5  # seconds after which a limiter that waited for a response is asked again
_MARGIN = 0.002  # seconds: timers are late
_BATCH = 0.008  # seconds whose slots are granted in one turn, at least
_SLOWEST_TURN = 0.1  # seconds: slots are not granted further ahead for a member that is slower
_LONGEST_STAGGER = 0.05  # seconds between the turns of two members that wait for the same date
_SHORTEST_STAGGER = 0.001
_WEIGHT = 0.2  # of the latest in an average
_QUIET = 30.0  # seconds without a refusal, after which all members can use their whole capacity
_FAST = 1000.0  # calls a second: more are in flight only where a limit is known to be higher


def grant(record: Record, now: float, rules: Rules, *, moved: bool) -> None:
    """Grant the slots that are due soon, each to the member that waits and was served longest ago.

    Args:
        record: The record; it is changed.
        now: The time.
        rules: The settings.
        moved: Whether the limiter has heard of anything since the last time.
    """
    if not any(member.waiting for member in record.members.values()):
        record.due = -math.inf
        return
    last = now + _horizon(record)
    if not (moved or is_due(record, now)):
        return
    limiter, tickets = record.limiter(rules)
    record.refused_at = max(record.refused_at, record.paused_until)  # a pause shows nothing of what passes
    limiter.resize(_capacity(record, limiter, now))
    late = len(_late(record, now))
    time = max(now, record.clock)
    while time <= last and (ranking := _ranking(record, now)):
        record.due = date = max(limiter.earliest(time, len(record.slots) - late), limiter.blocked_until)
        if date > last:
            break
        if date > time:
            time = date
            continue
        record.last_slot += 1
        record.slots[record.last_slot] = Slot(ranking[0], time)
        tickets[record.last_slot] = limiter.on_send(time)
        _served(record, ranking[0], time)
    else:
        record.due = time if time > last else -math.inf
    record.clock = max(record.clock, time)
    record.paused_until, record.blocked_until = limiter.paused_until, limiter.blocked_until


def _served(record: Record, name: str, date: float) -> None:
    member = record.members[name]
    member.waiting -= 1
    member.served = date
    apart = min(1.0, max(0.0, date - record.granted_at))
    record.pace, record.granted_at = record.pace + _WEIGHT * (apart - record.pace), date


def next_turn(record: Record, member: str, now: float) -> float:
    """When a member should grant the next slots: the one that is served next does it first."""
    if not record.members[member].waiting or record.due == -math.inf:
        return math.inf
    ranking = _ranking(record, now)
    rank = ranking.index(member) if member in ranking else len(ranking)
    stagger = min(_LONGEST_STAGGER, max(_SHORTEST_STAGGER, record.pace, 2 * _latency(record)))
    # The response that is waited for can be a dead member's: then time alone changes something.
    due = record.due if record.due < math.inf else record.clock + _STALE + _lead(record) + _MARGIN
    return due - _lead(record) + rank * stagger


def is_due(record: Record, now: float) -> bool:
    """Whether slots can be granted now, as far as the record knows."""
    stale = record.due == math.inf and now - record.clock > _STALE
    return stale or record.due <= now + _horizon(record)


def _horizon(record: Record) -> float:
    """How many seconds ahead slots are granted."""
    return _lead(record) + _BATCH + _latency(record)


def _lead(record: Record) -> float:
    """How many seconds before its date a slot is granted at the latest: its owner must read it in time."""
    return _MARGIN + 2 * _latency(record)


def _latency(record: Record) -> float:
    waiting = (member.latency for member in record.members.values() if member.waiting)
    return min(_SLOWEST_TURN, max(waiting, default=0.0))


def _ranking(record: Record, now: float) -> list[str]:
    """The members that wait, the one that was served longest ago first; without those that use no slots."""
    stalled = set(_late(record, now))
    waiting = [
        (member.served, name)
        for name, member in record.members.items()
        if member.waiting and name not in stalled and not member.seen < member.served < now - _STALLED
    ]
    return [name for _, name in sorted(waiting)]


def _late(record: Record, now: float) -> list[str]:
    """The owners of slots that are not known to be used in time. Such a slot keeps no other call waiting."""
    return [slot.owner for slot in record.slots.values() if not slot.sent and slot.date < now - _STALLED]


def _capacity(record: Record, limiter: GroupLimiter, now: float) -> int:
    """How many calls all members can have in flight.

    Meeting a limit costs as many refusals as there are calls in flight. So where calls are refused, there are
    no more than one client would have, unless responses take so long that more are needed.
    """
    each = [member.capacity for member in record.members.values()]
    if now - record.refused_at > _QUIET:
        return sum(each)
    speed = max(_FAST, 2 * (limiter.estimate(now).per_second or 0.0))
    return min(sum(each), max([*each, int(limiter.latency * speed)]))
