"""The command `latest`."""

from backupify_async._cli.fleet_action import FleetAction
from backupify_async._cli.help_text import examples
from backupify_async._cli.options import SWEEP_DEFAULTS, InstanceIds, SweepOptions
from backupify_async._cli.rows import BACKUPS, latest_rows
from backupify_async._cli.sweep import run_sweep

EXAMPLES = examples(
    "backupify latest --all",
    "backupify latest --all --output csv --quiet > latest.csv",
    "backupify instances -o jsonl | jq .id | backupify latest --ids-file -",
)
ACTION = FleetAction("latest", BACKUPS, lambda _, fleet, ordered: fleet.latest(ordered=ordered), latest_rows)


def latest(*ids: InstanceIds, options: SweepOptions = SWEEP_DEFAULTS) -> int:
    """Show the newest backup of each instance, one row per instance."""
    return run_sweep(ACTION, ids, options)
