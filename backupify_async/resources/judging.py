"""What one backup is to a trigger whose answer was lost, by its id and its times; `reconciling` says why."""

import math
from enum import Enum
from typing import assert_never

import attrs

from backupify_async.models import Backup
from backupify_async.resources.baselines import Baseline, NotTold
from backupify_async.resources.server_clock import Lead


@attrs.frozen
class Fate:
    """A sending that got no clear answer; times are the loop's, in seconds.

    Attributes:
        left: When it left.
        latest: Until when the server may act on it.
        settled_at: From when on a look shows what it did: `latest`, or later where `latest` was only guessed.
        our_lead: How far our own clock is ahead of the loop's, in seconds.
        baseline: The highest id from before it left.
        accepted: Whether it was answered with a 2xx, in which no backup could be read.
        seen: The ids that looks of an earlier process found to be perhaps its work.
        lead: How far the server's clock was ahead of the loop's when it left, where an earlier process noted
            that: our own clock may have been set since.
    """

    left: float
    latest: float
    settled_at: float
    our_lead: float
    baseline: Baseline = NotTold.NOT_TOLD
    accepted: bool = False
    seen: tuple[int | str, ...] = ()
    lead: Lead | None = None


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


def judge(backup: Backup, fate: Fate, lead: Lead | None, tolerance: float) -> Judgement:
    """What one backup is to the trigger, by its id and its times.

    Args:
        backup: The backup.
        fate: The sending.
        lead: How far the server's clock is ahead of the loop's; None where no Date told.
        tolerance: How far the clock that dates backups may be off from the server's or ours, in seconds.
    """
    above = _is_above(backup.id, fate.baseline)
    if above is False:
        return Judgement.OLDER
    creation = _creation(backup, fate, fate.lead or lead, tolerance)
    match creation:
        case _Creation.INSIDE:
            return Judgement.OURS
        case _Creation.BEFORE:
            return Judgement.OLDER
        case _Creation.AFTER:
            return Judgement.LATER
        case _Creation.NEAR:
            return Judgement.OURS if above else Judgement.NEAR
        case _Creation.UNKNOWN:
            return Judgement.OURS if above else Judgement.UNSURE
    assert_never(creation)


def number(backup_id: int | str) -> int | None:
    """An id as a number, by which it has an order; None where it is none."""
    if isinstance(backup_id, int):
        return backup_id
    return int(backup_id) if backup_id.isascii() and backup_id.isdigit() and len(backup_id) < 40 else None


def _is_above(backup_id: int | str, baseline: Baseline) -> bool | None:
    """Whether an id is above the baseline; None where that is not told, or has no meaning."""
    if baseline is None:
        return True
    if isinstance(baseline, NotTold):
        return None
    if backup_id == baseline:
        return False
    one, other = number(backup_id), number(baseline)
    return None if one is None or other is None else one > other


def _creation(backup: Backup, fate: Fate, lead: Lead | None, tolerance: float) -> _Creation:
    ours = Lead(fate.our_lead, fate.our_lead)
    begin, end = _window(fate, lead or ours)
    begin_by_us, end_by_us = _window(fate, ours)
    created = backup.created_at or backup.started_at
    if created is None:
        changed = [when.timestamp() for when in (backup.completed_at, backup.updated_at) if when is not None]
        surely_before = min(begin, begin_by_us) - tolerance
        return _Creation.BEFORE if changed and min(changed) < surely_before else _Creation.UNKNOWN
    at = created.timestamp()
    if begin <= at <= end:
        return _Creation.INSIDE
    if begin - tolerance <= at <= end + tolerance:
        return _Creation.NEAR
    if begin_by_us - tolerance <= at <= end_by_us + tolerance:
        return _Creation.UNKNOWN
    return _Creation.BEFORE if at < begin else _Creation.AFTER


def _window(fate: Fate, lead: Lead) -> tuple[float, float]:
    return math.floor(fate.left + lead.lowest), fate.latest + lead.highest
