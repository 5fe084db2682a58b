"""What one backup is to a trigger whose answer was lost, by its id and its times; `reconciling` says why."""

import math
from datetime import timedelta
from enum import Enum
from typing import assert_never

import attrs

from backupify_async._endpoints.server_clock import MOST_AHEAD, MOST_BEHIND, ClockOffset, is_set
from backupify_async._triggers.baseline import Baseline, NotTold
from backupify_async.ids import whole_number
from backupify_async.models import Backup

_DAY = timedelta(days=1).total_seconds()
_LONGEST_MERE_DAY = len("2026-01-01")


@attrs.frozen
class Fate:
    """A sending that got no clear answer; times are the loop's, in seconds.

    The loop's clock stands still while the machine sleeps, and our own may be set. So how far the others were
    ahead of it is noted when the request leaves, and what is read later widens that.

    Attributes:
        left: When it left.
        latest: Until when the server may act on it.
        settled_at: From when on a look shows what it did: `latest`, or later where `latest` was only guessed
            or the server asked to wait.
        our_lead: How far our own clock was ahead of the loop's since it left, at least and at most.
        baseline: The highest id from before it left.
        accepted: Whether it was answered with a 2xx, in which no backup could be read.
        seen: The ids that looks of an earlier process found to be perhaps its work.
        lead: How far the server's clock was ahead of the loop's when it left; None where nobody noted that.
        taken_over: Whether an earlier process sent it: what is read later is of other clocks than `lead`.
    """

    left: float
    latest: float
    settled_at: float
    our_lead: ClockOffset
    baseline: Baseline = NotTold.NOT_TOLD
    accepted: bool = False
    seen: tuple[int | str, ...] = ()
    lead: ClockOffset | None = None
    taken_over: bool = False

    def our_clock_read(self, lead: float) -> "Fate":
        """As it is known once our own clock was read again, and was so far ahead of the loop's."""
        return attrs.evolve(self, our_lead=ClockOffset(lead, lead).or_also(self.our_lead))

    def server_lead(self, read: ClockOffset | None) -> ClockOffset | None:
        """How far the server's clock is ahead of the loop's; None where no Date told.

        Args:
            read: By the Dates of answers that came after it had left.
        """
        noted, slept = self.lead, self.our_lead.highest - self.our_lead.lowest  # at the most
        if noted is None:
            return None if read is None else ClockOffset(read.lowest - slept, read.highest)
        if self.taken_over:
            return noted
        return ClockOffset(noted.lowest, noted.highest + slept) if read is None else read.or_also(noted)


class Judgement(Enum):
    """What one backup is to the trigger."""

    OURS = "the trigger started it"
    NEAR = "was created so close to the sending that, by a clock a little off, it may be this trigger's"
    UNSURE = "may be this trigger's: neither its id nor its times tell"
    OLDER = "was there before"
    LATER = "came too late to be the trigger's"


class _Creation(Enum):
    INSIDE = "inside the window"
    NEAR = "close to it"
    BEFORE = "before it"
    AFTER = "after it"
    UNKNOWN = "not known"


def judge(backup: Backup, fate: Fate, lead: ClockOffset | None, tolerance: float) -> Judgement:
    """What one backup is to the trigger, by its id and its times.

    Args:
        backup: The backup.
        fate: The sending.
        lead: How far the server's clock is ahead of the loop's, by later answers; None where no Date told.
        tolerance: How far the clock that dates backups may be off from the server's or ours, in seconds.
    """
    above = _is_above(backup.id, fate.baseline)
    if above is False:
        return Judgement.OLDER
    creation = _creation(backup, fate, fate.server_lead(lead), tolerance)
    match creation:
        case _Creation.INSIDE:
            return Judgement.OURS
        case _Creation.BEFORE:
            return Judgement.UNSURE if above else Judgement.OLDER
        case _Creation.AFTER:
            return Judgement.LATER
        case _Creation.NEAR:
            return Judgement.OURS if above else Judgement.NEAR
        case _Creation.UNKNOWN:
            return Judgement.OURS if above else Judgement.UNSURE
    assert_never(creation)


