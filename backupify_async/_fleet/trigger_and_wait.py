"""Triggers a few instances at a time, while any number of others wait for their backups.

The `concurrency` of a fan-out bounds its calls in flight, and a call that waits for an hour-long backup is
in flight for an hour. So this fan-out is wide, and a semaphore bounds the triggers: an id is read when there
is a slot for its trigger, and the slot is released when the trigger has its result.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from contextlib import aclosing

import attrs

from backupify_async._call_context import ATTEMPTS
from backupify_async._checks import check_is_a, check_positive
from backupify_async._fleet.key_source import as_async
from backupify_async._waits.waiting import Waits
from backupify_async.errors import BackupifyError, WaitFailed
from backupify_async.ids import InstanceId
from backupify_async.models import Backup, TriggerResult, WaitResult
from backupify_async.polling import PollPolicy

MAX_IN_PROGRESS = 10_000
"""Instances that are triggered or waited for at once. At about 4 kB each, they take 40 MB."""
_LOGGER = logging.getLogger("backupify_async._fleet")


def check_waiting(*, wait: bool, wait_timeout: float | None, poll: PollPolicy | None) -> None:
    """Check the arguments of `Fleet.trigger` that are about waiting.

    Raises:
        ValueError: `wait_timeout` is not above 0; or it, or `poll`, is given without `wait`.
        ConfigurationError: `poll` is no PollPolicy.
    """
    if not wait and (wait_timeout is not None or poll is not None):
        raise ValueError("wait_timeout and poll are for wait=True only")
    if wait_timeout is not None:
        check_positive("wait_timeout", wait_timeout)
    if poll is not None:
        check_is_a("poll", poll, PollPolicy)


async def read_with_slots(
    ids: Iterable[InstanceId] | AsyncIterable[InstanceId], slots: asyncio.Semaphore
) -> AsyncGenerator[InstanceId, None]:
    """Read each id once a slot is free for it, and take the slot."""
    async with aclosing(as_async(ids)) as source:
        while True:
            await slots.acquire()
            try:
                instance_id = await anext(source)
            except StopAsyncIteration:
                return
            yield instance_id


@attrs.frozen
class Waiting:
    """How to wait for each backup.

    Attributes:
        waits: Waits for a backup.
        timeout: Seconds to wait for each; None for as long as it takes.
        poll: How often to check it.
    """

    waits: Waits
    timeout: float | None
    poll: PollPolicy


async def trigger_and_wait(
    trigger: Callable[[InstanceId], Awaitable[TriggerResult]],
    slots: asyncio.Semaphore,
    waiting: Waiting,
    instance_id: InstanceId,
) -> TriggerResult:
    """Trigger an instance, release its slot, and wait for its backup.

    Raises:
        WaitFailed: The backup was triggered, but the wait for it failed or was cancelled. The error has the
            result of the trigger.
        BackupifyError: It was not triggered; `trigger` says why.
    """
    try:
        result = await trigger(instance_id)
    finally:
        slots.release()
    if result.backup is None:
        _LOGGER.warning("instance %s: the server named no backup that could be waited for", instance_id)
        return result
    try:
        waited = await _wait(waiting, instance_id, result.backup)
    except BackupifyError as error:
        raise WaitFailed(instance_id, result, error) from error
    except asyncio.CancelledError:  # the sweep is left: what was triggered must still be reported
        raise WaitFailed(instance_id, result) from None
    return attrs.evolve(result, waited=waited)


async def _wait(waiting: Waiting, instance_id: InstanceId, backup: Backup) -> WaitResult:
    """Wait for a backup. Where nothing was sent, the backup is from a previous run: check it at once."""
    waits, timeout, poll = waiting.waits, waiting.timeout, waiting.poll
    count = ATTEMPTS.get()
    if count is not None and not count.sent:
        return await waits.wait(instance_id, backup.id, timeout=timeout, poll=poll)
    return await waits.wait_from(instance_id, backup, timeout=timeout, poll=poll)
