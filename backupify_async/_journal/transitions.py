"""How an entry of a journal changes as its trigger goes on. Pure functions.

Theory of operation:

    READ -> INTENDED -> STARTED | ALREADY_ACTIVE | ADOPTED     done: never sent again
                     -> FAILED                                 certainly not started: triggered again
                     -> READ                                   the same, but nothing more is to be begun
                     -> AMBIGUOUS                              in doubt: reconciled again

INTENDED is on disk before the request is sent; everything else can be written later. So whatever a crash
loses, an instance without INTENDED was not triggered, and one with it is reconciled before it is sent again.
"""

from collections.abc import Iterable
from datetime import datetime

import attrs

from backupify_async._journal.entries import EntryState, JournalEntry
from backupify_async._triggers.sending import Evidence
from backupify_async.models import TriggerResult


def intended(
    entry: JournalEntry, sent_at: datetime, baseline: str | None, evidence: Evidence | None = None
) -> JournalEntry:
    """The entry of an instance whose request is about to be sent."""
    return attrs.evolve(
        entry, state=EntryState.INTENDED, sent_at=sent_at, baseline=baseline, problem="", evidence=evidence
    )


def learned(entry: JournalEntry, evidence: Evidence) -> JournalEntry:
    """The entry of an instance whose response came, or is no longer awaited, with what that showed."""
    known = entry.evidence or Evidence()
    accepted = known.accepted or evidence.accepted
    return attrs.evolve(entry, evidence=attrs.evolve(known, over_by=evidence.over_by, accepted=accepted))


def settled(entry: JournalEntry, result: TriggerResult) -> JournalEntry:
    """The entry of an instance that is done."""
    state = EntryState(result.kind.value)
    return attrs.evolve(entry, state=state, backup=result.backup, problem="", evidence=None)


def held_back(entry: JournalEntry) -> JournalEntry:
    """The entry of an instance that is not begun after all; it is as it was before anything was sent."""
    return JournalEntry(entry.number, entry.instance_id)


def failed(entry: JournalEntry, problem: str) -> JournalEntry:
    """The entry of an instance that was certainly not started; only the reason is kept."""
    return JournalEntry(entry.number, entry.instance_id, EntryState.FAILED, problem=problem)


def ambiguous(
    entry: JournalEntry, problem: str, *, accepted: bool = False, seen: Iterable[int | str] = ()
) -> JournalEntry:
    """The entry of an instance whose trigger stayed in doubt.

    Args:
        entry: Its entry so far. What that knows of the same request is kept.
        problem: Why, in words.
        accepted: Whether the response was a 2xx.
        seen: The ids of the backups that the request may have started.
    """
    known = entry.evidence or Evidence()
    evidence = attrs.evolve(
        known, accepted=known.accepted or accepted, seen=tuple(dict.fromkeys((*known.seen, *seen)))
    )
    return attrs.evolve(entry, state=EntryState.AMBIGUOUS, problem=problem, evidence=evidence)
