"""What each command does to each instance."""

from functools import partial

import attrs

from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.ids import Ids
from backupify_async._cli.records import (
    LISTED,
    RUNNING,
    WAITED,
    active_rows,
    latest_rows,
    listed_rows,
    triggered_rows,
)
from backupify_async._cli.rows import Row
from backupify_async._cli.sweep import Operation
from backupify_async._cli.triggers import Consent, Pretence, StoppedTriggers, Wait, check
from backupify_async._fleet.fan_out import FanOut
from backupify_async._fleet.fleet import Fleet
from backupify_async._journal.journal import Journal
from backupify_async.ids import InstanceId
from backupify_async.models import Backup, TriggerResult, WaitKind

_ENDS = {
    WaitKind.FAILED.value: "with a failed backup",
    WaitKind.UNKNOWN.value: "with a backup that ended in an unknown way",
}


def listing(limit: int | None, newest: int | None) -> Operation[list[Backup]]:
    """All backups of each instance, or the first `limit` of them, or the `newest` ones, the newest first."""

    def begin(fleet: Fleet, ordered: bool) -> FanOut[InstanceId, list[Backup]]:
        if newest is not None:
            return fleet.newest(newest, ordered=ordered)
        return fleet.list(limit=limit, ordered=ordered)

    return Operation("list", LISTED, begin, listed_rows, found=_backups)


def latest() -> Operation[Backup | None]:
    """The newest backup of each instance."""
    return Operation("latest", LISTED, _latest, latest_rows)


def active() -> Operation[Backup | None]:
    """What runs on each instance."""
    return Operation("active", RUNNING, _active, active_rows)


def triggering(
    consent: Consent | None,
    wait: Wait | None = None,
    journal: Journal | None = None,
    stopped: StoppedTriggers | None = None,
) -> Operation[TriggerResult]:
    """A new backup of each instance, and its end, if that is waited for; perhaps with a journal.

    Args:
        consent: Somebody's, to be given; without it, somebody has agreed before.
        wait: That the end is waited for.
        journal: Where it is written down.
        stopped: Collects the triggers whose outcome is in doubt at the end.
    """
    stopped = StoppedTriggers() if stopped is None else stopped

    def begin(fleet: Fleet, ordered: bool) -> FanOut[InstanceId, TriggerResult]:
        if wait is None:
            return fleet.trigger(journal=journal, ordered=ordered)
        return fleet.trigger(journal=journal, wait=True, wait_timeout=wait.timeout, ordered=ordered)

    operation = Operation(
        "trigger",
        RUNNING,
        begin,
        triggered_rows,
        agree=None if consent is None else consent.agree,
        known=stopped.known,
        cut_off=stopped.cut_off,
        on_event=stopped,
        drains=True,
    )
    if wait is None:
        return operation
    return attrs.evolve(operation, shape=WAITED, found=_ended, code=_end_code)


def pretended_triggering(ids: Ids) -> Operation[Backup | None]:
    """What a trigger would do to each instance, and which ids it would refuse."""
    return Operation("trigger --dry-run", RUNNING, _active, Pretence().rows, agree=partial(check, ids))


def _latest(fleet: Fleet, ordered: bool) -> FanOut[InstanceId, Backup | None]:
    return fleet.latest(ordered=ordered)


def _active(fleet: Fleet, ordered: bool) -> FanOut[InstanceId, Backup | None]:
    return fleet.get_active(ordered=ordered)


def _ended(rows: list[Row]) -> tuple[str, int]:
    state = str(rows[0]["state"])
    return _ENDS.get(state, state), 1


def _end_code(result: TriggerResult) -> ExitCode:
    well = result.waited is not None and result.waited.kind is WaitKind.COMPLETED
    return ExitCode.ALL_WELL if well else ExitCode.SOME_FAILED


def _backups(rows: list[Row]) -> tuple[str, int]:
    return "backups", len(rows)
