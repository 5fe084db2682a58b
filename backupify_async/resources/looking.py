"""Looks at an instance: the backup that runs, and the end of the list."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from backupify_async.models import Backup
from backupify_async.resources.judging import Fate, Judgement, is_dated_to_have_ended_after, judge
from backupify_async.resources.paths import active_request, list_backups, read_active
from backupify_async.resources.reconciling import Look
from backupify_async.resources.server_clock import Lead, read_lead
from backupify_async.transport.request import Request, Response

_MOST_PAGES = (
    5  # from the end; the twenty backups of one page are older than any trigger in flight but the last
)

Send = Callable[[Request], Awaitable[Response]]


async def look(
    send: Send, backup_instance_id: int | str, fate: Fate, lead: Lead | None, tolerance: float
) -> Look:
    """Look for the backup of a trigger: at the active one first, so that one that begins meanwhile is listed.

    Args:
        send: Sends a request.
        backup_instance_id: The instance.
        fate: The trigger's sending: the list is read backwards until a backup is surely older.
        lead: How far the server's clock is ahead of the loop's, as far as earlier looks tell.
        tolerance: How far our clock and the server's may be apart, in seconds.

    Raises:
        BackupifyError: An answer cannot be had, or not be read.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def send_and_read_clock(request: Request) -> Response:
        nonlocal lead
        response = await send(request)
        shown = read_lead(response.headers.get("Date"), response.message.left, loop.time())
        lead = lead if shown is None else shown.or_also(lead)
        return response

    active = read_active(await send_and_read_clock(active_request(backup_instance_id)))
    tail: tuple[Backup, ...] = ()
    whole, pages_read = True, 0
    backups = list_backups(send_and_read_clock, backup_instance_id)
    async with contextlib.aclosing(backups.pages_backwards()) as pages:
        async for page in pages:
            tail = (*page.items, *tail)
            if any(judge(one, fate, lead, tolerance) is Judgement.OLDER for one in page.items):
                break
            pages_read += 1
            if pages_read == _MOST_PAGES:
                whole = False
                break
    return Look(began, active, tail, whole, lead)


async def look_for_what_ran(
    send: Send, backup_instance_id: int | str, fate: Fate, lead: Lead | None, tolerance: float
) -> Backup | None:
    """The backup that runs, or else one that is dated to have ended after a trigger's sending, or None.

    Args:
        send: Sends a request.
        backup_instance_id: The instance.
        fate: The trigger's sending.
        lead: How far the server's clock is ahead of the loop's, by the answer to the trigger.
        tolerance: How far our clock and the server's may be apart, in seconds.

    Raises:
        BackupifyError: An answer cannot be had, or not be read.
    """
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
