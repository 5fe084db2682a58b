"""`Fleet`: the operations on backups, for many instances at once."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TypeVar

from backupify_async._call_context import BACKGROUND
from backupify_async._checks import check_count
from backupify_async._fleet.fan_out import FanOut
from backupify_async._fleet.journalled import JournalledSweep
from backupify_async._fleet.trigger_and_wait import (
    MAX_IN_PROGRESS,
    Waiting,
    check_waiting,
    read_with_slots,
    trigger_and_wait,
)
from backupify_async._journal.entries import SweepAccount
from backupify_async._journal.journal import Journal
from backupify_async._resources.backups import Backups, internals
from backupify_async._triggers.baseline import GivenBaseline
from backupify_async.errors import ConnectionFailed, DuplicateInstance, JournalError, RateLimited
from backupify_async.ids import InstanceId, instance_key
from backupify_async.models import UNKNOWN_BASELINE, Backup, TriggerResult
from backupify_async.polling import PollPolicy

T = TypeVar("T")


class Fleet:
    """Many instances: each method returns a fan-out over all of them, to be awaited or streamed.

        fleet = client.fleet([41, 42, 43])
        results = await fleet.get_active()          # Results: .values, .errors
        async with fleet.get_active() as outcomes:  # or one Outcome at a time, as they finish
            async for outcome in outcomes:
                print(outcome.key, outcome.value if outcome.ok else outcome.error)

    Each id gets exactly one `Outcome`. An id that comes twice is called twice, except by `trigger`. At most
    `concurrency` ids are begun beyond the outcomes that were handed out; twice as many by `latest` and
    `get_active`, which only read, and by every method with `ordered=True`.

    A fan-out stops early, with `FanOutAborted`, where more than `max_failures` instances fail, or where the
    server asks for a longer wait than `max_retry_after`: every further call would fail unsent.
    """

    def __init__(
        self,
        backups: Backups,
        ids: Iterable[InstanceId] | AsyncIterable[InstanceId],
        *,
        concurrency: int,
        background: bool = False,
        is_blocked: Callable[[], bool],
        account: SweepAccount,
    ) -> None:
        check_count("concurrency", concurrency)
        if isinstance(ids, str | bytes) or not isinstance(ids, Iterable | AsyncIterable):
            raise TypeError(f"ids must be an iterable or an async iterable of instance ids, not {ids!r}")
        self._backups = backups
        self._ids = ids
        self._read_once = isinstance(ids, Iterator | AsyncIterator)
        self._used = False
        self._concurrency = concurrency
        self._background = background
        self._is_blocked = is_blocked
        self._account = account

    def newest(
        self, count: int, *, ordered: bool = False, max_failures: int | None = None
    ) -> FanOut[InstanceId, list[Backup]]:
        """The newest backups of each instance, the newest first.

        Args:
            count: How many of each at most.
            ordered: Whether outcomes come in the order of the ids.
            max_failures: How many failures to accept; None for any number.

        Raises:
            ValueError: A number is out of range; the message names it.
        """
        check_count("count", count, minimum=0)
        return self._fan_out(partial(_newest, self._backups, count), ordered, max_failures)

    def list(
        self,
        *,
        limit: int | None = None,
        prefetch: int = 0,
        ordered: bool = False,
        max_failures: int | None = None,
    ) -> FanOut[InstanceId, list[Backup]]:
        """The backups of each instance, ascending by id.

        Args:
            limit: How many of each at most; None for all.
            prefetch: How many pages of each instance to request ahead, as in `Backups.list`: it is for few
                instances with long lists. At most `concurrency` times that many pages are held.
            ordered: Whether outcomes come in the order of the ids.
            max_failures: How many failures to accept; None for any number.

        Raises:
            ValueError: A number is out of range; the message names it.
        """
        if limit is not None:
            check_count("limit", limit, minimum=0)
        check_count("prefetch", prefetch, minimum=0)
        return self._fan_out(partial(_collect, self._backups, limit, prefetch), ordered, max_failures)

    def latest(
        self, *, ordered: bool = False, max_failures: int | None = None
    ) -> FanOut[InstanceId, Backup | None]:
        """The newest backup of each instance, or None where it has none.

        Args:
            ordered: Whether outcomes come in the order of the ids.
            max_failures: How many failures to accept; None for any number.
        """
        return self._fan_out(self._backups.latest, ordered, max_failures, ahead=True)

    def get_active(
        self, *, assume_exists: bool = False, ordered: bool = False, max_failures: int | None = None
    ) -> FanOut[InstanceId, Backup | None]:
        """The backup that is running, for each instance, or None where none is.

        Args:
            assume_exists: Whether each 404 means None, without checking that the instance exists.
            ordered: Whether outcomes come in the order of the ids.
            max_failures: How many failures to accept; None for any number.
        """
        function = partial(self._backups.get_active, assume_exists=assume_exists)
        return self._fan_out(function, ordered, max_failures, ahead=True)

    def trigger(
        self,
        *,
        baseline: Mapping[InstanceId, GivenBaseline] | None = None,
        journal: Journal | None = None,
        wait: bool = False,
        wait_timeout: float | None = None,
        poll: PollPolicy | None = None,
        ordered: bool = False,
        max_failures: int | None = None,
    ) -> FanOut[InstanceId, TriggerResult]:
        """Start one backup of each instance now, and never two.

        An id that comes twice gets a `DuplicateInstance` the second time. Ids of digits are compared as
        numbers: 42, "42" and "042" are one instance. The ids are kept while the sweep runs, at about 100
        bytes each.

        Args:
            baseline: The newest backup of each instance before the sweep, by the ids of the fleet, as in
                `(await fleet.latest()).values`. `Backups.trigger` says what it is for.
            journal: An open journal that records the sweep. Each trigger is recorded before it is sent: a
                journal that cannot be used ends the sweep with a `JournalError`, or a `FanOutAborted` that
                names it. The ids in the journal come first, also those that the fleet no longer has; the
                outcome of an instance that is done has 0 `attempts`. An async iterable that was read to its
                end is not read again.
            wait: Whether an outcome comes only when the backup is over, also if it was running already; its
                `value.waited` says how the backup ended. `concurrency` limits the triggers in flight; up to
                10,000 backups are waited for. If a wait fails, the error is a `WaitFailed` with the result of
                the trigger; so it is for a cancelled wait, in `Outcomes.leftover` or `FanOut.results`. If the
                server names no backup, a warning is logged and `waited` is None.
            wait_timeout: Seconds to wait for each backup after its trigger; None for no limit.
            poll: How often to check each backup, every 10 seconds by default, and what its statuses mean.
            ordered: Whether outcomes come in the order of the ids.
            max_failures: How many failures to accept; None for any number.

        Raises:
            ValueError: `wait_timeout` is not above 0; or it, or `poll`, is given without `wait`.
            TypeError: `baseline` is not a mapping, or `journal` not a Journal.
            ConfigurationError: `poll` is no PollPolicy.
        """
        check_waiting(wait=wait, wait_timeout=wait_timeout, poll=poll)
        if not isinstance(baseline, Mapping | None) or not isinstance(journal, Journal | None):
            raise TypeError("baseline must be a mapping of ids to backups, and journal a Journal")
        waits = internals(self._backups).waits
        waiting = Waiting(waits, wait_timeout, poll or PollPolicy()) if wait else None
        return self._trigger(baseline or {}, journal, waiting, ordered, max_failures)

    def _trigger(
        self,
        baseline: Mapping[InstanceId, GivenBaseline],
        journal: Journal | None,
        waiting: Waiting | None,
        ordered: bool,
        max_failures: int | None,
    ) -> FanOut[InstanceId, TriggerResult]:
        trigger: Callable[[InstanceId], Awaitable[TriggerResult]]
        ids: Iterable[InstanceId] | AsyncIterable[InstanceId]
        if journal is None:
            trigger, ids = partial(_trigger_once, self._backups, set(), baseline), self._ids
        else:
            sweep = JournalledSweep(journal, self._account, internals(self._backups).triggers.run, baseline)
            trigger, ids = sweep.trigger, sweep.ids(self._ids)
        concurrency = self._concurrency
        if waiting is not None:
            slots = asyncio.Semaphore(concurrency)
            trigger = partial(trigger_and_wait, trigger, slots, waiting)
            ids, concurrency = read_with_slots(ids, slots), max(concurrency, MAX_IN_PROGRESS)
        fan_out = self._fan_out(trigger, ordered, max_failures, ids, concurrency)
        internals(self._backups).triggers.drain.stops(fan_out)
        return fan_out

    def _fan_out(
        self,
        function: Callable[[InstanceId], Awaitable[T]],
        ordered: bool,
        max_failures: int | None,
        ids: Iterable[InstanceId] | AsyncIterable[InstanceId] | None = None,
        concurrency: int | None = None,
        *,
        ahead: bool = False,
    ) -> FanOut[InstanceId, T]:
        if self._read_once and self._used:
            raise RuntimeError("these ids can be read only once, and were: make a new fleet, or give a list")
        fan_out = FanOut(
            partial(_in_background, function) if self._background else function,
            self._ids if ids is None else ids,
            concurrency=self._concurrency if concurrency is None else concurrency,
            ordered=ordered,
            ahead=ahead,
            max_failures=max_failures,
            stop_at=self._reason_to_stop,
        )
        self._used = True
        return fan_out

    def _reason_to_stop(self, error: BaseException) -> str | None:
        pointless = isinstance(error, RateLimited | ConnectionFailed) and self._is_blocked()
        return str(error) if pointless or isinstance(error, JournalError) else None


async def _in_background(function: Callable[[InstanceId], Awaitable[T]], instance_id: InstanceId) -> T:
    BACKGROUND.set(True)  # in the context of the worker's task, which makes no other calls
    return await function(instance_id)


async def _collect(
    backups: Backups, limit: int | None, prefetch: int, instance_id: InstanceId
) -> list[Backup]:
    return await backups.list(instance_id, prefetch=prefetch).collect(limit)


async def _newest(backups: Backups, count: int, instance_id: InstanceId) -> list[Backup]:
    return await backups.list(instance_id).newest(count)


async def _trigger_once(
    backups: Backups, seen: set[str], baseline: Mapping[InstanceId, GivenBaseline], instance_id: InstanceId
) -> TriggerResult:
    key = instance_key(instance_id)
    if key in seen:
        raise DuplicateInstance(instance_id)
    seen.add(key)
    return await backups.trigger(instance_id, baseline=baseline.get(instance_id, UNKNOWN_BASELINE))
