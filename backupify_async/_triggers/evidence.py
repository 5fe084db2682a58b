"""Checks an instance: its active backup, and the end of its list."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from backupify_async._endpoints.backups import active_request, list_backups, read_active
from backupify_async._endpoints.list_order import require_ascending
from backupify_async._endpoints.server_clock import ClockOffset, read_offset
from backupify_async._paging.paginator import Paginator
from backupify_async._transport.request import Request
from backupify_async._transport.transport import Response
from backupify_async._triggers.matching import Match, is_dated_to_end_after_sending, match_backup
from backupify_async._triggers.snapshot import Snapshot
from backupify_async._triggers.window import ActionWindow
from backupify_async.config import Reconciliation
from backupify_async.errors import BackupifyError, PaginationError
from backupify_async.models import Backup

_MOST_PAGES = 5  # from the end; one page of twenty is older than any trigger in flight but the last
_FREE_REQUESTS = 10  # a check takes no more where the list names its last page
_SHORTEST, _LONGEST = 3.0, 30.0  # seconds for all requests beyond these

Send = Callable[[Request], Awaitable[Response]]


async def take_snapshot(
    send: Send,
    backup_instance_id: int | str,
    window: ActionWindow,
    offset: ClockOffset | None,
    settings: Reconciliation,
) -> Snapshot:
    """Read the active backup, then the end of the list: a backup that begins in between is listed.

    Where the active backup is the trigger's own, it counts even if the list cannot be read.

    Args:
        send: Sends a request.
        backup_instance_id: The instance.
        window: When the server can have acted. The list is read backwards until a backup is surely older.
        offset: How far the server's clock is ahead of the loop's, by earlier snapshots; None without a Date.
        settings: The limits.

    Raises:
        PaginationError: The list cannot be followed to its end, or not in time, or may not ascend.
        BackupifyError: A request failed, or its response cannot be read.
    """
    loop = asyncio.get_running_loop()
    began = requested = loop.time()
    send_in_time = _in_time(send, settings.patience)

    async def send_and_read_clock(request: Request) -> Response:
        nonlocal offset, requested
        response = await send_in_time(request)
        requested = response.request.sent_time
        read = read_offset(response.headers.get("Date"), requested, loop.time())
        offset = offset if read is None else read.or_also(offset)
        return response

    def match(backup: Backup) -> Match:
        return match_backup(backup, window, offset, settings.clock_tolerance)

    active = read_active(await send_and_read_clock(active_request(backup_instance_id)))
    backups = list_backups(send_and_read_clock, backup_instance_id, check_order=require_ascending)
    try:
        tail, complete = await _read_end(backups, match)
    except BackupifyError:
        if active is None or match(active) is not Match.OURS:
            raise
        tail, complete = (), False
    return Snapshot(began, active, tail, requested, loop.time(), complete, offset)


async def find_refusal_reason(
    send: Send,
    backup_instance_id: int | str,
    window: ActionWindow,
    offset: ClockOffset | None,
    settings: Reconciliation,
) -> Backup | None:
    """The backup for which a trigger was refused: the active one, or one that ended after the request.

    Args:
        send: Sends a request.
        backup_instance_id: The instance.
        window: When the server can have acted on the trigger.
        offset: How far the server's clock is ahead of the loop's, by the refusal; None without a Date.
        settings: The limits.

    Raises:
        PaginationError: The list cannot be followed to its end, or not in time, or it descends.
        BackupifyError: A request failed, or its response cannot be read.
    """
    send = _in_time(send, settings.patience)
    active = read_active(await send(active_request(backup_instance_id)))
    if active is not None:
        return active
    backups = list_backups(send, backup_instance_id)
    async with contextlib.aclosing(backups.pages_backwards()) as pages:
        async for page in pages:
            for one in reversed(page.items):
                if is_dated_to_end_after_sending(one, window, offset, settings.clock_tolerance):
                    return one
            if page.items:
                break  # it was active when the trigger came, so it is among the newest
    return None


async def _read_end(
    backups: Paginator[Backup], match: Callable[[Backup], Match]
) -> tuple[tuple[Backup, ...], bool]:
    """The end of the list back to a backup that is surely older, and whether it reaches that far."""
    tail: tuple[Backup, ...] = ()
    pages_read = 0
    async with contextlib.aclosing(backups.pages_backwards()) as pages:
        async for page in pages:
            tail = (*page.items, *tail)
            if any(match(one) is Match.OLDER for one in page.items):
                break
            pages_read += 1
            if pages_read == _MOST_PAGES:
                return tail, False
    return tail, True


def _in_time(send: Send, patience: float) -> Send:
    """Sends the requests of one check until it takes too long: the pages of a list can be endless.

    Only the time in which requests are in flight counts, since they wait at the gate. The first few requests,
    which a list that names its last page takes, are exempt.
    """
    loop = asyncio.get_running_loop()
    longest, taken, requests = min(max(patience, _SHORTEST), _LONGEST), 0.0, 0

    async def send_in_time(request: Request) -> Response:
        nonlocal requests, taken
        if requests >= _FREE_REQUESTS and taken >= longest:
            raise PaginationError(
                f"the end of the list did not come in {requests - 1} pages and {taken:.0f} s"
            )
        requests += 1
        response = await send(request)
        taken += loop.time() - response.request.sent_time
        return response

    return send_in_time
