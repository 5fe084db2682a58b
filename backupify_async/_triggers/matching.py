"""Whether one backup is a trigger's, by its id and its dates. Pure; `reconcile` explains the rule."""

import math
from datetime import timedelta
from enum import Enum
from typing import assert_never

from backupify_async._endpoints.server_clock import MOST_AHEAD, MOST_BEHIND, ClockOffset, is_set
from backupify_async._triggers.window import ActionWindow
from backupify_async.ids import whole_number
from backupify_async.models import Backup, Baseline, UnknownBaseline

_DAY = timedelta(days=1).total_seconds()
_LONGEST_MERE_DAY = len("2026-01-01")


class Match(Enum):
    """How one backup relates to the trigger."""

    OURS = "was started by this trigger"
    NEAR = "was created close to the request, and can be this trigger's if a clock is a little off"
    UNSURE = "can be this trigger's: neither its id nor its dates show it"
    OLDER = "existed before"
    LATER = "was created too late to be this trigger's"


class _Creation(Enum):
    INSIDE = "inside the window"
    NEAR = "close to the window"
    BEFORE = "before the window"
    AFTER = "after the window"
    UNKNOWN = "unknown"


def match_backup(backup: Backup, window: ActionWindow, offset: ClockOffset | None, tolerance: float) -> Match:
    """How one backup relates to the trigger, by its id and its dates.

    Args:
        backup: The backup.
        window: When the server can have acted on the trigger.
        offset: How far the server's clock is ahead of the loop's, by later responses; None without a Date.
        tolerance: How far the clock that dates backups can be off from the server's or ours, in seconds.
    """
    above = _is_above(backup.id, window.trigger.baseline)
    if above is False:
        return Match.OLDER
    creation = _creation(backup, window, window.server_clock(offset), tolerance)
    match creation:
        case _Creation.INSIDE:
            return Match.OURS
        case _Creation.BEFORE:
            return Match.UNSURE if above else Match.OLDER
        case _Creation.AFTER:
            return Match.LATER
        case _Creation.NEAR:
            return Match.OURS if above else Match.NEAR
        case _Creation.UNKNOWN:
            return Match.OURS if above else Match.UNSURE
    assert_never(creation)


def is_dated_before_sending(
    backup: Backup, window: ActionWindow, offset: ClockOffset | None, tolerance: float
) -> bool:
    """Whether a backup was created before the request by the server's Date, and our clock does not object.

    The arguments are those of `match_backup`.
    """
    offset, created = window.server_clock(offset), _created(backup)
    if offset is None or created is None or created[0] < created[1]:
        return False
    near_or_before = _creation(backup, window, offset, tolerance) in (_Creation.NEAR, _Creation.BEFORE)
    return near_or_before and created[1] < _bounds_of(window, offset)[0]


def is_dated_to_end_after_sending(
    backup: Backup, window: ActionWindow, offset: ClockOffset | None, tolerance: float
) -> bool:
    """Whether a backup ended after the request, by the server's Date, or else by our clock and the tolerance.

    The arguments are those of `match_backup`.
    """
    ended = _date_bounds(backup, "completed_at")
    if ended is None:
        return False
    offset = window.server_clock(offset)
    ahead = window.our_offset.highest + tolerance if offset is None else offset.lowest
    _, latest = _bounds_of(window, offset or window.our_offset)
    # Servers cut off fractions of a second; an end in the future is no end.
    return math.floor(window.sent_time + ahead) <= ended[0] <= latest + tolerance


def _is_above(backup_id: int | str, baseline: Baseline) -> bool | None:
    """Whether an id is above the baseline; None where the baseline is unknown or the ids have no order."""
    if baseline is None:
        return True
    if isinstance(baseline, UnknownBaseline):
        return None
    if backup_id == baseline:
        return False
    one, other = whole_number(backup_id), whole_number(baseline)
    return None if one is None or other is None else one > other


def _creation(
    backup: Backup, window: ActionWindow, offset: ClockOffset | None, tolerance: float
) -> _Creation:
    ours = window.our_offset
    begin, end = _bounds_of(window, offset or ours)
    begin_by_us, end_by_us = _bounds_of(window, ours)
    surely_before = min(begin, begin_by_us) - tolerance
    created = _created(backup)
    if created is None:
        changes = (_date_bounds(backup, "completed_at"), _date_bounds(backup, "updated_at"))
        latest = [change[1] for change in changes if change is not None]
        return _Creation.BEFORE if latest and min(latest) < surely_before else _Creation.UNKNOWN
    earliest, at = created
    if earliest < at:  # without an offset, a date shows nothing to be inside or near
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
    return _date_bounds(backup, "created_at") or _date_bounds(backup, "started_at")


def _date_bounds(backup: Backup, name: str) -> tuple[float, float] | None:
    """The earliest and the latest time that a backup's date can mean, in seconds of the epoch."""
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


def _bounds_of(window: ActionWindow, offset: ClockOffset) -> tuple[float, float]:
    """The window by a clock that is so far ahead of the loop's, in seconds of the epoch."""
    return math.floor(window.sent_time + offset.lowest), window.latest + offset.highest