def is_dated_before(backup: Backup, fate: Fate, lead: ClockOffset | None, tolerance: float) -> bool:
    """Whether a backup was created before the sending by the server's Date, and our clock does not object.

    Args:
        backup: The backup.
        fate: The sending.
        lead: As `judge`.
        tolerance: As `judge`.
    """
    lead, created = fate.server_lead(lead), _created(backup)
    if lead is None or created is None or created[0] < created[1]:
        return False
    near_or_before = _creation(backup, fate, lead, tolerance) in (_Creation.NEAR, _Creation.BEFORE)
    return near_or_before and created[1] < _window(fate, lead)[0]


def is_dated_to_have_ended_after(
    backup: Backup, fate: Fate, lead: ClockOffset | None, tolerance: float
) -> bool:
    """Whether a backup ended after the sending: by the server's Date, or else by our clock and more.

    Args:
        backup: The backup.
        fate: The sending.
        lead: As `judge`.
        tolerance: As `judge`.
    """
    ended = _bounds(backup, "completed_at")
    if ended is None:
        return False
    lead = fate.server_lead(lead)
    ahead = fate.our_lead.highest + tolerance if lead is None else lead.lowest
    _, latest = _window(fate, lead or fate.our_lead)
    # Servers cut off fractions; and what ends in the future has not ended.
    return math.floor(fate.left + ahead) <= ended[0] <= latest + tolerance


def _is_above(backup_id: int | str, baseline: Baseline) -> bool | None:
    """Whether an id is above the baseline; None where that is not told, or has no meaning."""
    if baseline is None:
        return True
    if isinstance(baseline, NotTold):
        return None
    if backup_id == baseline:
        return False
    one, other = whole_number(backup_id), whole_number(baseline)
    return None if one is None or other is None else one > other


def _creation(backup: Backup, fate: Fate, lead: ClockOffset | None, tolerance: float) -> _Creation:
    ours = fate.our_lead
    begin, end = _window(fate, lead or ours)
    begin_by_us, end_by_us = _window(fate, ours)
    surely_before = min(begin, begin_by_us) - tolerance
    created = _created(backup)
    if created is None:
        changes = (_bounds(backup, "completed_at"), _bounds(backup, "updated_at"))
        latest = [change[1] for change in changes if change is not None]
        return _Creation.BEFORE if latest and min(latest) < surely_before else _Creation.UNKNOWN
    earliest, at = created
    if earliest < at:  # it had no offset: by that nothing is inside or near
        if at < surely_before:
            return _Creation.BEFORE
        return _Creation.AFTER if earliest > max(end, end_by_us) + tolerance else _Creation.UNKNOWN
    if begin <= at <= end:
        return _Creation.INSIDE
    if begin - tolerance <= at <= end + tolerance:
        return _Creation.NEAR
    if begin_by_us - tolerance <= at <= end_by_us + tolerance:
        return _Creation.UNKNOWN
    return _Creation.BEFORE if at < begin else _Creation.AFTER


def _created(backup: Backup) -> tuple[float, float] | None:
    return _bounds(backup, "created_at") or _bounds(backup, "started_at")


def _bounds(backup: Backup, name: str) -> tuple[float, float] | None:
    """When a date of a backup was, at the earliest and at the latest, as seconds of the epoch."""
    date = getattr(backup, name)
    if date is None:
        return None
    at: float = date.timestamp()
    if not is_set(at):
        return None
    if name not in backup.without_offset:
        return at, at
    written = backup.extra[name]
    mere_day = isinstance(written, str) and len(written.strip()) <= _LONGEST_MERE_DAY
    return at - MOST_AHEAD, at + MOST_BEHIND + (_DAY if mere_day else 0.0)


def _window(fate: Fate, lead: ClockOffset) -> tuple[float, float]:
    return math.floor(fate.left + lead.lowest), fate.latest + lead.highest
