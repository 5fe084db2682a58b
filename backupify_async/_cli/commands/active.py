"""The command `active`."""

from backupify_async._cli.help_text import examples
from backupify_async._cli.operation import Operation
from backupify_async._cli.options import SWEEP_DEFAULTS, InstanceIds, SweepOptions
from backupify_async._cli.rows import RUNNING_BACKUPS, active_rows
from backupify_async._cli.sweep import run_sweep

EXAMPLES = examples(
    "backupify active 42 43",
    "backupify active --all --output jsonl | jq 'select(.state == \"active\")'",
    "backupify active --ids-file ids.txt --rate 20 --concurrency 64",
)
OPERATION = Operation(
    "active", RUNNING_BACKUPS, lambda fleet, ordered: fleet.get_active(ordered=ordered), active_rows
)


def active(*ids: InstanceIds, options: SweepOptions = SWEEP_DEFAULTS) -> int:
    """Show the active backup of each instance, one row per instance, including idle ones."""
    return run_sweep(OPERATION, ids, options)
