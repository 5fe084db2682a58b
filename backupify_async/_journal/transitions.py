"""How an entry of a journal changes as its trigger goes on. Pure functions.

Theory of operation:

    READ -> INTENDED -> STARTED | ALREADY_ACTIVE | ADOPTED     done: never sent again
                     -> FAILED                                 certainly not started: triggered again
                     -> READ                                   the same, but nothing more is to be begun
                     -> AMBIGUOUS                              in doubt: reconciled again

INTENDED is on disk before the request is sent; everything else can be written later. So whatever a crash
loses, an instance without INTENDED was not triggered, and one with it is reconciled before it is sent again.
"""

import attrs

from backupify_async._journal.entries import EntryState, JournalEntry
from backupify_async.models import SentTrigger, TriggerResult


def intended(entry: JournalEntry, trigger: SentTrigger) -> JournalEntry:
    """The entry of an instance whose request is about to be sent."""
    return attrs.evolve(entry, state=EntryState.INTENDED, trigger=trigger, problem="")


def in_doubt(entry: JournalEntry, trigger: SentTrigger) -> JournalEntry:
    """The entry of an instance whose response came, or is no longer awaited, with what that showed."""
    return attrs.evolve(entry, trigger=trigger)


def settled(entry: JournalEntry, result: TriggerResult) -> JournalEntry:
    """The entry of an instance that is done."""
    state, sent = EntryState(result.kind.value), entry.trigger
    trigger = None if sent is None else SentTrigger(sent.instance_id, sent.sent_at, sent.baseline)
    return attrs.evolve(entry, state=state, trigger=trigger, backup=result.backup, problem="")


def held_back(entry: JournalEntry) -> JournalEntry:
    """The entry of an instance that is not begun after all; it is as it was before anything was sent."""
    return JournalEntry(entry.number, entry.instance_id)


def failed(entry: JournalEntry, problem: str) -> JournalEntry:
    """The entry of an instance that was certainly not started; only the reason is kept."""
    return JournalEntry(entry.number, entry.instance_id, EntryState.FAILED, problem=problem)


def ambiguous(entry: JournalEntry, trigger: SentTrigger, problem: str) -> JournalEntry:
    """The entry of an instance whose trigger stayed in doubt.

    Args:
        entry: Its entry so far.
        trigger: What was sent, and what is known about it.
        problem: Why it is in doubt, in words.
    """
    return attrs.evolve(entry, state=EntryState.AMBIGUOUS, trigger=trigger, problem=problem)
