"""What became of a trigger whose answer was lost: the pure decision, over what looks at the instance saw.

Theory of operation. The API has no idempotency key, so the trigger must be known by its backup: by its id,
if the highest one from before is known (the *baseline*), and by the time of its creation. That lies between
the sending and the latest moment at which the server may act: `settling` seconds after the answer was lost.

Both ends are read on the server's clock, whose lead over ours each look's `Date` tells within bounds. The
window takes the wider bound at each end, begins with a whole second, as servers cut off fractions, and
equality counts as inside. Without a Date our own clock stands for the server's. Who dates backups may have
a third clock, as where a proxy adds the Date: what was created inside the window is the trigger's, what was
created outside by no more than `clock_tolerance` is *near*, and what is so by our clock only is *unsure*.
The clocks are related to each other when the request leaves, and later readings only widen the window: the
machine may sleep while its request is under way. A date without an offset is 14 hours early to 12 late.

| creation | at or below the baseline | above it | no baseline |
| --- | --- | --- | --- |
| inside the window | older | ours | ours |
| near; unknown; inside or near by our clock only, not by Date | older | ours | near; unsure |
| before all that | older | unsure: the two contradict each other | older |
| after all that | older | later | later |

What is ours is adopted, but for an active one that a Date tells to be from before the sending. What is near
is adopted if it is active once the server has settled and no Date tells that: then nothing could be started
anyway. Any other active one is what the server refused the trigger for.
Only where a look that began after settling saw the whole end of the list and nothing of all that, the
trigger did nothing, and is sent again. Whatever is unsure or contradicts itself is looked at again until
patience ends, and then said to be undecided. So is an empty list, which a replica shows too, or an instance
that was moved, unless the baseline says that there was no backup before, or another look ten seconds before
saw the same.

Of the two errors that such a rule can make this one makes the harmless: a backup that somebody else started
inside the window, or near it and either above the baseline or active, is taken for ours, so that ours may be
missing. The other one, a second backup, takes a server that breaks a promise: it acts later than `settling`,
hides for longer a backup that is over by then, or dates backups by a clock that is further than
`clock_tolerance` from both its Date's and ours.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import attrs

from backupify_async._endpoints.server_clock import ClockOffset
from backupify_async._escaping import printable
from backupify_async._triggers.baseline import NotTold
from backupify_async._triggers.matching import Fate, Judgement, is_dated_before, judge
from backupify_async.config import Reconciliation
from backupify_async.ids import whole_number
from backupify_async.models import Backup

_FIRST_GAP = 1.0  # seconds; most answers are lost behind a server that has acted already
_GAP_GROWTH = 3.0
_LONGEST_GAP = 30.0
_EMPTY_FOR = 10.0  # seconds between two looks at an empty list that nobody was told of before


@attrs.frozen
class Snapshot:
    """What the instance showed.

    Attributes:
        began: When the look began, by the loop's clock, in seconds.
        active: The backup that ran.
        tail: The end of the list, ascending.
        asked: When the request for the end of the list left, which may have waited for its turn.
        ended: When its answer had come.
        whole: Whether that reaches back to the list's beginning, or to a backup that is surely older.
        lead: How far the server's clock is ahead of the loop's.
        stood_still: For how many seconds the server had been down in all when it ended.
    """

    began: float
    active: Backup | None
    tail: tuple[Backup, ...]
    asked: float
    ended: float
    whole: bool = True
    lead: ClockOffset | None = None
    stood_still: float = 0.0

    @property
    def backups(self) -> tuple[Backup, ...]:
        """All that it showed, each once; the active one last where the list does not have it."""
        listed = {backup.id for backup in self.tail}
        hidden = self.active is not None and self.active.id not in listed
        return (*self.tail, self.active) if hidden and self.active is not None else self.tail


@attrs.frozen
class FailedSnapshot:
    """A look that showed nothing.

    Attributes:
        began: When it began, by the loop's clock, in seconds.
        problem: Why, in words.
        ended: When it had failed.
        stood_still: For how many seconds the server had been down in all by then.
    """

    began: float
    problem: str
    ended: float
    stood_still: float = 0.0


@attrs.frozen
class Adopt:
    """The trigger started this backup."""

    backup: Backup


@attrs.frozen
class AlreadyActive:
    """The trigger started nothing, for this backup was running."""

    backup: Backup


@attrs.frozen
class SendAgain:
    """The trigger did nothing, and nothing runs."""


@attrs.frozen
class LookAgain:
    """It is too early to tell: look again `at` this time of the loop's clock, in seconds."""

    at: float


