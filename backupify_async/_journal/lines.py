"""The lines of a journal: what is known of each instance of a sweep. Plain values, no I/O.

Theory of operation. A line moves on as its instance does:

    READ -> INTENDED -> STARTED | ALREADY_ACTIVE | ADOPTED     done: never sent again
                     -> FAILED                                 surely not started: triggered again
                     -> READ                                   the same, for nothing more is to be begun
                     -> AMBIGUOUS                              unknown: reconciled again

INTENDED is on disk before the request leaves, and all else may be written later. So whatever a crash takes
away, an instance without INTENDED was not triggered, and one with it is looked at before it is sent again.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import Enum

import attrs

from backupify_async._codec.models import from_json, to_json
from backupify_async._journal import cells
from backupify_async._triggers.sending import Evidence
from backupify_async.models import Backup, TriggerKind, TriggerResult

Row = tuple[int, str, bool, str, str | None, str | None, str | None, str, str | None]


class EntryState(Enum):
    """How far an instance is."""

    READ = "read"
    INTENDED = "intended"
    STARTED = "started"
    ALREADY_ACTIVE = "already_active"
    ADOPTED = "adopted"
    FAILED = "failed"
    AMBIGUOUS = "ambiguous"


_KINDS = {EntryState(kind.value): kind for kind in TriggerKind}
DONE = frozenset(_KINDS)
"""The states of an instance that is not triggered again."""
UNSETTLED = frozenset({EntryState.INTENDED, EntryState.AMBIGUOUS})
"""The states of an instance whose request may have left, and nobody knows what came of it."""


@attrs.frozen
class Account:
    """Whose sweep it is; an id means another instance under another account. No secret is part of it.

    Attributes:
        base_url: Where the API is.
        client_id: The client id; None where the credentials are a token, which names nobody.
    """

    base_url: str
    client_id: str | None

    def __str__(self) -> str:
        return f"{'a token' if self.client_id is None else f'client {self.client_id}'} at {self.base_url}"

    def differs_by(self, other: "Account") -> str:
        """What of it another one has not."""
        differences = ["credentials"] if self.client_id != other.client_id else []
        differences += ["base URL"] if self.base_url != other.base_url else []
        return " and ".join(differences)


@attrs.frozen
class Sweep:
    """What a journal knows of its sweep as a whole.

    Attributes:
        name: What it goes over, in the words of whoever began it; "" where nothing was said.
        begun_at: When the journal was made, UTC.
        account: Whose it is; None until its first trigger.
        read_to_end: Whether all ids of its source are in the journal.
        source: By what its source is known again, as whoever reads it noted; None where nobody did.
    """

    name: str
    begun_at: datetime
    account: Account | None = None
    read_to_end: bool = False
    source: str | None = None


@attrs.frozen
class JournalEntry:
    """What is known of one instance.

    Attributes:
        number: Its place in the order of reading, from 1 up.
        instance_id: The id, as it came.
        state: How far it is.
        sent_at: When the last request left, or was about to, UTC; None where nothing may have started it.
        baseline: The highest backup id from before that, as JSON; None where it was not told.
        backup: The backup that now runs, where the state is one of a success and the server said.
        problem: What went wrong, in words, where the state is FAILED or AMBIGUOUS.
        evidence: What else is known of the request that may have left.
    """

    number: int
    instance_id: int | str
    state: EntryState = EntryState.READ
    sent_at: datetime | None = None
    baseline: str | None = None
    backup: Backup | None = None
    problem: str = ""
    evidence: Evidence | None = None

    @property
    def result(self) -> TriggerResult | None:
        """What became of its trigger in an earlier run; None where that is open, or it was not started."""
        kind = _KINDS.get(self.state)
        return None if kind is None else TriggerResult(kind, self.backup, from_previous_run=True)

    @property
    def is_unsettled(self) -> bool:
        """Whether a request may have left that nobody knows the fate of."""
        return self.state in UNSETTLED


def intended(
    line: JournalEntry, sent_at: datetime, baseline: str | None, evidence: Evidence | None = None
) -> JournalEntry:
    """The line of an instance whose request is about to leave."""
    return attrs.evolve(
        line, state=EntryState.INTENDED, sent_at=sent_at, baseline=baseline, problem="", evidence=evidence
    )


def learned(line: JournalEntry, evidence: Evidence) -> JournalEntry:
    """The line of an instance whose answer came, or was given up: with what is known of it by then."""
    known = line.evidence or Evidence()
    accepted = known.accepted or evidence.accepted
    return attrs.evolve(line, evidence=attrs.evolve(known, over_by=evidence.over_by, accepted=accepted))


def settled(line: JournalEntry, result: TriggerResult) -> JournalEntry:
    """The line of an instance that is done."""
    state = EntryState(result.kind.value)
    return attrs.evolve(line, state=state, backup=result.backup, problem="", evidence=None)


def held_back(line: JournalEntry) -> JournalEntry:
    """The line of an instance that is not begun: as if nothing had left, where surely nothing came of it."""
    return JournalEntry(line.number, line.instance_id)


def failed(line: JournalEntry, problem: str) -> JournalEntry:
    """The line of an instance that was surely not started: as if nothing had left, but with its reason."""
    return JournalEntry(line.number, line.instance_id, EntryState.FAILED, problem=problem)


def ambiguous(
    line: JournalEntry, problem: str, *, accepted: bool = False, seen: Iterable[int | str] = ()
) -> JournalEntry:
    """The line of an instance of which nobody knows whether it was started.

    Args:
        line: Its line until now; what that knows of the same request is kept.
        problem: Why, in words.
        accepted: Whether the request was answered with a 2xx.
        seen: The ids of the backups that may be its work.
    """
    known = line.evidence or Evidence()
    evidence = attrs.evolve(
        known, accepted=known.accepted or accepted, seen=tuple(dict.fromkeys((*known.seen, *seen)))
    )
    return attrs.evolve(line, state=EntryState.AMBIGUOUS, problem=problem, evidence=evidence)


def to_row(line: JournalEntry) -> Row:
    """A line as a row of the table."""
    return (
        line.number,
        # What stands in the request's path: an Enum's member, say, has words of its own for `str`.
        str.__str__(line.instance_id) if isinstance(line.instance_id, str) else str(int(line.instance_id)),
        isinstance(line.instance_id, int),
        line.state.value,
        None if line.sent_at is None else line.sent_at.astimezone(UTC).isoformat(),
        line.baseline,
        None if line.backup is None else _backup_to_json(line.backup),
        line.problem,
        None if line.evidence is None else _evidence_to_json(line.evidence),
    )


def from_row(row: Row) -> JournalEntry:
    """A row of the table as a line.

    Raises:
        ValueError: It is none that `to_row` makes.
    """
    number, instance_id, is_number, state, sent_at, baseline, backup, problem, evidence = row
    if baseline is not None:
        baseline_from_json(baseline)
    line = JournalEntry(
        number,
        cells.instance_id(instance_id, is_number=cells.flag(is_number)),
        EntryState(state),
        None if sent_at is None else cells.date(sent_at),
        baseline,
        None if backup is None else from_json(cells.text(backup).encode(), Backup),
        cells.text(problem),
        None if evidence is None else _evidence_from_json(evidence),
    )
    if line.is_unsettled and line.sent_at is None:  # it would be taken for one that never left
        raise ValueError(f"{state} without a time of sending")
    return line


def sweep_from_row(row: tuple[object, ...]) -> Sweep:
    """The row about the sweep as a whole: name, begun_at, base_url, client_id, read_to_end and source.

    Raises:
        ValueError: It is none that a journal has.
    """
    name, begun_at, base_url, client_id, read_to_end, source = row
    account = None
    if base_url is not None:
        account = Account(cells.text(base_url), None if client_id is None else cells.text(client_id))
    return Sweep(
        cells.text(name),
        cells.date(begun_at),
        account,
        cells.flag(read_to_end),
        None if source is None else cells.text(source),
    )


def _backup_to_json(backup: Backup) -> str:
    try:
        return to_json(backup).decode()
    except (TypeError, RecursionError):  # what can be read may be nested too deep to be written: do without
        dates = {name: backup.extra[name] for name in backup.without_offset}
        return to_json(attrs.evolve(backup, extra=dates)).decode()


def baseline_to_json(backup_id: int | str | None) -> str:
    """The highest backup id before the sending, or None for none, as the journal keeps it."""
    return json.dumps(backup_id)  # of any size, which orjson does not write


def baseline_from_json(text: str) -> int | str | None:
    """What `baseline_to_json` made text of.

    Raises:
        ValueError: It made no such text.
    """
    read = cells.value(text)
    return None if read is None else cells.backup_id(read)


def _evidence_to_json(evidence: Evidence) -> str:
    over_by = None if evidence.over_by is None else evidence.over_by.astimezone(UTC).isoformat()
    return json.dumps([over_by, evidence.server_ahead, evidence.accepted, evidence.seen])


def _evidence_from_json(text: str) -> Evidence:
    over_by, ahead, accepted, seen = cells.items(cells.value(text))
    return Evidence(
        None if over_by is None else cells.date(over_by),
        None if ahead is None else _pair(ahead),
        cells.flag(accepted),
        tuple(map(cells.backup_id, cells.items(seen))),
    )


def _pair(ahead: object) -> tuple[float, float]:
    lowest, highest = map(cells.seconds, cells.items(ahead))
    return lowest, highest
