"""Where instances and their backups are, and how the active one is asked for and read."""

from backupify_async.models import Backup
from backupify_async.transport.request import Request, Response, identifier
from backupify_async.transport.wire import decode_one, decode_present

INSTANCE = "/v1/backup_instances/{backup_instance_id}"
BACKUPS = INSTANCE + "/backups"
_NONE_RUNS = frozenset({404})


def active_request(backup_instance_id: int | str) -> Request:
    """Asks for the backup that runs; a 404 is left to whoever asks.

    Raises:
        TypeError, ValueError: The id cannot be one.
    """
    instance = identifier(backup_instance_id, "backup_instance_id")
    return Request("GET", f"/v1/backup_instances/{instance}/backups/active", answers=_NONE_RUNS)


def read_active(response: Response) -> Backup | None:
    """The backup that runs; a 404 is taken for none.

    Raises:
        DecodeError: The answer is no backup.
    """
    return None if response.status == 404 else decode_one(response, Backup, or_list=True)


def backup_request(backup_instance_id: int | str, backup_id: int | str) -> Request:
    """Asks for one backup.

    Raises:
        TypeError, ValueError: An id cannot be one.
    """
    return Request.get(BACKUPS + "/{backup_id}", backup_instance_id=backup_instance_id, backup_id=backup_id)


def read_backup(response: Response) -> Backup:
    """The backup in an answer that must have one.

    Raises:
        DecodeError: The answer is no backup.
    """
    return decode_present(response, Backup)
