"""The command `wait`."""

from typing import Annotated

from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.help_text import examples
from backupify_async._cli.options import ROW_DEFAULTS, BackupId, OneInstanceId, RowOptions, WaitSeconds
from backupify_async._cli.rows import WAITED_BACKUPS, waited_found, waited_row
from backupify_async._cli.single_backup import show_backup
from backupify_async._cli.writers import Row
from backupify_async.client import BackupifyClient
from backupify_async.ids import InstanceId
from backupify_async.models import WaitKind
from backupify_async.polling import PollPolicy

EXAMPLES = examples(
    "backupify wait 42 1007", "backupify wait 42 1007 --wait-timeout 3600 --interval 30 && echo done"
)


def wait(
    instance: OneInstanceId,
    backup: BackupId,
    /,
    *,
    wait_timeout: Annotated[float | None, WaitSeconds] = None,
    interval: Annotated[float, WaitSeconds] = PollPolicy().interval,
    options: RowOptions = ROW_DEFAULTS,
) -> int:
    """Wait until one backup is over, and show it as one row.

    The exit code is 0 only if it completed, as with `trigger --wait`; else it is 1.

    Args:
        wait_timeout: Maximum time to wait.  [default: no limit]
        interval: Time between two checks.
    """

    async def read(client: BackupifyClient, backup_id: InstanceId, instance_id: InstanceId) -> Row:
        poll = PollPolicy(interval=interval)
        result = await client.backups.wait(instance_id, backup_id, timeout=wait_timeout, poll=poll)
        return waited_row(instance_id, result)

    return show_backup(
        "wait", WAITED_BACKUPS, (instance, backup), read, options, found=waited_found, code=_code
    )


def _code(row: Row) -> ExitCode:
    return ExitCode.SUCCESS if row["state"] == WaitKind.COMPLETED.value else ExitCode.SOME_FAILED
