"""The command `wait`."""

from functools import partial
from typing import Annotated

from cyclopts import Parameter

from backupify_async._cli.help_text import examples
from backupify_async._cli.options import (
    CALL_DEFAULTS,
    WAITING,
    BackupId,
    CallOptions,
    OneInstanceId,
    positive_number,
)
from backupify_async._cli.rows import WAITED_BACKUPS, waited_row
from backupify_async._cli.shutdown import run_command
from backupify_async._cli.single_backup import show_backup
from backupify_async._cli.writers import Row
from backupify_async.client import BackupifyClient
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
    wait_timeout: Annotated[
        float | None,
        Parameter(
            group=WAITING, converter=positive_number, metavar="SECONDS", help="Maximum.  [default: no limit]"
        ),
    ] = None,
    interval: Annotated[
        float,
        Parameter(group=WAITING, converter=positive_number, metavar="SECONDS", help="Between two checks."),
    ] = PollPolicy().interval,
    options: CallOptions = CALL_DEFAULTS,
) -> int:
    """Wait until one backup is over. Exit code 0 only if it completed, else 1."""

    async def read(client: BackupifyClient) -> tuple[Row, bool]:
        poll = PollPolicy(interval=interval)
        result = await client.backups.wait(instance, backup, timeout=wait_timeout, poll=poll)
        return waited_row(instance, result), result.kind is WaitKind.COMPLETED

    return run_command(
        partial(
            show_backup,
            command="wait",
            layout=WAITED_BACKUPS,
            instance_id=instance,
            read=read,
            options=options,
        )
    )