@attrs.frozen
class Undecided:
    """It cannot be told; `reason` says why."""

    reason: str


Verdict = Adopt | AlreadyActive | SendAgain | LookAgain | Undecided


def decide(
    fate: Fate,
    looks: Sequence[Snapshot | FailedSnapshot],
    now: float,
    settings: Reconciliation,
    stood_still: float = 0.0,
) -> Verdict:
    """What to do about a sending without a clear answer.

    Args:
        fate: The sending.
        looks: What looks at its instance saw since, in their order.
        now: The loop's time, in seconds.
        settings: The limits.
        stood_still: For how many seconds the server has been down in all, in which no patience runs.
    """
    if not looks:
        return LookAgain(now)
    last, lead = looks[-1], common_lead(looks)
    if isinstance(last, Snapshot):
        before = _active_from_before(fate, last, lead, settings)
        ours = [
            one
            for one in last.backups
            if one != before and _judge_in(last, one, fate, lead, settings) is Judgement.OURS
        ]
        if ours:
            return Adopt(min(ours, key=lambda one: _inf_if_none(whole_number(one.id))))
    next_look = now + min(_FIRST_GAP * _GAP_GROWTH ** min(len(looks) - 1, 9), _LONGEST_GAP)
    if last.began < fate.settled_at:
        return LookAgain(min(next_look, max(now, fate.settled_at)))
    doubt = last.problem if isinstance(last, FailedSnapshot) else _doubt(fate, looks, last, lead, settings)
    if doubt is None and isinstance(last, Snapshot):
        if last.active is None:
            return SendAgain()
        near = _judge_in(last, last.active, fate, lead, settings) is Judgement.NEAR
        adopted = near and _active_from_before(fate, last, lead, settings) is None
        return Adopt(last.active) if adopted else AlreadyActive(last.active)
    # Looks may wait long for their turn: patience begins behind the first one that could tell.
    first = next(one for one in looks if one.began >= fate.settled_at)
    end = first.ended + settings.patience + stood_still - first.stood_still
    return LookAgain(min(next_look, end)) if now < end else Undecided(doubt or "nothing was seen")


def common_lead(looks: Sequence[Snapshot | FailedSnapshot]) -> ClockOffset | None:
    """The bounds of the server's lead that hold for all looks; None where no Date told."""
    common: ClockOffset | None = None
    for look in looks:
        if isinstance(look, Snapshot) and look.lead is not None:
            common = look.lead.or_also(common)
    return common


def candidates(
    fate: Fate, looks: Sequence[Snapshot | FailedSnapshot], settings: Reconciliation
) -> list[Backup]:
    """The backups of the last look that showed some which may be the trigger's, or stood in its way."""
    seen = [look for look in looks if isinstance(look, Snapshot)]
    if not seen:
        return []
    last, lead = seen[-1], common_lead(looks)
    return [
        one
        for one in last.backups
        if one == last.active or _judge_in(last, one, fate, lead, settings) is not Judgement.OLDER
    ]


def _active_from_before(
    fate: Fate, look: Snapshot, lead: ClockOffset | None, settings: Reconciliation
) -> Backup | None:
    """The active backup, where a Date tells that it was there before the sending."""
    active = look.active
    if active is None or not is_dated_before(active, fate, lead, settings.clock_tolerance):
        return None
    return active


