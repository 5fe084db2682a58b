"""Commands about one backup: one row, in any format."""

from collections.abc import Awaitable, Callable

from backupify_async._cli.command_context import command_context
from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.options import CallOptions
from backupify_async._cli.rows import failure_message, failure_row
from backupify_async._cli.shutdown import Shutdown
from backupify_async._cli.writers import Layout, Row
from backupify_async.client import BackupifyClient
from backupify_async.errors import BackupifyError
from backupify_async.ids import InstanceId


async def show_backup(
    shutdown: Shutdown,
    *,
    command: str,
    layout: Layout,
    instance_id: InstanceId,
    read: Callable[[BackupifyClient], Awaitable[tuple[Row, bool]]],
    options: CallOptions,
) -> ExitCode:
    """Write the row of a backup, or of the error that came instead.

    Args:
        shutdown: Ends the command early.
        command: The command's name.
        layout: The columns.
        instance_id: The instance.
        read: Returns the row, and whether that is a success.
        options: The command's options.
    """
    async with command_context(shutdown, command, layout, options) as context:
        await context.start()
        try:
            row, succeeded = await read(context.client)
        except BackupifyError as error:
            context.progress.add_failure(error)
            context.output.message(failure_message(instance_id, error))
            row, succeeded = failure_row(instance_id, error), False
        else:
            context.progress.succeeded += 1
        if not succeeded:
            context.progress.raise_code(ExitCode.SOME_FAILED)
        await context.write([row])
    return context.progress.code
