"""The command `get`."""

from backupify_async._cli.help_text import examples
from backupify_async._cli.options import ROW_DEFAULTS, BackupId, OneInstanceId, RowOptions
from backupify_async._cli.rows import BACKUPS, backup_rows
from backupify_async._cli.single_backup import show_backup
from backupify_async._cli.writers import Row
from backupify_async.client import BackupifyClient
from backupify_async.ids import InstanceId

EXAMPLES = examples("backupify get 42 1007", "backupify get 42 1007 -o json | jq '.[0].extra'")


def get(instance: OneInstanceId, backup: BackupId, /, *, options: RowOptions = ROW_DEFAULTS) -> int:
    """Show one backup, as one row.

    In JSON, `extra` holds the server's fields that have no column.
    """
    return show_backup("get", BACKUPS, (instance, backup), _read, options)


async def _read(client: BackupifyClient, backup_id: InstanceId, instance_id: InstanceId) -> Row:
    return backup_rows(instance_id, [await client.backups.get(instance_id, backup_id)])[0]
