"""Sweeps of triggers with a journal, in which a fake takes the place of the trigger."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs

from backupify_async._fleet.fan_out import FanOut
from backupify_async._fleet.journalled import JournalledSweep
from backupify_async._fleet.outcomes import Results
from backupify_async._journal.entries import EntryState, JournalEntry
from backupify_async._journal.journal import Journal
from backupify_async._journal.snapshot import open_snapshot
from backupify_async._journal.transitions import intended
from backupify_async.errors import AmbiguousTrigger, NotFound, RequestTimeout
from backupify_async.ids import InstanceId
from backupify_async.models import UNKNOWN_BASELINE, Backup, Baseline, SentTrigger, TriggerKind, TriggerResult
from tests.support.files import ACCOUNT

WHEN = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
BeforeSend = Callable[[SentTrigger], Awaitable[None]]
OnInDoubt = Callable[[SentTrigger], None]
MISSING = NotFound(404, "POST", "/x")


def sending(instance_id: InstanceId, baseline: Baseline = UNKNOWN_BASELINE) -> SentTrigger:
    """What is known about a request that is about to be sent."""
    return SentTrigger(instance_id, WHEN, baseline, WHEN + timedelta(seconds=60), (-1.0, 0.5))


def intent(number: int, instance_id: InstanceId, baseline: Baseline = UNKNOWN_BASELINE) -> JournalEntry:
    """An entry of a previous run that recorded only when it sent."""
    return intended(JournalEntry(number, instance_id), SentTrigger(instance_id, WHEN, baseline))


LOST = AmbiguousTrigger(sending(3), RequestTimeout("slow"))


def started(instance_id: InstanceId) -> TriggerResult:
    """The result for an instance whose trigger succeeded."""
    return TriggerResult(TriggerKind.STARTED, Backup(f"of {instance_id}"))


@attrs.define
class Api:
    """A fake of the function that triggers one instance; it records its calls."""

    errors: dict[InstanceId, BaseException] = attrs.field(factory=dict)
    """Raised after the request was sent."""
    blind: bool = False
    """Whether checks fail: a trigger in doubt from a previous run then raises before it is sent again."""
    sent: list[InstanceId] = attrs.field(factory=list)
    reconciled: dict[InstanceId, SentTrigger] = attrs.field(factory=dict)
    baselines: dict[InstanceId, Baseline] = attrs.field(factory=dict)

    async def trigger(
        self,
        backup_instance_id: InstanceId,
        baseline: Baseline,
        *,
        recorded: SentTrigger | None,
        before_send: BeforeSend,
        on_in_doubt: OnInDoubt,
    ) -> TriggerResult:
        """Trigger an instance, or raise its error."""
        self.baselines[backup_instance_id] = baseline
        if recorded is not None:
            self.reconciled[backup_instance_id] = recorded
            if self.blind:
                raise self.errors[backup_instance_id]
        await before_send(sending(backup_instance_id, baseline))
        self.sent.append(backup_instance_id)
        if backup_instance_id in self.errors:
            raise self.errors[backup_instance_id]
        return started(backup_instance_id)


async def run_sweep(
    path: Path, api: Api, source: Iterable[InstanceId] | AsyncIterable[InstanceId], *, concurrency: int = 1
) -> Results[InstanceId, TriggerResult]:
    """Trigger these instances with a journal at `path`."""
    async with Journal(path) as journal:
        begun = JournalledSweep(journal, ACCOUNT, api.trigger, {})
        return await FanOut(begun.trigger, begun.ids(source), concurrency=concurrency)


async def recorded_states(path: Path) -> dict[InstanceId, EntryState]:
    """The state of each entry of a journal, by its instance."""
    async with open_snapshot(path) as storage:
        return {entry.instance_id: entry.state async for entry in storage.read_entries()}


async def write_journal(path: Path, *entries: JournalEntry, read_to_end: bool = False) -> None:
    """Write the journal of an earlier process."""
    async with Journal(path) as journal:
        await journal.begin(ACCOUNT)
        for entry in entries:
            journal.put(entry)
        if read_to_end:
            await journal.mark_end()


async def failing_source(*ids: InstanceId) -> AsyncIterator[InstanceId]:
    """A source of ids that fails at its end."""
    for instance_id in ids:
        yield instance_id
    raise OSError("the list broke off")
