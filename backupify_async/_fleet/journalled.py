"""A sweep of triggers with a journal: it goes on where an earlier process stopped.

The ids that the journal knows come first, in the order in which they were read. What is done is answered
from the journal, what may have left is reconciled, and the rest is triggered. Then the source is read, and
what the journal knows of it is passed over.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from contextlib import aclosing
from typing import Protocol

from backupify_async._journal.entries import JournalEntry, SweepAccount
from backupify_async._journal.journal import Journal
from backupify_async._journal.transitions import ambiguous, failed, held_back, in_doubt, intended, settled
from backupify_async._triggers.baseline import highest_id
from backupify_async._triggers.sending import BeforeSend, OnInDoubt
from backupify_async.errors import (
    AmbiguousTrigger,
    BackupifyError,
    ClientDraining,
    DuplicateInstance,
    JournalError,
)
from backupify_async.ids import identifier, instance_key
from backupify_async.models import UNKNOWN_BASELINE, Backup, Baseline, SentTrigger, TriggerResult

InstanceId = int | str


class Trigger(Protocol):
    """Triggers one instance, as `Triggers.run` does."""

    async def __call__(
        self,
        backup_instance_id: InstanceId,
        baseline: Baseline,
        *,
        recorded: SentTrigger | None,
        before_send: BeforeSend,
        on_in_doubt: OnInDoubt,
    ) -> TriggerResult:
        """Reconcile what is recorded, and call the hooks for each request."""
        ...


class JournalledSweep:
    """One sweep of triggers, written down as it goes.

    Args:
        journal: Where to.
        account: Whose sweep it is.
        trigger: Triggers one instance.
        baselines: The newest backup of each instance from before, as far as that is told.
    """

    def __init__(
        self,
        journal: Journal,
        account: SweepAccount,
        trigger: Trigger,
        baselines: Mapping[InstanceId, Backup | int | str | None],
    ) -> None:
        self._journal = journal
        self._account = account
        self._run = trigger
        self._baselines = baselines
        # By `instance_key`, as the journal's table tells its lines apart.
        self._handed_out: dict[str, JournalEntry] = {}
        # What came; and how the journal writes what it knew from before, which may come from the source once.
        self._came: dict[str, str | None] = {}

    async def ids(
        self, source: Iterable[InstanceId] | AsyncIterable[InstanceId]
    ) -> AsyncGenerator[InstanceId, None]:
        """The ids of the sweep: those of the journal, then those of the source, which are written down.

        Where the journal has all ids of its source, an async source is not read again. Any other is: it
        costs no calls, and an id that is new in it tells that this is another sweep.

        Raises:
            JournalError: The journal is not that of this sweep, or cannot be read or written.
        """
        sweep = await self._journal.begin(self._account)
        async with aclosing(self._journal.read_entries()) as entries:
            async for entry in entries:
                known = instance_key(entry.instance_id)
                self._came[known], self._handed_out[known] = identifier(entry.instance_id), entry
                yield entry.instance_id
        if sweep.read_to_end and isinstance(source, AsyncIterable):
            return
        async with aclosing(_each(source)) as ids:
            async for instance_id in ids:
                key = _key(instance_id)
                if key is not None and key not in self._came:
                    if sweep.read_to_end:
                        raise JournalError(
                            f"{self._journal.name} has all ids of its sweep, and {instance_id!r} is none of "
                            "them: a new sweep needs a new file"
                        )
                    self._came[key], self._handed_out[key] = None, self._journal.add(instance_id)
                elif key is not None and self._came[key] == identifier(instance_id):
                    self._came[key] = None
                    continue  # the journal gave it
                yield instance_id
        await self._journal.mark_end()

    async def trigger(self, instance_id: InstanceId) -> TriggerResult:
        """Start a backup of an instance that `ids` gave, unless the journal knows that it is done.

        Raises:
            JournalError: It cannot be written down, so it was not sent.
            BackupifyError: As `Backups.trigger` says.
        """
        entry = self._handed_out.pop(instance_key(instance_id), None)
        if entry is None:
            raise DuplicateInstance(instance_id)
        return entry.result or await self._settle(entry)

    async def _settle(self, entry: JournalEntry) -> TriggerResult:
        recorded = entry.trigger if entry.is_in_doubt else None

        async def before_send(trigger: SentTrigger) -> None:
            nonlocal entry, recorded
            recorded = None  # it surely did nothing, else nothing more would be sent
            entry = intended(entry, trigger)
            await self._journal.commit(entry)

        def on_in_doubt(trigger: SentTrigger) -> None:
            nonlocal entry
            entry = in_doubt(entry, trigger)
            self._journal.put(entry, at_once=True)

        try:
            result = await self._run(
                entry.instance_id,
                self._baseline(entry),
                recorded=recorded,
                before_send=before_send,
                on_in_doubt=on_in_doubt,
            )
        except AmbiguousTrigger as error:
            self._journal.put(ambiguous(entry, error.trigger, str(error)))
            raise
        except ClientDraining:
            if recorded is None and entry.is_in_doubt:  # otherwise the entry stays as it was
                self._journal.put(held_back(entry))
            raise
        except BackupifyError as error:
            if recorded is None:
                self._journal.put(failed(entry, str(error)))
            raise
        self._journal.put(settled(entry, result))
        return result

    def _baseline(self, entry: JournalEntry) -> Baseline:
        """The baseline. For a request in doubt it is the recorded one: a later backup can be its own."""
        if entry.is_in_doubt and entry.trigger is not None:
            return entry.trigger.baseline
        return highest_id(self._baselines.get(entry.instance_id, UNKNOWN_BASELINE))


def _key(instance_id: InstanceId) -> str | None:
    """By what the journal knows an id; None for what cannot be one, as its trigger will say."""
    try:
        return instance_key(instance_id)
    except (TypeError, ValueError):
        return None


async def _each(source: Iterable[InstanceId] | AsyncIterable[InstanceId]) -> AsyncGenerator[InstanceId, None]:
    """What a source gives; an async one is closed at the end."""
    if not isinstance(source, AsyncIterable):
        for instance_id in source:
            yield instance_id
        return
    ids = aiter(source)
    try:
        async for instance_id in ids:
            yield instance_id
    finally:
        close = getattr(ids, "aclose", None)
        if close is not None:
            await close()
