"""Backups: list them, look at one, at the active one, at the newest one; start one."""

from functools import cached_property, partial
from typing import TYPE_CHECKING

from backupify_async._call_context import Operation
from backupify_async._checks import check_positive
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
from backupify_async._transport.error_responses import api_error
from backupify_async._transport.request import Request
from backupify_async._transport.retry_loop import CallState
from backupify_async._transport.session import Session
from backupify_async._triggers.baseline import highest_id
from backupify_async.ids import identifier
from backupify_async.models import UNKNOWN_BASELINE, Backup, TriggerResult, UnknownBaseline, WaitResult
from backupify_async.polling import PollPolicy

if TYPE_CHECKING:
    from backupify_async._triggers.triggering import Triggers
    from backupify_async._waits.waiting import Waits


class Backups:
    """`client.backups`: the backups of an instance.

    Wherever an id is taken, an int is sent as it stands and a str is percent-quoted whole; 42 and "42" are
    the same. One that cannot be an id is a TypeError or a ValueError, before anything is sent.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.idle = IdleMemory()
        """What 404 bodies of get-active meant."""

    @cached_property
    def triggering(self) -> "Triggers":
        """Triggers, for whoever has to know when a request leaves."""
        from backupify_async._triggers.triggering import Triggers  # noqa: PLC0415 - most only look

        return Triggers(self._session)

    @cached_property
    def waits(self) -> "Waits":
        """Who waits for a backup to be over."""
        from backupify_async._waits.waiting import Waits  # noqa: PLC0415 - most only look

        return Waits(self._session, self.get_active)

    def close(self) -> None:
        """End all waiting for backups with `ClientClosed`."""
        if "waits" in vars(self):  # or nobody ever waited
            self.waits.close()

    def list(
        self, backup_instance_id: int | str, *, per_page: int | None = None, prefetch: int = 0
    ) -> Paginator[Backup]:
        """All backups of an instance, ascending by id; `newest(n)` of it reads the last ones, from the end.

        Args:
            backup_instance_id: The instance.
            per_page: How many to ask for at once; the server may cap or ignore it.
            prefetch: How many pages to ask for ahead of the one in hand, side by side, where the links number
                them. Each holds its place and its slot like any other call.

        Raises:
            TypeError, ValueError: An argument makes no sense; the message names it.
        """
        return list_backups(self._session.send, backup_instance_id, per_page=per_page, prefetch=prefetch)

    async def get(self, backup_instance_id: int | str, backup_id: int | str) -> Backup:
        """One backup.

        Raises:
            TypeError, ValueError: An id cannot be one.
            NotFound: There is no such instance, or no such backup of it.
            DecodeError: The answer is no backup, or another than was asked for.
            BackupifyError: The answer cannot be had.
        """
        return read_backup(await self._session.send(backup_request(backup_instance_id, backup_id)))

    async def get_active(
        self, backup_instance_id: int | str, *, assume_exists: bool = False
    ) -> Backup | None:
        """The backup that runs now, or None where none does.

        A 404 can mean that none does, or that there is no such instance: a second look, at the instance,
        tells. What a 404's body was found to mean is remembered, so that a sweep pays for few looks.

        Args:
            backup_instance_id: The instance.
            assume_exists: Whether to take each 404 for "none", without a look.

        Raises:
            TypeError, ValueError: The id cannot be one.
            NotFound: There is no such instance.
            DecodeError: The answer is no backup, or one of another instance, and does not say that none runs.
            BackupifyError: The answer cannot be had.
        """
        request = active_request(backup_instance_id)
        call = CallState(request)
        response = await self._session.carry(call)
        if response.status != 404 or assume_exists:
            return read_active(response)
        with Operation(call.began):
            exists = partial(self._exists, backup_instance_id)
            idle = await (self.idle.is_idle(response.body, exists) if response.whole else exists())
        if idle:
            return None
        raise api_error(request, response)

    async def latest(self, backup_instance_id: int | str) -> Backup | None:
        """The newest backup, or None where there is none: two calls, however long the list is.

        Raises:
            TypeError, ValueError: The id cannot be one.
            NotFound: There is no such instance.
            PaginationError: The list's Link headers cannot be followed.
            BackupifyError: An answer cannot be had.
        """
        return await self.list(backup_instance_id).last()

    async def trigger(
        self,
        backup_instance_id: int | str,
        *,
        baseline: Backup | int | str | UnknownBaseline | None = UNKNOWN_BASELINE,
    ) -> TriggerResult:
        """Start a backup now, and never two.

        Where the answer is lost, its backup is looked for, by get-active and the end of the list, as
        `Settings.reconciliation` says. Where there is surely none, and the server had time to act late, it is
        sent again, within the same `RetryPolicy` and the same `total` time-out.

        Args:
            backup_instance_id: The instance.
            baseline: The newest backup from before, or its id, or None where there was none, as `latest` has
                told. Only looks after trouble use it: what is above it, and whose creation does not tell
                otherwise, is this trigger's. It needs ids that are numbers.

        Returns:
            STARTED with the new backup; ADOPTED with it, where it was found after the answer was lost; or
            ALREADY_ACTIVE with the one that ran before: where the server answers 409 or 422 and one is
            active, or has ended since; where it answers with one that was created well before we sent; or
            where the answer was lost and such a one is found running.

        Raises:
            TypeError, ValueError: The id, or the baseline, cannot be one.
            AmbiguousTrigger: A backup may have been started; the answer was lost, and looks did not tell.
            NotFound: There is no such instance.
            Conflict, UnprocessableEntity: It is not accepted, and no look shows a backup in its way.
            BackupifyError: It was surely not started.
        """
        return await self.triggering.run(backup_instance_id, highest_id(baseline))

    async def wait(
        self,
        backup_instance_id: int | str,
        backup_id: int | str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the error says more than TimeoutError does
        poll: PollPolicy | None = None,
    ) -> WaitResult:
        """Wait until a backup is over; it is looked at from time to time, while other calls pass.

        Args:
            backup_instance_id: The instance.
            backup_id: The backup.
            timeout: Seconds to wait at most; None for as long as it takes.
            poll: How often to look, by default every 10 seconds; and which statuses mean what.

        Returns:
            How it ended: COMPLETED, FAILED, UNKNOWN, VANISHED or REPLACED, with the backup as it was last
            seen.

        Raises:
            TypeError, ValueError: An argument makes no sense; the message names it.
            WaitTimeout: It was not over in time; it goes on.
            NotFound: There is no such instance.
            PermissionDenied: The token may not look at it.
            BackupifyError: A look failed in a way that does not pass. Server errors and lost connections
                pass: the next look comes in its time.
        """
        for value, name in ((backup_instance_id, "backup_instance_id"), (backup_id, "backup_id")):
            identifier(value, name)
        if timeout is not None:
            check_positive("timeout", timeout)
        return await self.waits.begin(
            backup_instance_id, backup_id, timeout=timeout, poll=poll or PollPolicy()
        )

    async def _exists(self, backup_instance_id: int | str) -> bool:
        request = Request.get(INSTANCE, answers=frozenset({404}), backup_instance_id=backup_instance_id)
        response = await self._session.send(request)
        if response.status != 404:
            return True
        if response.whole:
            self.idle.came_with_missing(response.body)
        return False
