"""A fleet: the operations on backups, over many instances at once."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TypeVar

from backupify_async._call_context import BACKGROUND
from backupify_async._checks import check_count
from backupify_async._fleet.fan_out import FanOut
from backupify_async._fleet.journalled import JournalledSweep
from backupify_async._fleet.trigger_and_wait import MOST_AT_WORK, Slotted, TriggerAndWait, check_waiting
from backupify_async._journal.entries import SweepAccount
from backupify_async._journal.journal import Journal
from backupify_async._resources.backups import Backups
from backupify_async.errors import ConnectionFailed, DuplicateInstance, JournalError, RateLimited
from backupify_async.ids import InstanceId, instance_key
from backupify_async.models import UNKNOWN_BASELINE, Backup, TriggerResult
from backupify_async.polling import PollPolicy

T = TypeVar("T")
Baseline = Backup | int | str | None


class Fleet:
    """Many instances: each method begins a fan-out over all of them, to be awaited or streamed.

        results = await fleet.get_active()                # Results: .values, .errors
        async with fleet.get_active() as outcomes:        # or one Outcome after the other, as they come
            async for outcome in outcomes: ...

    Each id gets exactly one `Outcome`. One that comes twice is called twice, but by `trigger`. No more than
    `concurrency` ids are begun beyond the outcomes that were handed out; of `latest` and `get_active`, which
    only look, twice as many, and of all with `ordered=True`.

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
        self._refuses_all = is_blocked
        self._account = account

    def newest(
        self, count: int, *, ordered: bool = False, max_failures: int | None = None
    ) -> FanOut[InstanceId, list[Backup]]:
        """The newest backups of each instance, the newest first.

        Args:
            count: How many of each at most.
            ordered: Whether outcomes come in the order of the ids.
            max_failures: How many failures to bear; None for any number.

        Raises:
            ValueError: A number makes no sense; the message names it.
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
            prefetch: How many pages of each to ask for ahead of the one in hand, as in `Backups.list`: it is
                for few instances with long lists. No more than `concurrency` times so many are held.
            ordered: Whether outcomes come in the order of the ids.
            max_failures: How many failures to bear; None for any number.

        Raises:
            ValueError: A number makes no sense; the message names it.
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
            max_failures: How many failures to bear; None for any number.
        """
        return self._fan_out(self._backups.latest, ordered, max_failures, ahead=True)

    def get_active(
        self, *, assume_exists: bool = False, ordered: bool = False, max_failures: int | None = None
    ) -> FanOut[InstanceId, Backup | None]:
        """The backup that runs now, for each instance, or None where none does.

        Args:
            assume_exists: Whether to take each 404 for "none", without a look at the instance.
            ordered: Whether outcomes come in the order of the ids.
            max_failures: How many failures to bear; None for any number.
        """
        function = partial(self._backups.get_active, assume_exists=assume_exists)
        return self._fan_out(function, ordered, max_failures, ahead=True)

    def trigger(
        self,
        *,
        baseline: Mapping[InstanceId, Baseline] | None = None,
        journal: Journal | None = None,
        wait: bool = False,
        wait_timeout: float | None = None,
        poll: PollPolicy | None = None,
        ordered: bool = False,
        max_failures: int | None = None,
    ) -> FanOut[InstanceId, TriggerResult]:
        """Start a backup of each instance now, and never two of one.

        An id that comes a second time is answered unsent, with `DuplicateInstance`; for this the ids are
        kept while the sweep runs, at about 100 bytes each. Each is sent as it is written, and of digits the
        number counts: 42, "42" and "042" are one instance.

        With a journal that has ids already, the sweep goes on: these come first, also those that the fleet's
        ids no longer have. What is done is answered from the journal, with no attempts. An async iterable of
        ids is not read again once it was read to its end.

        Args:
            baseline: For each instance, under its id as the fleet has it, the newest backup from before, as
                `(await fleet.latest()).values` tells it: `Backups.trigger` says what it is for. One that is
                missing is not told.
            journal: Where the sweep is written down, open; one that cannot be used, or no longer be written,
                ends the sweep with a `JournalError`, or `FanOutAborted` that names it. What could not be
                written down was not sent.
            wait: Whether an instance's outcome comes when its backup is over, told in `waited`, also where
                the backup ran before. `concurrency` bounds those being triggered; up to 10,000 others wait
                meanwhile. A wait that fails is the error `WaitFailed`, which says that a backup was
                triggered; so it is, without a cause, in `Outcomes.leftover` where the sweep is left
                meanwhile, and in `FanOut.results` where its await is cancelled. Where the server names no
                backup, there is nothing to wait for: a warning is logged, and `waited` stays None.
            wait_timeout: Seconds to wait for each backup, from the answer to its trigger; None for as long
                as it takes.
            poll: How often to look at each backup, by default every 10 seconds; and which statuses mean
                what.
            ordered: Whether outcomes come in the order of the ids.
            max_failures: How many failures to bear; None for any number.

        Raises:
            ValueError: `wait_timeout` is no number above 0; or there is no `wait`, though how to is said.
            TypeError: `baseline` is no mapping, or `journal` no Journal.
        """
        check_waiting(wait=wait, wait_timeout=wait_timeout, poll=poll)
        if not isinstance(baseline, Mapping | None) or not isinstance(journal, Journal | None):
            raise TypeError("baseline must be a mapping of ids to backups, and journal a Journal")
        trigger: Callable[[InstanceId], Awaitable[TriggerResult]]
        ids: Iterable[InstanceId] | AsyncIterable[InstanceId]
        if journal is None:
            trigger, ids = partial(_trigger_once, self._backups, set(), baseline or {}), self._ids
        else:
            sweep = JournalledSweep(journal, self._account, self._backups.triggering.run, baseline or {})
            trigger, ids = sweep.trigger, sweep.ids(self._ids)
        concurrency = self._concurrency
        if wait:
            slots = asyncio.Semaphore(concurrency)
            trigger = TriggerAndWait(trigger, self._backups.waits, slots, wait_timeout, poll or PollPolicy())
            ids, concurrency = Slotted(ids, slots), max(concurrency, MOST_AT_WORK)
        fan_out = self._fan_out(trigger, ordered, max_failures, ids, concurrency)
        self._backups.triggering.drain.stops(fan_out)
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
        pointless = isinstance(error, RateLimited | ConnectionFailed) and self._refuses_all()
        return str(error) if pointless or isinstance(error, JournalError) else None


async def _in_background(function: Callable[[InstanceId], Awaitable[T]], instance_id: InstanceId) -> T:
    BACKGROUND.set(True)  # in the context of a worker's task, which calls nothing else
    return await function(instance_id)


async def _collect(
    backups: Backups, limit: int | None, prefetch: int, instance_id: InstanceId
) -> list[Backup]:
    return await backups.list(instance_id, prefetch=prefetch).collect(limit)


async def _newest(backups: Backups, count: int, instance_id: InstanceId) -> list[Backup]:
    return await backups.list(instance_id).newest(count)


async def _trigger_once(
    backups: Backups, seen: set[str], baseline: Mapping[InstanceId, Baseline], instance_id: InstanceId
) -> TriggerResult:
    key = instance_key(instance_id)
    if key in seen:
        raise DuplicateInstance(instance_id)
    seen.add(key)
    return await backups.trigger(instance_id, baseline=baseline.get(instance_id, UNKNOWN_BASELINE))
