"""The command `list`."""

from typing import Annotated

from cyclopts import Parameter

from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._cli.fleet_action import FleetAction
from backupify_async._cli.help_text import examples
from backupify_async._cli.options import OUTPUT, SWEEP_DEFAULTS, Count, InstanceIds, SweepOptions
from backupify_async._cli.rows import BACKUPS, backup_rows
from backupify_async._cli.sweep import run_sweep
from backupify_async._fleet.fan_out import FanOut
from backupify_async._fleet.fleet import Fleet
from backupify_async.client import BackupifyClient
from backupify_async.ids import InstanceId
from backupify_async.models import Backup

EXAMPLES = examples(
    "backupify list 42",
    "backupify list 42 43 --newest 5",
    "backupify list --all --output jsonl | gzip > backups.jsonl.gz",
)


def list_backups(
    *ids: InstanceIds,
    limit: Annotated[int | None, Count, Parameter(group=OUTPUT)] = None,
    newest: Annotated[int | None, Count, Parameter(group=OUTPUT)] = None,
    options: SweepOptions = SWEEP_DEFAULTS,
) -> int:
    """List all backups of each instance, one row per backup, oldest first.

    Args:
        limit: Only this many backups of each instance, oldest first.
        newest: Only this many backups of each instance, newest first.
    """
    if limit is not None and newest is not None:
        raise Exit(ExitCode.USAGE, "--limit and --newest exclude each other")
    return run_sweep(_action(limit, newest), ids, options)


def _action(limit: int | None, newest: int | None) -> FleetAction[list[Backup]]:
    def start(_: BackupifyClient, fleet: Fleet, ordered: bool) -> FanOut[InstanceId, list[Backup]]:
        if newest is not None:
            return fleet.newest(newest, ordered=ordered)
        return fleet.list(limit=limit, ordered=ordered)

    return FleetAction("list", BACKUPS, start, backup_rows, found=lambda rows: ("backups", len(rows)))
