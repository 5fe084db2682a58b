"""Waits for backups until they are over: looks at each from time to time, and lets other calls pass."""

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from backupify_async._call_context import BACKGROUND, Operation
from backupify_async._endpoints.backups import backup_request, read_backup
from backupify_async._endpoints.server_clock import server_time
from backupify_async._tasks import forget_frames
from backupify_async._transport.session import Session
from backupify_async._waits.progress import Progress, asked_to_wait, passes
from backupify_async._waits.queue import Turns
from backupify_async._waits.status_words import Vocabulary
from backupify_async.errors import BackupifyError, NotFound, WaitTimeout
from backupify_async.models import Backup, WaitResult
from backupify_async.polling import PollPolicy

InstanceId = int | str

_LAST_LOOK = 1.0  # seconds


class Waits:
    """All who wait for a backup, for one client.

    Args:
        session: Sends the looks.
        get_active: Shows the backup of an instance that runs now.
    """

    def __init__(
        self, session: Session, get_active: Callable[[InstanceId], Awaitable[Backup | None]]
    ) -> None:
        self._session = session
        self._get_active = get_active
        self._longest_wait = session.settings.retry.max_retry_after
        self._turns = Turns()
        self.waited_for = 0
        """How many backups are waited for."""

    async def begin(
        self,
        backup_instance_id: InstanceId,
        backup_id: int | str,
        *,
        timeout: float | None,  # noqa: ASYNC109 - the error says more than TimeoutError does
        poll: PollPolicy,
    ) -> WaitResult:
        """Wait until a backup is over; `Backups.wait` says how. The first look comes at once."""
        return await self._until_over(backup_instance_id, self._begun(backup_id, poll), timeout, poll)

    async def go_on(
        self,
        backup_instance_id: InstanceId,
        seen: Backup,
        *,
        timeout: float | None,  # noqa: ASYNC109 - as above
        poll: PollPolicy,
    ) -> WaitResult:
        """Wait until a backup is over that was seen just now. The first look comes an interval later."""
        progress = self._begun(seen.id, poll).looked(seen, datetime.now(UTC))
        return await self._until_over(backup_instance_id, progress, timeout, poll)

    def close(self) -> None:
        """End all waiting with `ClientClosed`."""
        self._turns.close()

    def _begun(self, backup_id: int | str, poll: PollPolicy) -> Progress:
        tolerance = self._session.settings.reconciliation.clock_tolerance
        return Progress(backup_id, Vocabulary(poll.success, poll.failure), tolerance)

    async def _until_over(
        self,
        backup_instance_id: InstanceId,
        progress: Progress,
        timeout: float | None,  # noqa: ASYNC109 - as above
        poll: PollPolicy,
    ) -> WaitResult:
        self._session.require_open()
        loop = asyncio.get_running_loop()
        gaps = itertools.chain([poll.interval * self._turns.phase()], itertools.repeat(poll.interval))
        due = loop.time() + (next(gaps) if progress.looks else 0.0)
        # A last look, shortly before the time is over: else one just in time would be told as too late.
        last = math.inf if timeout is None else loop.time() + timeout - min(_LAST_LOOK, timeout / 10)
        failure: BackupifyError | None = None
        self.waited_for += 1
        try:
            async with asyncio.timeout(timeout):
                while progress.result is None:
                    await self._turns.take(min(due, last) if loop.time() < last else due)
                    try:
                        progress, failure = await self._look(backup_instance_id, progress), None
                    except BackupifyError as error:
                        self._turns.require_open()  # else it says that a look cannot begin any more
                        if not passes(error):
                            raise
                        failure = error
                        forget_frames(failure)
                    finally:
                        self._turns.give_back()
                    due = loop.time() + max(next(gaps), asked_to_wait(failure, self._longest_wait))
                return progress.result
        except TimeoutError:
            assert timeout is not None  # noqa: S101 - it ran out
            raise WaitTimeout(
                backup_instance_id, progress.backup_id, timeout, progress.backup, failure
            ) from failure
        finally:
            self.waited_for -= 1

    async def _look(self, backup_instance_id: InstanceId, progress: Progress) -> Progress:
        others_pass = BACKGROUND.set(True)
        try:
            with Operation():
                progress = progress.looked(*await self._found(backup_instance_id, progress.backup_id))
                if progress.doubtful:
                    progress = progress.compared(await self._get_active(backup_instance_id))
            return progress
        finally:
            BACKGROUND.reset(others_pass)

    async def _found(
        self, backup_instance_id: InstanceId, backup_id: int | str
    ) -> tuple[Backup | None, datetime]:
        """The backup, and what the server's clock showed then; None where it was not found."""
        try:
            response = await self._session.send(backup_request(backup_instance_id, backup_id))
        except NotFound:  # the backup, or the instance: get-active tells
            return None, datetime.now(UTC)
        return read_backup(response), server_time(response.headers.get("Date")) or datetime.now(UTC)
