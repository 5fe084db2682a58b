"""Backups: list them; get one, the active one or the newest one; start one; wait for one."""

from functools import partial
from typing import TYPE_CHECKING

import attrs

from backupify_async._call_context import CallGroup
from backupify_async._checks import check_is_a, check_positive
from backupify_async._endpoints.backups import (
    INSTANCE,
    active_request,
    backup_request,
    list_backups,
    read_active,
    read_backup,
)
from backupify_async._endpoints.idle import IdleMemory
from backupify_async._paging.paginator import Paginator
from backupify_async._transport.call_state import CallState
from backupify_async._transport.error_responses import api_error
from backupify_async._transport.request import Request
from backupify_async._transport.session import Session
from backupify_async._triggers.baseline import highest_id
from backupify_async.ids import identifier
from backupify_async.models import UNKNOWN_BASELINE, Backup, TriggerResult, UnknownBaseline, WaitResult
from backupify_async.polling import PollPolicy

if TYPE_CHECKING:
    from backupify_async._triggers.triggering import Triggers
    from backupify_async._waits.waiting import Waits


@attrs.frozen
class Internals:
    """What the client and its fleets share with `client.backups`. It is not for users.

    Attributes:
        triggers: All triggers of the client.
        waits: All waits of the client.
        idle: What a 404 to get-active was found to mean.
    """

    triggers: "Triggers"
    waits: "Waits"
    idle: IdleMemory


