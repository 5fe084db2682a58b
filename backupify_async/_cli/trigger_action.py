"""The action that triggers backups, and its dry run."""

from functools import partial

import attrs

from backupify_async._cli.confirmation import Confirmation
from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.fleet_action import FleetAction
from backupify_async._cli.id_sources import FileIds, IdSource
from backupify_async._cli.options import WaitOptions
from backupify_async._cli.rows import RUNNING_BACKUPS, WAITED_BACKUPS, backup_row, trigger_rows, waited_found
from backupify_async._cli.stopped_triggers import StoppedTriggers
from backupify_async._cli.writers import Row
from backupify_async._fleet.fan_out import FanOut
from backupify_async._fleet.fleet import Fleet
from backupify_async._journal.journal import Journal
from backupify_async.client import BackupifyClient
from backupify_async.ids import InstanceId, instance_key
from backupify_async.models import Backup, TriggerResult, WaitKind


def trigger_action(
    wait: WaitOptions,
    confirmation: Confirmation | None = None,
    journal: Journal | None = None,
    stopped: StoppedTriggers | None = None,
) -> FleetAction[TriggerResult]:
    """Trigger a backup of each instance, and wait for its end if wanted.

    Args:
        wait: Whether and how long to wait.
        confirmation: Asks first; None where the user has confirmed before.
        journal: Records what was done.
        stopped: Collects the triggers that are in doubt at the end.
    """
    stopped = StoppedTriggers() if stopped is None else stopped

    def start(_: BackupifyClient, fleet: Fleet, ordered: bool) -> FanOut[InstanceId, TriggerResult]:
        if not wait.wait:
            return fleet.trigger(journal=journal, ordered=ordered)
        return fleet.trigger(journal=journal, wait=True, wait_timeout=wait.wait_timeout, ordered=ordered)

    action = FleetAction(
        "trigger",
        RUNNING_BACKUPS,
        start,
        trigger_rows,
        confirm=None if confirmation is None else confirmation.ask,
        known_result=stopped.known_result,
        interrupted_messages=stopped.interrupted_messages,
        on_event=stopped,
        graceful=True,
    )
    if not wait.wait:
        return action
    return attrs.evolve(action, layout=WAITED_BACKUPS, found=waited_found, code=_code)


def dry_run(source: IdSource) -> FleetAction[Backup | None]:
    """Find out what a trigger would do to each instance."""
    seen: set[str] = set()

    def rows(instance_id: InstanceId, active: Backup | None) -> list[Row]:
        key = instance_key(instance_id)
        state = "would_start" if active is None else "already_active"
        if key in seen:
            state = "duplicate"
        seen.add(key)
        return [backup_row(instance_id, state, active)]

    return FleetAction(
        "trigger --dry-run",
        RUNNING_BACKUPS,
        lambda _, fleet, ordered: fleet.get_active(ordered=ordered),
        rows,
        confirm=partial(_check, source),
    )


async def _check(source: IdSource, client: BackupifyClient) -> None:
    """Read all ids of a file before the first call, so that an invalid line is found first."""
    if isinstance(source, FileIds):
        await source.count(client)


def _code(result: TriggerResult) -> ExitCode:
    completed = result.waited is not None and result.waited.kind is WaitKind.COMPLETED
    return ExitCode.SUCCESS if completed else ExitCode.SOME_FAILED
