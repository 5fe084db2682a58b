"""A sweep of triggers with a journal: it goes on where an earlier process stopped.

The ids that the journal knows come first, in the order in which they were read. What is done is answered
from the journal, what may have left is reconciled, and the rest is triggered. Then the source is read, and
what the journal knows of it is passed over.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Protocol

from backupify_async._journal.entries import JournalEntry, SweepAccount, baseline_from_json, baseline_to_json
from backupify_async._journal.journal import Journal
from backupify_async._journal.transitions import ambiguous, failed, held_back, intended, learned, settled
from backupify_async._triggers.baseline import NOT_TOLD, Baseline, highest_id
from backupify_async._triggers.sending import Evidence, Unsettled, was_accepted
from backupify_async.errors import (
    AmbiguousTrigger,
    BackupifyError,
    ClientDraining,
    DuplicateInstance,
    JournalError,
)
from backupify_async.ids import identifier, instance_key
from backupify_async.models import Backup, TriggerResult

InstanceId = int | str


class Trigger(Protocol):
    """Triggers one instance, as `Triggering.run` does."""

    async def __call__(
        self,
        backup_instance_id: InstanceId,
        baseline: Baseline,
        *,
        unsettled: Unsettled | None,
        before_send: Callable[[Unsettled], Awaitable[None]],
        learned: Callable[[Evidence], None],
    ) -> TriggerResult:
        """Find out what became of what is unsettled; tell of each request as it leaves and as it ends."""
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
        unsettled, baseline = _unsettled(entry), self._baseline(entry)

        async def before_send(sending: Unsettled) -> None:
            nonlocal entry, unsettled
            unsettled = None  # else nothing would leave
            known = None if baseline is NOT_TOLD else baseline_to_json(baseline)
            entry = intended(entry, sending.sent_at, known, sending.evidence)
            await self._journal.commit(entry)

        def note(evidence: Evidence) -> None:
            nonlocal entry
            entry = learned(entry, evidence)
            self._journal.put(entry, at_once=True)

        try:
            result = await self._run(
                entry.instance_id, baseline, unsettled=unsettled, before_send=before_send, learned=note
            )
        except AmbiguousTrigger as error:
            seen = (backup.id for backup in error.seen)
            self._journal.put(ambiguous(entry, str(error), accepted=was_accepted(error.cause), seen=seen))
            raise
        except ClientDraining:
            if unsettled is None and entry.is_unsettled:  # else it stands as it was
                self._journal.put(held_back(entry))
            raise
        except BackupifyError as error:
            if unsettled is None:
                self._journal.put(failed(entry, str(error)))
            raise
        self._journal.put(settled(entry, result))
        return result

    def _baseline(self, entry: JournalEntry) -> Baseline:
        """The baseline; for what may have left, only that from before it did: a later one may be its work."""
        if not entry.is_unsettled:
            return highest_id(self._baselines.get(entry.instance_id, NOT_TOLD))
        return NOT_TOLD if entry.baseline is None else baseline_from_json(entry.baseline)


def _key(instance_id: InstanceId) -> str | None:
    """By what the journal knows an id; None for what cannot be one, as its trigger will say."""
    try:
        return instance_key(instance_id)
    except (TypeError, ValueError):
        return None


def _unsettled(entry: JournalEntry) -> Unsettled | None:
    if not entry.is_unsettled or entry.sent_at is None:
        return None
    return Unsettled(entry.sent_at, entry.evidence or Evidence())


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
