"""Why a snapshot of an instance does not show whether a trigger did something. Pure."""

from collections.abc import Iterator

import attrs

from backupify_async._endpoints.server_clock import ClockOffset
from backupify_async._escaping import printable
from backupify_async._triggers.matching import Match, is_dated_before_sending, match_backup
from backupify_async._triggers.snapshot import Snapshot, Snapshots
from backupify_async._triggers.window import ActionWindow
from backupify_async.config import Reconciliation
from backupify_async.ids import whole_number
from backupify_async.models import UNKNOWN_BASELINE, Backup, UnknownBaseline

_EMPTY_FOR = 10.0  # seconds between two snapshots of an empty list that no baseline confirms


def older_active(
    window: ActionWindow, snapshot: Snapshot, offset: ClockOffset | None, settings: Reconciliation
) -> Backup | None:
    """The active backup, where a Date shows that it existed before the request."""
    active = snapshot.active
    if active is None or not is_dated_before_sending(active, window, offset, settings.clock_tolerance):
        return None
    return active


def match_in(
    snapshot: Snapshot,
    backup: Backup,
    window: ActionWindow,
    offset: ClockOffset | None,
    settings: Reconciliation,
) -> Match:
    """`match_backup` for a backup of a snapshot. Where ids do not ascend, the baseline shows nothing."""
    if not snapshot.ascends:
        trigger = attrs.evolve(window.trigger, baseline=UNKNOWN_BASELINE)
        window = attrs.evolve(window, trigger=trigger)
    return match_backup(backup, window, offset, settings.clock_tolerance)


def why_inconclusive(
    window: ActionWindow,
    snapshots: Snapshots,
    last: Snapshot,
    offset: ClockOffset | None,
    settings: Reconciliation,
) -> str | None:
    """Why a snapshot that began after settling is inconclusive, in words; None where it is conclusive."""
    listed = {backup.id for backup in last.tail}
    too_short = _too_short(window, snapshots, last)
    if too_short is not None:
        return too_short
    if not last.ascends:
        return "the list does not ascend by id"
    if last.active is not None and last.active.id not in listed:
        return f"backup {_shown(last.active.id)} is active, and the list does not have it"
    for seen in _seen_before(window, snapshots, last):
        if seen not in listed:
            return f"backup {_shown(seen)} was there before, and the list no longer has it"
    unsure = _unsure(window, last, offset, settings)
    if unsure is not None:
        return unsure
    if not last.complete:
        return "the end of the list has no backup that is surely older"
    if window.trigger.accepted and last.active is None:
        return "the server answered with a 2xx, and shows no backup"
    return None


def _too_short(window: ActionWindow, snapshots: Snapshots, last: Snapshot) -> str | None:
    """Why a list with too few backups is not believed: it can lack the trigger's backup too."""
    baseline = window.trigger.baseline
    if baseline is None:
        return None
    if isinstance(baseline, UnknownBaseline):
        empty_for_long = any(
            isinstance(one, Snapshot) and not one.backups and last.list_requested - one.ended >= _EMPTY_FOR
            for one in snapshots[:-1]
        )
        believed = last.tail or (empty_for_long and last.active is None)
        return None if believed else "the list is empty, which no baseline confirms"
    if not last.tail:
        return f"the list is empty, and had backup {_shown(baseline)}"
    highest = whole_number(baseline)
    ids = [one for one in (whole_number(backup.id) for backup in last.tail) if one is not None]
    before = highest is not None and ids and max(ids) < highest
    return f"the list ends before the baseline, {highest}" if before else None


def _seen_before(window: ActionWindow, snapshots: Snapshots, last: Snapshot) -> Iterator[int | str]:
    """The ids that the end of the list must have: this process or a previous one saw them."""
    for one in snapshots[:-1]:
        if isinstance(one, Snapshot):
            yield from (seen.id for seen in (one.active, *one.tail[-1:]) if seen is not None)
    lowest = whole_number(last.tail[0].id) if last.tail else None
    for backup_id in window.trigger.seen:
        number = whole_number(backup_id)
        if number is None or lowest is None or number >= lowest:
            yield backup_id


def _unsure(
    window: ActionWindow, last: Snapshot, offset: ClockOffset | None, settings: Reconciliation
) -> str | None:
    """Which backup can be the trigger's or not, in words; None where there is none."""
    active, older = last.active, older_active(window, last, offset, settings)
    for one in last.tail:
        match = match_backup(one, window, offset, settings.clock_tolerance)
        near = match is Match.NEAR and one.id != (active and active.id)
        unsure = match is Match.UNSURE and one.id != (older and older.id)
        if near or unsure:
            return f"backup {_shown(one.id)} {match.value}{_no_order(window)}"
    return None


def _no_order(window: ActionWindow) -> str:
    baseline = window.trigger.baseline
    if baseline is None or isinstance(baseline, UnknownBaseline):
        return ""
    return f"; its id has no order to the baseline, {_shown(baseline)}"


def _shown(backup_id: object) -> str:
    return printable(str(backup_id))
