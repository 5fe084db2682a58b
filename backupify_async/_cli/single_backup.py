"""Commands about one backup: one row, in any format."""

from collections.abc import Awaitable, Callable

import attrs

from backupify_async._cli.command_context import CommandContext, command_context
from backupify_async._cli.exit_codes import ExitCode, TokenUnavailable
from backupify_async._cli.options import RowOptions
from backupify_async._cli.rows import failure_message, failure_row, found_state
from backupify_async._cli.shutdown import Shutdown
from backupify_async._cli.writers import Layout, Row
from backupify_async.client import BackupifyClient
from backupify_async.errors import BackupifyError
from backupify_async.ids import InstanceId


@attrs.frozen
class BackupCommand:
    """A command about one backup.

    Attributes:
        name: Its name.
        layout: The columns of its row.
        instance_id: The instance.
        backup_id: The backup.
        read: Returns the row.
        found: Returns what the row counts as in the summary, and how many of it.
        code: Returns the exit code for the row.
    """

    name: str
    layout: Layout
    instance_id: InstanceId
    backup_id: InstanceId
    read: Callable[[BackupifyClient], Awaitable[Row]]
    found: Callable[[list[Row]], tuple[str, int]] = found_state
    code: Callable[[Row], ExitCode] = lambda _: ExitCode.SUCCESS


async def show_backup(shutdown: Shutdown, command: BackupCommand, options: RowOptions) -> ExitCode:
    """Write the row of a backup, or of the error instead.

    Raises:
        Exit: No token could be obtained, or an option is invalid.
    """

    async def write_failure(context: CommandContext, why: TokenUnavailable) -> None:
        row = failure_row(command.instance_id, why.error)
        await context.output.rows(context.writer.header().encode())
        await context.write([_with_id({**row, "error": why.message}, command)])

    async with command_context(
        shutdown, command.name, command.layout, options, without_token=write_failure
    ) as context:
        await context.start()
        await context.write([_with_id(await _row(context, command), command)])
    return context.progress.code


async def _row(context: CommandContext, command: BackupCommand) -> Row:
    instance_id = command.instance_id
    try:
        row = await command.read(context.client)
    except BackupifyError as error:
        context.progress.add_failure(error)
        context.output.message(failure_message(instance_id, error))
        return failure_row(instance_id, error)
    context.count_success(instance_id, [row], command.found([row]), command.code(row))
    return row


def _with_id(row: Row, command: BackupCommand) -> Row:
    """The row, with the id of the backup also where that could not be read."""
    return {**row, "backup_id": command.backup_id} if row["backup_id"] is None else row