def _judge_in(
    look: Snapshot, backup: Backup, fate: Fate, lead: ClockOffset | None, settings: Reconciliation
) -> Judgement:
    """As `judge`; a list whose ids do not ascend has no order by which a baseline could tell."""
    if not _ascends(look.tail):
        fate = attrs.evolve(fate, baseline=NotTold.NOT_TOLD)
    return judge(backup, fate, lead, settings.clock_tolerance)


def _doubt(
    fate: Fate,
    looks: Sequence[Snapshot | FailedSnapshot],
    last: Snapshot,
    lead: ClockOffset | None,
    settings: Reconciliation,
) -> str | None:
    """Why a look that began after settling does not tell; None where it does."""
    listed = {backup.id for backup in last.tail}
    missing = _missing(fate, looks, last)
    if missing is not None:
        return missing
    if not _ascends(last.tail):
        return "the list does not ascend by id"
    if last.active is not None and last.active.id not in listed:
        return f"backup {_shown(last.active.id)} is active, and the list does not have it"
    for before in _seen_before(fate, looks, last):
        if before not in listed:
            return f"backup {_shown(before)} was there before, and the list does not have it any more"
    from_before = _active_from_before(fate, last, lead, settings)
    for one in last.tail:
        judgement = judge(one, fate, lead, settings.clock_tolerance)
        near = judgement is Judgement.NEAR and one.id != (last.active and last.active.id)
        unsure = judgement is Judgement.UNSURE and one.id != (from_before and from_before.id)
        if near or unsure:
            told = fate.baseline is not None and not isinstance(fate.baseline, NotTold)
            no_order = f"; to the baseline, {_shown(fate.baseline)}, its id has no order" if told else ""
            return f"backup {_shown(one.id)} {judgement.value}{no_order}"
    if not last.whole:
        return "the end of the list shows no backup that is surely older"
    if fate.accepted and last.active is None:
        return "it was answered with a 2xx, and no backup is to be seen"
    return None


def _missing(fate: Fate, looks: Sequence[Snapshot | FailedSnapshot], last: Snapshot) -> str | None:
    """Why a list that has too little is not believed: it may lack the trigger's backup as well."""
    if fate.baseline is None:
        return None
    if isinstance(fate.baseline, NotTold):
        empty_for_long = any(
            isinstance(one, Snapshot) and not one.backups and last.asked - one.ended >= _EMPTY_FOR
            for one in looks[:-1]
        )
        believed = last.tail or (empty_for_long and last.active is None)
        return None if believed else "the list is empty, which no baseline confirms"
    if not last.tail:
        return f"the list is empty, and had backup {_shown(fate.baseline)}"
    baseline = whole_number(fate.baseline)
    ids = [one for one in (whole_number(backup.id) for backup in last.tail) if one is not None]
    before = baseline is not None and ids and max(ids) < baseline
    return f"the list ends before the baseline, {baseline}" if before else None


def _seen_before(
    fate: Fate, looks: Sequence[Snapshot | FailedSnapshot], last: Snapshot
) -> Iterator[int | str]:
    """The ids that the end of the list must have, for they were seen before, by this process or another."""
    for look in looks[:-1]:
        if isinstance(look, Snapshot):
            yield from (one.id for one in (look.active, *look.tail[-1:]) if one is not None)
    lowest = whole_number(last.tail[0].id) if last.tail else None
    for one in fate.seen:
        value = whole_number(one)
        if value is None or lowest is None or value >= lowest:
            yield one


def _shown(backup_id: object) -> str:
    return printable(str(backup_id))


def _ascends(tail: Sequence[Backup]) -> bool:
    """Whether ids go up; those that are no numbers have no order to go against."""
    numbers = [one for one in (whole_number(backup.id) for backup in tail) if one is not None]
    return all(one < other for one, other in pairwise(numbers))


def _inf_if_none(value: int | None) -> float:
    return math.inf if value is None else value
