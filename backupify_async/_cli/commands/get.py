"""The command `get`."""

from functools import partial

from backupify_async._cli.help_text import examples
from backupify_async._cli.id_syntax import parse_id
from backupify_async._cli.options import ROW_DEFAULTS, BackupId, OneInstanceId, RowOptions
from backupify_async._cli.rows import BACKUPS, backup_rows
from backupify_async._cli.shutdown import run_command
from backupify_async._cli.single_backup import BackupCommand, show_backup
from backupify_async._cli.writers import Row
from backupify_async.client import BackupifyClient

EXAMPLES = examples("backupify get 42 1007", "backupify get 42 1007 -o json | jq '.[0].extra'")


def get(instance: OneInstanceId, backup: BackupId, /, *, options: RowOptions = ROW_DEFAULTS) -> int:
    """Show one backup, as one row.

    In JSON, `extra` holds the server's fields that have no column.
    """
    instance_id, backup_id = parse_id(instance), parse_id(backup)

    async def read(client: BackupifyClient) -> Row:
        return backup_rows(instance_id, [await client.backups.get(instance_id, backup_id)])[0]

    command = BackupCommand("get", BACKUPS, instance_id, backup_id, read)
    return run_command(partial(show_backup, command=command, options=options))
