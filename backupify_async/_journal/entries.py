"""The values of a journal: an entry for each instance of a sweep, and what is known of the sweep itself.

Plain values, no I/O. A record is the same value as a flat dict of texts, numbers and None, for a store.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from operator import itemgetter
from typing import Self

import attrs

from backupify_async._codec.model_json import from_json, to_json
from backupify_async._journal import record_fields
from backupify_async.models import (
    UNKNOWN_BASELINE,
    Backup,
    Baseline,
    SentTrigger,
    TriggerKind,
    TriggerResult,
    UnknownBaseline,
)

Record = dict[str, str | int | None]
ENTRY_FIELDS = (
    "number",
    "instance_id",
    "is_number",
    "state",
    "sent_at",
    "baseline",
    "backup",
    "problem",
    "evidence",
)
SWEEP_FIELDS = ("name", "begun_at", "base_url", "client_id", "read_to_end", "source")
_ENTRY_FIELDS, _SWEEP_FIELDS = itemgetter(*ENTRY_FIELDS), itemgetter(*SWEEP_FIELDS)


class EntryState(Enum):
    """How far an instance is.

    Attributes:
        READ: The id was read, and nothing was sent.
        INTENDED: A request is about to be sent, or was sent, and its outcome is in doubt.
        STARTED: Done: a backup was started.
        ALREADY_ACTIVE: Done: a backup was running already.
        ADOPTED: Done: reconciling found the backup that the request had started.
        FAILED: Certainly not started; the next run triggers it again.
        AMBIGUOUS: The outcome stayed in doubt; the next run reconciles it again.
    """

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
IN_DOUBT = frozenset({EntryState.INTENDED, EntryState.AMBIGUOUS})
"""The states of an instance whose request may have been sent, with its outcome in doubt."""


@attrs.frozen
class SweepAccount:
    """Whose sweep it is: under another account the same id is another instance. It holds no secret.

    Attributes:
        base_url: Where the API is.
        client_id: The client id; None where the credentials are a token, which names no client.
    """

    base_url: str
    client_id: str | None

    def __str__(self) -> str:
        return f"{'a token' if self.client_id is None else f'client {self.client_id}'} at {self.base_url}"

    def differs_by(self, other: "SweepAccount") -> str:
        """Which parts differ from another account, in words."""
        differences = ["credentials"] if self.client_id != other.client_id else []
        differences += ["base URL"] if self.base_url != other.base_url else []
        return " and ".join(differences)


@attrs.frozen
class SweepInfo:
    """What a journal knows of its sweep as a whole.

    Attributes:
        name: What the sweep goes over, as the caller named it; "" where it was not named.
        begun_at: When the journal was created, UTC.
        account: Whose sweep it is; None until the first run begins.
        read_to_end: Whether all ids of the source are in the journal.
        source: A fingerprint of the source of the ids, as its reader noted it; None where there is none.
    """

    name: str
    begun_at: datetime
    account: SweepAccount | None = None
    read_to_end: bool = False
    source: str | None = None

    def to_record(self) -> Record:
        """The same as a flat dict: `name`, `begun_at`, `base_url`, `client_id`, `read_to_end`, `source`."""
        return {
            "name": self.name,
            "begun_at": self.begun_at.astimezone(UTC).isoformat(),
            "base_url": None if self.account is None else self.account.base_url,
            "client_id": None if self.account is None else self.account.client_id,
            "read_to_end": self.read_to_end,
            "source": self.source,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> Self:
        """Read what `to_record` made.

        Raises:
            ValueError: A field is missing, or is not what `to_record` writes.
        """
        name, begun_at, base_url, client_id, read_to_end, source = record_fields.required(
            record, _SWEEP_FIELDS
        )
        account = None
        if base_url is not None:
            account = SweepAccount(record_fields.text(base_url), record_fields.optional_text(client_id))
        return cls(
            record_fields.text(name),
            record_fields.date(begun_at),
            account,
            record_fields.flag(read_to_end),
            record_fields.optional_text(source),
        )


@attrs.frozen
class JournalEntry:
    """What is known of one instance.

    Attributes:
        number: Its place in the order of reading, from 1 up. It identifies the entry.
        instance_id: The id as it was read.
        state: How far the instance is.
        trigger: The last request that was sent, or was about to be sent; None where nothing was sent that
            can have started a backup.
        backup: The backup of a finished trigger, where the server named it.
        problem: What went wrong, in words, where the state is FAILED or AMBIGUOUS.
    """

    number: int
    instance_id: int | str
    state: EntryState = EntryState.READ
    trigger: SentTrigger | None = None
    backup: Backup | None = None
    problem: str = ""

    @property
    def result(self) -> TriggerResult | None:
        """The result of its trigger in a previous run; None where it is open or failed."""
        kind = _KINDS.get(self.state)
        return None if kind is None else TriggerResult(kind, self.backup, from_previous_run=True)

    @property
    def is_in_doubt(self) -> bool:
        """Whether a request may have been sent whose outcome is in doubt."""
        return self.state in IN_DOUBT

    def to_record(self) -> Record:
        """The same as a flat dict with the keys `ENTRY_FIELDS`.

        The id is a text, and `is_number` says whether it was a number. `baseline`, `backup` and `evidence`
        are JSON.
        """
        instance_id, trigger = self.instance_id, self.trigger
        is_number = isinstance(instance_id, int)
        return {
            "number": self.number,
            # As it stands in the request's path: `str` of an Enum member can be another text.
            "instance_id": str(int(instance_id)) if is_number else str.__str__(instance_id),
            "is_number": is_number,
            "state": self.state.value,
            "sent_at": None if trigger is None else trigger.sent_at.astimezone(UTC).isoformat(),
            "baseline": None if trigger is None else baseline_to_json(trigger.baseline),
            "backup": None if self.backup is None else _backup_to_json(self.backup),
            "problem": self.problem,
            "evidence": None if trigger is None else _evidence_to_json(trigger),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> Self:
        """Read what `to_record` made.

        Raises:
            ValueError: A field is missing, or is not what `to_record` writes.
        """
        number, instance_id, is_number, state, sent_at, baseline, backup, problem, evidence = (
            record_fields.required(record, _ENTRY_FIELDS)
        )
        instance = record_fields.instance_id(instance_id, is_number=record_fields.flag(is_number))
        entry = cls(
            record_fields.number(number),
            instance,
            EntryState(state),
            None if sent_at is None else _read_trigger(instance, sent_at, baseline, evidence),
            None if backup is None else from_json(record_fields.text(backup).encode(), Backup),
            record_fields.text(problem),
        )
        if entry.is_in_doubt and entry.trigger is None:  # it would be taken for one that was never sent
            raise ValueError(f"{entry.state.value} without a time of sending")
        return entry


def baseline_to_json(baseline: Baseline) -> str | None:
    """The highest backup id from before a request as a journal keeps it; None where it is unknown."""
    if isinstance(baseline, UnknownBaseline):
        return None
    return json.dumps(baseline)  # orjson writes no number above 64 bits


def baseline_from_json(text: str | None) -> Baseline:
    """Read what `baseline_to_json` wrote.

    Raises:
        ValueError: It wrote no such text.
    """
    if text is None:
        return UNKNOWN_BASELINE
    read = record_fields.value(text)
    return None if read is None else record_fields.backup_id(read)


def _backup_to_json(backup: Backup) -> str:
    try:
        return to_json(backup).decode()
    except (TypeError, RecursionError):  # the reader accepts deeper nesting than the writer: drop the extras
        dates = {name: backup.extra[name] for name in backup.without_offset}
        return to_json(attrs.evolve(backup, extra=dates)).decode()


def _evidence_to_json(trigger: SentTrigger) -> str:
    response_by = None if trigger.response_by is None else trigger.response_by.astimezone(UTC).isoformat()
    return json.dumps([response_by, trigger.clock_offset, trigger.accepted, trigger.seen])


def _read_trigger(instance_id: int | str, sent_at: object, baseline: object, evidence: object) -> SentTrigger:
    known = baseline_from_json(record_fields.optional_text(baseline))
    trigger = SentTrigger(instance_id, record_fields.date(sent_at), known)
    if evidence is None:
        return trigger
    response_by, offset, accepted, seen = record_fields.items(record_fields.value(evidence))
    return attrs.evolve(
        trigger,
        response_by=None if response_by is None else record_fields.date(response_by),
        clock_offset=None if offset is None else _pair(offset),
        accepted=record_fields.flag(accepted),
        seen=tuple(map(record_fields.backup_id, record_fields.items(seen))),
    )


def _pair(offset: object) -> tuple[float, float]:
    lowest, highest = map(record_fields.seconds, record_fields.items(offset))
    return lowest, highest