class Backups:
    """`client.backups`: the backups of an instance.

    An instance id is an int or a str. A str is percent-quoted as a whole; 42 and "42" are the same instance.
    Anything that cannot be an id raises a TypeError or a ValueError before a request is sent.
    """

    def __init__(self, session: Session, shared: Internals | None = None) -> None:
        # Imported here, so that the import of the package stays quick; but not when a trigger's response is
        # lost. By then no file may be open any more, or another version of the package may be installed.
        from backupify_async._triggers.triggering import Triggers  # noqa: PLC0415
        from backupify_async._waits.waiting import Waits  # noqa: PLC0415

        self._session = session
        if shared is None:
            self._internals = Internals(Triggers(session), Waits(session, self.get_active), IdleMemory())
        else:
            triggers = Triggers(session, shared.triggers.drain)
            waits = Waits(session, self.get_active, shared.waits.slots)
            self._internals = Internals(triggers, waits, shared.idle)

    def list(
        self, backup_instance_id: int | str, *, per_page: int | None = None, prefetch: int = 0
    ) -> Paginator[Backup]:
        """All backups of an instance, ascending by id. `newest(n)` of it reads the last ones, from the end.

        Args:
            backup_instance_id: The instance.
            per_page: Items per page. The server may cap or ignore it.
            prefetch: How many pages to request ahead, concurrently, where the links number the pages. Each
                request counts against `max_concurrency` and the rate limit.

        Raises:
            TypeError, ValueError: An argument is invalid; the message names it.
        """
        return list_backups(self._session.send, backup_instance_id, per_page=per_page, prefetch=prefetch)

    async def get(self, backup_instance_id: int | str, backup_id: int | str) -> Backup:
        """Get one backup.

        Raises:
            TypeError, ValueError: An id is invalid.
            NotFound: There is no such instance, or it has no such backup.
            DecodeError: The response is not a backup, or another backup than requested.
            BackupifyError: The request failed.
        """
        return read_backup(await self._session.send(backup_request(backup_instance_id, backup_id)))

    async def get_active(
        self, backup_instance_id: int | str, *, assume_exists: bool = False
    ) -> Backup | None:
        """Get the active backup, or None where the instance is idle.

        A 404 can mean that the instance is idle, or that it does not exist. A second request, for the
        instance, shows which. The meaning of a 404's body is remembered, so a fleet needs few such requests.

        Args:
            backup_instance_id: The instance.
            assume_exists: Whether to take each 404 for "idle", without a second request.

        Raises:
            TypeError, ValueError: The id is invalid.
            NotFound: There is no such instance.
            DecodeError: The response is not a backup, or one of another instance.
            BackupifyError: A request failed.
        """
        request = active_request(backup_instance_id)
        call = CallState(request, self._session.options)
        response = await self._session.carry(call)
        if response.status != 404 or assume_exists:
            return read_active(response)
        with CallGroup(call.began):
            exists = partial(self._exists, backup_instance_id)
            idle = self._internals.idle
            is_idle = await (idle.is_idle(response.body, exists) if response.whole else exists())
        if is_idle:
            return None
        raise api_error(request, response)

    async def latest(self, backup_instance_id: int | str) -> Backup | None:
        """Get the newest backup, or None. It takes two requests, however long the list is.

        Raises:
            TypeError, ValueError: The id is invalid.
            NotFound: There is no such instance.
            PaginationError: The list's Link headers cannot be followed.
            BackupifyError: A request failed.
        """
        return await self.list(backup_instance_id).last()

    async def trigger(
        self,
        backup_instance_id: int | str,
        *,
        baseline: Backup | int | str | UnknownBaseline | None = UNKNOWN_BASELINE,
    ) -> TriggerResult:
        """Start one backup now, never two.

        If the response is lost, the client looks for the trigger's backup with get-active and at the end of
        the list, as `Settings.reconciliation` says. If there surely is none, and the server had time to act
        late, it sends the trigger again, within the same `RetryPolicy` and the same `total` time-out.

        Args:
            backup_instance_id: The instance.
            baseline: The newest backup from before, or its id, or None where there was none, as `latest`
                returned it. It is used only if the response is lost: a backup above it is this trigger's,
                unless its dates contradict that. Ids must be numbers.

        Returns:
            STARTED with the new backup. ADOPTED with it, if it was found after the response was lost.
            ALREADY_ACTIVE with the backup that was active before: if the server answers 409 or 422 and one is
            active or has ended since; if it answers with one created well before the request; or if the
            response was lost and such a backup is found active.

        Raises:
            TypeError, ValueError: The id or the baseline is invalid.
            AmbiguousTrigger: A backup may have been started: the response was lost, and reconciling did not
                show it.
            NotFound: There is no such instance.
            Conflict, UnprocessableEntity: The server refuses, and no backup is found as the reason.
            BackupifyError: No backup was started.
        """
        return await self._internals.triggers.run(backup_instance_id, highest_id(baseline))

    async def wait(
        self,
        backup_instance_id: int | str,
        backup_id: int | str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the error says more than TimeoutError does
        poll: PollPolicy | None = None,
    ) -> WaitResult:
        """Wait until a backup is over. It is checked at intervals, in the background of other calls.

        Args:
            backup_instance_id: The instance.
            backup_id: The backup.
            timeout: Seconds to wait at most; None for no limit.
            poll: How often to check, by default every 10 seconds, and what the statuses mean.

        Returns:
            How it ended: COMPLETED, FAILED, UNKNOWN, VANISHED or REPLACED, with the backup as it was last
            read.

        Raises:
            TypeError, ValueError, ConfigurationError: An argument is invalid; the message names it.
            WaitTimeout: It was not over in time; it goes on.
            NotFound: There is no such instance.
            PermissionDenied: The token has no permission to read it.
            BackupifyError: A check failed permanently. Server errors and lost connections are transient: the
                next check is made as planned.
        """
        for value, name in ((backup_instance_id, "backup_instance_id"), (backup_id, "backup_id")):
            identifier(value, name)
        if timeout is not None:
            check_positive("timeout", timeout)
        if poll is not None:
            check_is_a("poll", poll, PollPolicy)
        return await self._internals.waits.wait(
            backup_instance_id, backup_id, timeout=timeout, poll=poll or PollPolicy()
        )

    async def _exists(self, backup_instance_id: int | str) -> bool:
        request = Request.get(INSTANCE, answers=frozenset({404}), backup_instance_id=backup_instance_id)
        response = await self._session.send(request)
        if response.status != 404:
            return True
        if response.whole:
            self._internals.idle.came_with_missing(response.body)
        return False


def internals(backups: Backups) -> Internals:
    """The parts of `client.backups` that the client and its fleets use. There is no other way to them."""
    return backups._internals  # noqa: SLF001 - this is that way
