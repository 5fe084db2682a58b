"""Backups: list them, look at one, at the active one, at the newest one; start one."""

import logging
from datetime import UTC, datetime, timedelta
from functools import partial

from backupify_async.checks import check_positive
from backupify_async.config import PollPolicy
from backupify_async.errors import AmbiguousTrigger, BackupifyError, DecodeError
from backupify_async.models import Backup, TriggerKind, TriggerResult, WaitResult
from backupify_async.pagination import Paginator, paginate
from backupify_async.resources.idle import IdleMemory
from backupify_async.resources.waiting import Waits
from backupify_async.transport.refusals import http_date, refusal
from backupify_async.transport.request import FateUnknown, Request, Response, identifier
from backupify_async.transport.session import Session
from backupify_async.transport.wire import decode_one, decode_present

_LOGGER = logging.getLogger("backupify_async.backups")
_INSTANCE = "/v1/backup_instances/{backup_instance_id}"
_BACKUPS = _INSTANCE + "/backups"
# How long before the sending a backup must have been created to be surely not its work. With the server's
# Date its clock is known to the second; without, only ours is, which may be off.
_BEFORE_BY_DATE = timedelta(seconds=5)
_NO_CLOCK = timedelta(days=3650)  # a Date that is further off than ten years is no clock's
_BEFORE_BY_OUR_CLOCK = timedelta(seconds=60)


class Backups:
    """`client.backups`: the backups of an instance.

    Wherever an id is taken, an int is sent as it stands and a str is percent-quoted whole; 42 and "42" are
    the same. One that cannot be an id is a TypeError or a ValueError, before anything is sent.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.idle = IdleMemory()
        """What 404 bodies of get-active meant."""
        self.waits = Waits(self.get, self.get_active, session.require_open)
        """Who waits for a backup to be over."""

    def list(self, backup_instance_id: int | str, *, per_page: int | None = None) -> Paginator[Backup]:
        """All backups of an instance, ascending by id.

        Args:
            backup_instance_id: The instance.
            per_page: How many to ask for at once; the server may cap or ignore it.

        Raises:
            TypeError, ValueError: An argument makes no sense; the message names it.
        """
        return paginate(
            self._session.send, Backup, _BACKUPS, per_page=per_page, backup_instance_id=backup_instance_id
        )

    async def get(self, backup_instance_id: int | str, backup_id: int | str) -> Backup:
        """One backup.

        Raises:
            TypeError, ValueError: An id cannot be one.
            NotFound: There is no such instance, or no such backup of it.
            DecodeError: The answer is no backup.
            BackupifyError: The answer cannot be had.
        """
        request = Request.get(
            _BACKUPS + "/{backup_id}", backup_instance_id=backup_instance_id, backup_id=backup_id
        )
        return decode_present(await self._session.send(request), Backup)

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
            BackupifyError: The answer cannot be had.
        """
        request = Request.get(
            _BACKUPS + "/active", answers=frozenset({404}), backup_instance_id=backup_instance_id
        )
        response = await self._session.send(request)
        if response.status != 404:
            return decode_one(response, Backup, or_list=True)
        if assume_exists:
            return None
        exists = partial(self._exists, backup_instance_id)
        idle = await (self.idle.is_idle(response.body, exists) if response.whole else exists())
        if idle:
            return None
        raise refusal(request, response)

    async def latest(self, backup_instance_id: int | str) -> Backup | None:
        """The newest backup, or None where there is none: two calls, however long the list is.

        Raises:
            TypeError, ValueError: The id cannot be one.
            NotFound: There is no such instance.
            PaginationError: The list's Link headers cannot be followed.
            BackupifyError: An answer cannot be had.
        """
        return await self.list(backup_instance_id).last()

    async def trigger(self, backup_instance_id: int | str) -> TriggerResult:
        """Start a backup now, and never two: what may have started one is not sent again.

        Returns:
            STARTED with the new backup; or ALREADY_ACTIVE with the one that ran before, where the server
            answers 409, 422 while one is active, or a backup that was created well before we sent.

        Raises:
            TypeError, ValueError: The id cannot be one.
            AmbiguousTrigger: The request left and no clear answer came: a backup may have been started.
            NotFound: There is no such instance.
            UnprocessableEntity: The server does not accept it, and no backup is active.
            BackupifyError: It was surely not started.
        """
        request = Request.post(_BACKUPS, answers=frozenset({409, 422}), backup_instance_id=backup_instance_id)
        try:
            response = await self._session.send(request)
            backup = decode_one(response, Backup) if response.status < 300 else None
        except FateUnknown as unknown:
            raise AmbiguousTrigger(backup_instance_id, unknown.sent_at, unknown.cause) from unknown.cause
        except DecodeError as error:
            raise AmbiguousTrigger(backup_instance_id, response.message.sent_at, error) from error
        if backup is not None:
            return TriggerResult(_kind(backup, response), backup)
        backup, blind = await self._running(backup_instance_id)
        if response.status == 422 and backup is None:
            raise refusal(request, response, blind)
        kind = TriggerKind.STARTED if response.status < 300 else TriggerKind.ALREADY_ACTIVE
        return TriggerResult(kind, backup)

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
            poll: How often to look; by default every 10 seconds.

        Returns:
            How it ended: COMPLETED, FAILED, VANISHED or REPLACED, with the backup as it was last seen.

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
        request = Request.get(_INSTANCE, answers=frozenset({404}), backup_instance_id=backup_instance_id)
        response = await self._session.send(request)
        if response.status != 404:
            return True
        if response.whole:
            self.idle.came_with_missing(response.body)
        return False

    async def _running(self, backup_instance_id: int | str) -> tuple[Backup | None, str | None]:
        """The active backup after a trigger, whose outcome stands anyway; and why the look failed, if so."""
        try:
            return await self.get_active(backup_instance_id, assume_exists=True), None
        except BackupifyError as error:
            _LOGGER.warning("instance %s: the look after its trigger failed: %s", backup_instance_id, error)
            return None, f"the look whether a backup is active failed: {error}"


def _kind(backup: Backup, response: Response) -> TriggerKind:
    """Whether a 2xx speaks of a new backup, or of one that ran before."""
    created = backup.created_at or backup.started_at
    date = http_date(response.headers.get("Date"))
    sent_at, margin = response.message.sent_at, _BEFORE_BY_OUR_CLOCK
    now = datetime.now(UTC)
    if date is not None and abs(date - now) < _NO_CLOCK:
        sent_at, margin = sent_at + (date - now), _BEFORE_BY_DATE
    before = created is not None and created < sent_at - margin
    return TriggerKind.ALREADY_ACTIVE if before else TriggerKind.STARTED
