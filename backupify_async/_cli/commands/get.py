"""The command `get`."""

from functools import partial

from backupify_async._cli.help_text import examples
from backupify_async._cli.options import CALL_DEFAULTS, BackupId, CallOptions, OneInstanceId
from backupify_async._cli.rows import BACKUPS, backup_rows
from backupify_async._cli.shutdown import run_command
from backupify_async._cli.single_backup import show_backup
from backupify_async._cli.writers import Row
from backupify_async.client import BackupifyClient

EXAMPLES = examples("backupify get 42 1007", "backupify get 42 1007 -o json | jq '.[0].extra'")


def get(instance: OneInstanceId, backup: BackupId, /, *, options: CallOptions = CALL_DEFAULTS) -> int:
    """Show one backup. JSON has all its fields: what has no column is in `extra`."""

    async def read(client: BackupifyClient) -> tuple[Row, bool]:
        (row,) = backup_rows(instance, [await client.backups.get(instance, backup)])
        return row, True

    return run_command(
        partial(show_backup, command="get", layout=BACKUPS, instance_id=instance, read=read, options=options)
    )
