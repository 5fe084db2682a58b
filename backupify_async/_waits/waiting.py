"""Waits until backups are over: checks each one from time to time, and lets other calls go first.

Theory of operation. Each wait sleeps until its next check is due. Then it takes one of a few slots, in the
order in which the checks became due. So few checks wait at the client's gate, however many waits there are,
and the choice of the next one is made late. If there are more checks than the rate limit has room for, all
are delayed equally, and are checked in turn.
"""

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from backupify_async._call_context import BACKGROUND, CallGroup
from backupify_async._endpoints.backups import backup_request, read_backup
from backupify_async._endpoints.server_clock import server_time
from backupify_async._tasks import forget_frames
from backupify_async._transport.scopes import CallScope, ScopeEnded
from backupify_async._transport.session import Session
from backupify_async._waits.progress import WaitProgress, is_transient, requested_delay
from backupify_async._waits.status_words import Vocabulary
from backupify_async.errors import BackupifyError, ClientClosed, NotFound, WaitTimeout
from backupify_async.ids import InstanceId
from backupify_async.models import Backup, WaitResult
from backupify_async.polling import PollPolicy

MAX_CHECKS = 16
"""Checks in flight at most: a quarter of a client's default `max_concurrency`."""
_LAST_CHECK = 1.0  # seconds before the time-out
_GOLDEN_RATIO = (5**0.5 - 1) / 2


class WaitSlots:
    """The checks that all waits of one client can make at once, and how the waits are spread over time."""

    def __init__(self) -> None:
        self.free = asyncio.Semaphore(MAX_CHECKS)
        """Held for each check."""
        self.waiting = 0
        """How many backups are being waited for."""
        self._phases = 0

    def next_phase(self) -> float:
        """A part of an interval, 1 at first: waits that begin together must not be checked together forever.

        Multiples of the golden ratio lie as far apart on the interval as that many points can.
        """
        if not self.waiting:
            self._phases = 0
        self._phases += 1
        return 1 - (self._phases - 1) * _GOLDEN_RATIO % 1


class Waits:
    """All waits of one client.

    Args:
        session: Sends the requests.
        get_active: Returns the active backup of an instance.
        slots: Of the client's other waits; None for the first of its sessions.
    """

    def __init__(
        self,
        session: Session,
        get_active: Callable[[InstanceId], Awaitable[Backup | None]],
        slots: WaitSlots | None = None,
    ) -> None:
        self._session = session
        self._get_active = get_active
        self._longest_delay = session.settings.retry.max_retry_after
        self.slots = slots or WaitSlots()
        """Shared by all waits of the client."""

    @property
    def waited_for(self) -> int:
        """How many backups are being waited for."""
        return self.slots.waiting

    async def wait(
        self,
        backup_instance_id: InstanceId,
        backup_id: int | str,
        *,
        timeout: float | None,  # noqa: ASYNC109 - the error says more than TimeoutError does
        poll: PollPolicy,
    ) -> WaitResult:
        """Wait until a backup is over, as `Backups.wait` does. The first check is made at once."""
        return await self._until_over(backup_instance_id, self._begin(backup_id, poll), timeout, poll)

    async def wait_from(
        self,
        backup_instance_id: InstanceId,
        backup: Backup,
        *,
        timeout: float | None,  # noqa: ASYNC109 - as above
        poll: PollPolicy,
    ) -> WaitResult:
        """Wait until a backup is over that was read just now. The first check is made an interval later."""
        progress = self._begin(backup.id, poll).checked(backup, datetime.now(UTC))
        return await self._until_over(backup_instance_id, progress, timeout, poll)

    def _begin(self, backup_id: int | str, poll: PollPolicy) -> WaitProgress:
        tolerance = self._session.settings.reconciliation.clock_tolerance
        return WaitProgress(backup_id, Vocabulary(poll.success, poll.failure), tolerance)

    async def _until_over(
        self,
        backup_instance_id: InstanceId,
        progress: WaitProgress,
        timeout: float | None,  # noqa: ASYNC109 - as above
        poll: PollPolicy,
    ) -> WaitResult:
        self._session.require_open()
        loop = asyncio.get_running_loop()
        gaps = itertools.chain([poll.interval * self.slots.next_phase()], itertools.repeat(poll.interval))
        due = loop.time() + (next(gaps) if progress.checks else 0.0)
        # A last check shortly before the time-out: otherwise a backup that ended just in time would be late.
        last = math.inf if timeout is None else loop.time() + timeout - min(_LAST_CHECK, timeout / 10)
        failure: BackupifyError | None = None
        self.slots.waiting += 1
        try:
            with CallScope(self._session.scopes, timeout):
                while progress.result is None:
                    await _sleep_until(min(due, last) if loop.time() < last else due)
                    async with self.slots.free:
                        try:
                            progress, failure = await self._check(backup_instance_id, progress), None
                        except BackupifyError as error:
                            if not is_transient(error):
                                raise
                            failure = error
                            forget_frames(failure)
                    due = loop.time() + max(next(gaps), requested_delay(failure, self._longest_delay))
                return progress.result
        except (ScopeEnded, ClientClosed):
            if self._session.scopes.closed:
                raise ClientClosed("the client was closed while a backup was waited for") from None
            assert timeout is not None  # noqa: S101 - it ran out
            raise WaitTimeout(
                backup_instance_id, progress.backup_id, timeout, progress.backup, failure
            ) from failure
        finally:
            self.slots.waiting -= 1

    async def _check(self, backup_instance_id: InstanceId, progress: WaitProgress) -> WaitProgress:
        token = BACKGROUND.set(True)
        try:
            with CallGroup():
                progress = progress.checked(*await self._read(backup_instance_id, progress.backup_id))
                if progress.needs_active:
                    progress = progress.compared_with(await self._get_active(backup_instance_id))
            return progress
        finally:
            BACKGROUND.reset(token)

    async def _read(
        self, backup_instance_id: InstanceId, backup_id: int | str
    ) -> tuple[Backup | None, datetime]:
        """The backup, or None where it is not found; and the time by the server's clock."""
        try:
            response = await self._session.send(backup_request(backup_instance_id, backup_id))
        except NotFound:  # the backup or the instance: get-active shows which
            return None, datetime.now(UTC)
        return read_backup(response), server_time(response.headers.get("Date")) or datetime.now(UTC)


async def _sleep_until(when: float) -> None:
    """Sleep until a time of the loop's clock; return at once if it is past."""
    delay = when - asyncio.get_running_loop().time()
    if delay > 0:
        await asyncio.sleep(delay)
