"""Triggers instances a few at a time, and lets any number of them wait for their backups meanwhile.

A fan-out's `concurrency` bounds the keys that are at work, and an instance whose backup runs for an hour is
at work for an hour. So this sweep has a wide fan-out, and slots of its own: an id is read only once there is
a slot for its trigger, and the slot is free again when the trigger is answered.
"""

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator

import attrs

from backupify_async._call_context import ATTEMPTS
from backupify_async._checks import check_positive
from backupify_async._waits.waiting import Waits
from backupify_async.errors import BackupifyError, WaitFailed
from backupify_async.models import Backup, TriggerResult, WaitResult
from backupify_async.polling import PollPolicy

InstanceId = int | str

MOST_AT_WORK = 10_000
"""Instances that are triggered or wait at once: at about 4 kB each, 40 MB."""
_LOGGER = logging.getLogger("backupify_async._fleet")


def check_waiting(*, wait: bool, wait_timeout: float | None, poll: PollPolicy | None) -> None:
    """Refuse what makes no sense of the arguments of `Fleet.trigger`.

    Raises:
        ValueError: The time-out is no number above 0; or nobody waits, though how to is said.
    """
    if not wait and (wait_timeout is not None or poll is not None):
        raise ValueError("wait_timeout and poll are for wait=True only")
    if wait_timeout is not None:
        check_positive("wait_timeout", wait_timeout)


class Slotted:
    """Instance ids, each of which is read when there is a slot for it.

    Args:
        ids: The ids.
        slots: One is taken for each id.
    """

    def __init__(
        self, ids: Iterable[InstanceId] | AsyncIterable[InstanceId], slots: asyncio.Semaphore
    ) -> None:
        self._source: Iterator[InstanceId] | AsyncIterator[InstanceId]
        self._source = aiter(ids) if isinstance(ids, AsyncIterable) else iter(ids)
        self._slots = slots

    def __aiter__(self) -> "Slotted":
        return self

    async def __anext__(self) -> InstanceId:
        await self._slots.acquire()
        if isinstance(self._source, AsyncIterator):
            return await anext(self._source)
        try:
            return next(self._source)
        except StopIteration:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Close an async source."""
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()


@attrs.frozen
class TriggerAndWait:
    """Triggers an instance in the slot that it came with, gives that back, and waits for the backup.

    Attributes:
        trigger: Triggers an instance.
        waits: Waits for a backup.
        slots: One is given back for each trigger that is answered.
        timeout: Seconds to wait for each backup; None for as long as it takes.
        poll: How often to look at it.
    """

    trigger: Callable[[InstanceId], Awaitable[TriggerResult]]
    waits: Waits
    slots: asyncio.Semaphore
    timeout: float | None
    poll: PollPolicy

    async def __call__(self, instance_id: InstanceId) -> TriggerResult:
        """Trigger it, and wait.

        Raises:
            WaitFailed: The backup is waited for no longer, also where the sweep is left meanwhile; the error
                holds what became of the trigger.
            BackupifyError: It was not triggered; `trigger` says why.
        """
        try:
            result = await self.trigger(instance_id)
        finally:
            self.slots.release()
        if result.backup is None:
            _LOGGER.warning("instance %s: the server named no backup that could be waited for", instance_id)
            return result
        try:
            waited = await self._wait(instance_id, result.backup)
        except BackupifyError as error:
            raise WaitFailed(instance_id, result, error) from error
        except asyncio.CancelledError:  # of the wait: what was triggered is to be known to whoever leaves
            raise WaitFailed(instance_id, result) from None
        return attrs.evolve(result, waited=waited)

    async def _wait(self, instance_id: InstanceId, backup: Backup) -> WaitResult:
        """Wait for a backup; one for which nothing was sent was seen long ago, and is looked at now."""
        count = ATTEMPTS.get()
        if count is not None and not count.sent:
            return await self.waits.begin(instance_id, backup.id, timeout=self.timeout, poll=self.poll)
        return await self.waits.go_on(instance_id, backup, timeout=self.timeout, poll=self.poll)
