"""A sweep of triggers with a journal: it goes on where the previous run stopped.

The ids in the journal come first, in the order of their numbers. What is done is answered from the journal,
what is in doubt is reconciled, and the rest is triggered. Then the source is read, and the ids that the
journal had are skipped.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from contextlib import aclosing
from typing import Protocol

from backupify_async._fleet.key_source import as_async
from backupify_async._journal.entries import JournalEntry, SweepAccount
from backupify_async._journal.journal import Journal
from backupify_async._journal.transitions import ambiguous, failed, held_back, in_doubt, intended, settled
from backupify_async._triggers.baseline import GivenBaseline, highest_id
from backupify_async._triggers.sending import BeforeSend, OnInDoubt
from backupify_async.errors import (
    AmbiguousTrigger,
    BackupifyError,
    ClientDraining,
    DuplicateInstance,
    JournalError,
)
from backupify_async.ids import InstanceId, identifier, instance_key
from backupify_async.models import UNKNOWN_BASELINE, Baseline, SentTrigger, TriggerResult


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
    """One sweep of triggers, and its journal.

    Args:
        journal: The journal, open.
        account: Whose sweep it is.
        trigger: Triggers one instance.
        baselines: The newest backup of each instance from before, where it is known.
    """

    def __init__(
        self,
        journal: Journal,
        account: SweepAccount,
        trigger: Trigger,
        baselines: Mapping[InstanceId, GivenBaseline],
    ) -> None:
        self._journal = journal
        self._account = account
        self._run = trigger
        self._baselines = baselines
        # By `instance_key`, like the index of the journal's table.
        self._untriggered: dict[str, JournalEntry] = {}
        # The ids so far. For an id of the previous run, the value is how the journal writes it until the
        # source gives the same: that one is not a duplicate.
        self._seen: dict[str, str | None] = {}

    async def ids(
        self, source: Iterable[InstanceId] | AsyncIterable[InstanceId]
    ) -> AsyncGenerator[InstanceId, None]:
        """The ids of the sweep: those in the journal, then those of the source, which are recorded.

        Where the journal has all ids of its source, an async source is not read again. Any other is: that
        costs no calls, and a new id in it shows that this is another sweep.

        Raises:
            JournalError: The journal is of another sweep, or cannot be read or written.
        """
        sweep = await self._journal.begin(self._account)
        async with aclosing(self._journal.read_entries()) as entries:
            async for entry in entries:
                known = instance_key(entry.instance_id)
                self._seen[known], self._untriggered[known] = identifier(entry.instance_id), entry
                yield entry.instance_id
        if sweep.read_to_end and isinstance(source, AsyncIterable):
            return
        async with aclosing(as_async(source)) as ids:
            async for instance_id in ids:
                key = _key(instance_id)
                if key is not None and key not in self._seen:
                    if sweep.read_to_end:
                        raise JournalError(
                            f"{self._journal.name} has all ids of its sweep, and {instance_id!r} is none of "
                            "them: a new sweep needs a new file"
                        )
                    self._seen[key], self._untriggered[key] = None, self._journal.add(instance_id)
                elif key is not None and self._seen[key] == identifier(instance_id):
                    self._seen[key] = None
                    continue  # it came from the journal
                yield instance_id
        await self._journal.mark_end()

    async def trigger(self, instance_id: InstanceId) -> TriggerResult:
        """Start a backup of an instance from `ids`, unless it is done.

        Raises:
            JournalError: The trigger could not be recorded, so it was not sent.
            BackupifyError: As `Backups.trigger` says.
        """
        entry = self._untriggered.pop(instance_key(instance_id), None)
        if entry is None:
            raise DuplicateInstance(instance_id)
        return entry.result or await self._settle(entry)

    async def _settle(self, entry: JournalEntry) -> TriggerResult:
        recorded = entry.trigger if entry.is_in_doubt else None

        async def before_send(trigger: SentTrigger) -> None:
            nonlocal entry, recorded
            recorded = None  # that request certainly did nothing, or nothing more would be sent
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
    """The key of an id; None for what cannot be an id, which its trigger will refuse."""
    try:
        return instance_key(instance_id)
    except (TypeError, ValueError):
        return None
