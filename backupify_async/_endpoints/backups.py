"""The paths of instances and backups, and how backups are requested and read.

A response is read while its call can still be retried. It must be about what was requested: a response that
comes late on a kept connection is given to the next request.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from backupify_async._codec.decode import decode_active, decode_present, require_same
from backupify_async._endpoints.list_order import refuse_descending
from backupify_async._paging.list_tail import OrderCheck
from backupify_async._paging.paginator import Paginator, paginate
from backupify_async._transport.request import Request
from backupify_async._transport.transport import Response
from backupify_async.ids import identifier
from backupify_async.models import Backup

INSTANCE = "/v1/backup_instances/{backup_instance_id}"
BACKUPS = INSTANCE + "/backups"
_NONE_ACTIVE = frozenset({404})


def active_request(backup_instance_id: int | str) -> Request:
    """The request for the active backup. A 404 is a response to it, for the caller to interpret.

    Raises:
        TypeError, ValueError: The id is invalid.
    """
    instance = identifier(backup_instance_id, "backup_instance_id")
    return Request(
        "GET",
        f"/v1/backup_instances/{instance}/backups/active",
        answers=_NONE_ACTIVE,
        decode=partial(decode_active, backup_instance_id),
    )


def read_active(response: Response) -> Backup | None:
    """The active backup in the response to an `active_request`; None for a 404."""
    active: Backup | None = None if response.status == 404 else response.decoded
    return active


def backup_request(backup_instance_id: int | str, backup_id: int | str) -> Request:
    """The request for one backup.

    Raises:
        TypeError, ValueError: An id is invalid.
    """
    return Request.get(
        BACKUPS + "/{backup_id}",
        decode=partial(_decode_backup, backup_instance_id, backup_id),
        backup_instance_id=backup_instance_id,
        backup_id=backup_id,
    )


def read_backup(response: Response) -> Backup:
    """The backup in the response to a `backup_request`."""
    backup: Backup = response.decoded
    return backup


def list_backups(
    send: Callable[[Request], Awaitable[Response]],
    backup_instance_id: int | str,
    *,
    per_page: int | None = None,
    prefetch: int = 0,
    check_order: OrderCheck[Backup] = refuse_descending,
) -> Paginator[Backup]:
    """All backups of an instance; `paginate` describes the arguments.

    Raises:
        TypeError, ValueError: An argument is invalid; the message names it.
    """
    return paginate(
        send,
        Backup,
        BACKUPS,
        per_page=per_page,
        prefetch=prefetch,
        check=partial(_require_instance, backup_instance_id),
        check_order=check_order,
        backup_instance_id=backup_instance_id,
    )


def _require_instance(backup_instance_id: int | str, response: Response, backups: list[Backup]) -> None:
    for backup in backups:
        if backup.backup_instance_id != backup_instance_id:
            require_same(response, "instance", backup_instance_id, backup.backup_instance_id)


def _decode_backup(backup_instance_id: int | str, backup_id: int | str, response: Response) -> Backup:
    backup = decode_present(response, Backup)
    require_same(response, "backup", backup_id, backup.id)
    require_same(response, "instance", backup_instance_id, backup.backup_instance_id)
    return backup
