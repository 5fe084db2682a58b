"""The command `active`."""

from typing import Annotated

import attrs
from cyclopts import Parameter

from backupify_async._cli.fleet_action import FleetAction
from backupify_async._cli.help_text import examples
from backupify_async._cli.options import OUTPUT, SWEEP_DEFAULTS, Flag, InstanceIds, SweepOptions
from backupify_async._cli.rows import RUNNING_BACKUPS, active_rows
from backupify_async._cli.sweep import run_sweep
from backupify_async._cli.writers import Row
from backupify_async.ids import InstanceId
from backupify_async.models import Backup

EXAMPLES = examples(
    "backupify active 42 43",
    "backupify active --all --running -o jsonl --fields instance_id,backup_id",
    "backupify active --ids-file ids.txt --rate 20 --concurrency 64",
)
ACTION = FleetAction(
    "active", RUNNING_BACKUPS, lambda _, fleet, ordered: fleet.get_active(ordered=ordered), active_rows
)


def active(
    *ids: InstanceIds,
    running: Annotated[bool, Flag, Parameter(group=OUTPUT)] = False,
    options: SweepOptions = SWEEP_DEFAULTS,
) -> int:
    """Show the active backup of each instance, one row per instance, including idle ones.

    Args:
        running: Leave out idle instances. Failed ones have their row.
    """
    action = attrs.evolve(ACTION, rows=_running_rows, found=_found) if running else ACTION
    return run_sweep(action, ids, options)


def _running_rows(instance_id: InstanceId, backup: Backup | None) -> list[Row]:
    return [] if backup is None else active_rows(instance_id, backup)


def _found(rows: list[Row]) -> tuple[str, int]:
    return ("active" if rows else "idle"), 1
