"""Commands about one backup: one row, in any format."""

from collections.abc import Awaitable, Callable
from functools import partial

from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.fleet_action import FleetAction
from backupify_async._cli.id_sources import ArgumentIds
from backupify_async._cli.id_syntax import parse_id
from backupify_async._cli.options import RowOptions
from backupify_async._cli.rows import failure_row, found_state
from backupify_async._cli.shutdown import run_command
from backupify_async._cli.sweep import sweep
from backupify_async._cli.writers import Layout, Row
from backupify_async._fleet.fan_out import fan_out
from backupify_async.client import BackupifyClient
from backupify_async.ids import InstanceId


def show_backup(
    command: str,
    layout: Layout,
    backup: tuple[str, str],
    read: Callable[[BackupifyClient, InstanceId, InstanceId], Awaitable[Row]],
    options: RowOptions,
    *,
    found: Callable[[list[Row]], tuple[str, int]] = found_state,
    code: Callable[[Row], ExitCode] = lambda _: ExitCode.SUCCESS,
) -> ExitCode:
    """Write the row of a backup, or of the error instead: a sweep over one instance.

    Args:
        command: The command's name.
        layout: The columns of its row.
        backup: The ids of the instance and the backup. The row has both, also where it could not be read.
        read: Returns the row, given the ids of the backup and of the instance.
        options: The command's options.
        found: Returns what the row counts as in the summary, and how many of it.
        code: Returns the exit code for the row.

    Raises:
        Exit: No token could be obtained, or an option is invalid.
    """
    instance_id, backup_id = map(parse_id, backup)

    def with_id(row: Row) -> Row:
        return {**row, "backup_id": backup_id} if row["backup_id"] is None else row

    action = FleetAction(
        command,
        layout,
        lambda client, _fleet, _ordered: fan_out(partial(read, client, backup_id), [instance_id]),
        rows=lambda _, row: [with_id(row)],
        failure=lambda one, error: with_id(failure_row(one, error)),
        found=found,
        code=code,
        remaining_ids=lambda _: None,
    )
    return run_command(partial(sweep, action=action, source=ArgumentIds((instance_id,)), options=options))
