"""Looks at an instance: the backup that runs, and the end of the list."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from backupify_async._endpoints.backups import active_request, list_backups, read_active
from backupify_async._endpoints.list_order import require_ascending
from backupify_async._endpoints.server_clock import ClockOffset, read_lead
from backupify_async._paging.paginator import Paginator
from backupify_async._transport.request import Request, Response
from backupify_async._triggers.matching import Fate, Judgement, is_dated_to_have_ended_after, judge
from backupify_async._triggers.reconcile import Snapshot
from backupify_async.errors import BackupifyError, PaginationError
from backupify_async.models import Backup

_MOST_PAGES = (
    5  # from the end; the twenty backups of one page are older than any trigger in flight but the last
)
_FEW_REQUESTS = 10  # as many as a look takes where the list names its last page
_SHORTEST, _LONGEST = 3.0, 30.0  # seconds for all that a look takes more than these

Send = Callable[[Request], Awaitable[Response]]


def _in_time(send: Send, patience: float) -> Send:
    """Sends the requests of one look, until it takes too long: there may be no end to the pages of a list.

    Only the time in which they were under way counts, for they wait their turn; and the few that a look takes
    where the list names its last page may take as long as they do.
    """
    loop = asyncio.get_running_loop()
    longest, taken, requests = min(max(patience, _SHORTEST), _LONGEST), 0.0, 0

    async def send_in_time(request: Request) -> Response:
        nonlocal requests, taken
        if requests >= _FEW_REQUESTS and taken >= longest:
            raise PaginationError(
                f"the end of the list did not come in {requests - 1} pages and {taken:.0f} s"
            )
        requests += 1
        response = await send(request)
        taken += loop.time() - response.message.sent_time
        return response

    return send_in_time


async def look(
    send: Send,
    backup_instance_id: int | str,
    fate: Fate,
    lead: ClockOffset | None,
    tolerance: float,
    *,
    patience: float,
) -> Snapshot:
    """Look for the backup of a trigger: at the active one first, so that one that begins meanwhile is listed.

    Where that is the trigger's own, it stands, whatever the list shows.

    Args:
        send: Sends a request.
        backup_instance_id: The instance.
        fate: The trigger's sending: the list is read backwards until a backup is surely older.
        lead: How far the server's clock is ahead of the loop's, as far as earlier looks tell.
        tolerance: How far our clock and the server's may be apart, in seconds.
        patience: For how many seconds to read a list that names no last page.

    Raises:
        PaginationError: The list cannot be followed to its end, or not in time, or may not ascend.
        BackupifyError: An answer cannot be had, or not be read.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    send_in_time = _in_time(send, patience)

    asked = began

    async def send_and_read_clock(request: Request) -> Response:
        nonlocal lead, asked
        response = await send_in_time(request)
        asked = response.message.sent_time
        shown = read_lead(response.headers.get("Date"), response.message.sent_time, loop.time())
        lead = lead if shown is None else shown.or_also(lead)
        return response

    active = read_active(await send_and_read_clock(active_request(backup_instance_id)))
    backups = list_backups(send_and_read_clock, backup_instance_id, check_order=require_ascending)
    try:
        tail, whole = await _read_end(backups, lambda one: judge(one, fate, lead, tolerance))
    except BackupifyError:
        if active is None or judge(active, fate, lead, tolerance) is not Judgement.OURS:
            raise
        tail, whole = (), False
    return Snapshot(began, active, tail, asked, loop.time(), whole, lead)


async def _read_end(
    backups: Paginator[Backup], judged: Callable[[Backup], Judgement]
) -> tuple[tuple[Backup, ...], bool]:
    """The end of the list back to a backup that is surely older, and whether it reaches so far."""
    tail: tuple[Backup, ...] = ()
    pages_read = 0
    async with contextlib.aclosing(backups.pages_backwards()) as pages:
        async for page in pages:
            tail = (*page.items, *tail)
            if any(judged(one) is Judgement.OLDER for one in page.items):
                break
            pages_read += 1
            if pages_read == _MOST_PAGES:
                return tail, False
    return tail, True


async def look_for_what_ran(
    send: Send,
    backup_instance_id: int | str,
    fate: Fate,
    lead: ClockOffset | None,
    tolerance: float,
    *,
    patience: float,
) -> Backup | None:
    """The backup that runs, or else one that is dated to have ended after a trigger's sending, or None.

    Args:
        send: Sends a request.
        backup_instance_id: The instance.
        fate: The trigger's sending.
        lead: How far the server's clock is ahead of the loop's, by the answer to the trigger.
        tolerance: How far our clock and the server's may be apart, in seconds.
        patience: For how many seconds to read a list that names no last page.

    Raises:
        PaginationError: The list cannot be followed to its end, or not in time, or it descends.
        BackupifyError: An answer cannot be had, or not be read.
    """
    send = _in_time(send, patience)
    active = read_active(await send(active_request(backup_instance_id)))
    if active is not None:
        return active
    backups = list_backups(send, backup_instance_id)
    async with contextlib.aclosing(backups.pages_backwards()) as pages:
        async for page in pages:
            for one in reversed(page.items):
                if is_dated_to_have_ended_after(one, fate, lead, tolerance):
                    return one
            if page.items:
                break  # it ran when the trigger came, so that it is among the newest
    return None
