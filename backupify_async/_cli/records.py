"""Rows of what the library answers: which columns there are, and what stands in them."""

from collections.abc import Mapping
from typing import Any

import attrs

from backupify_async._cli.exit_codes import reason
from backupify_async._cli.rows import Column, Row, Shape
from backupify_async._escaping import printable
from backupify_async._fleet.outcomes import Outcome
from backupify_async._journal.entries import EntryState, JournalEntry
from backupify_async._waits.progress import status_text
from backupify_async.errors import AmbiguousTrigger, WaitFailed
from backupify_async.ids import InstanceId
from backupify_async.models import Backup, BackupInstance, TriggerResult, WaitKind, WaitResult

_ID, _DATE = 11, 20  # columns on the screen: "instance_id", "2026-11-20 03:15:00Z"
_BACKUP_DATES = ("created_at", "started_at", "completed_at", "updated_at")
_LONGEST = 200  # characters of a word that is named
_NO_EXTRA: Mapping[str, Any] = {}


def _backups(state_width: int, *spare: str) -> Shape:
    columns = [Column("instance_id", _ID), Column("state", state_width, free=True)]
    columns += [Column("backup_id", _ID), Column("status", 10, free=True)]
    columns += [Column(name, _DATE) for name in _BACKUP_DATES]
    columns += [Column("error", 20, for_people=False, free=True)]  # whom stderr tells it
    return Shape(tuple(columns), spare)


# Where the state is the status, a narrow table says it once; of a backup that runs, nobody misses its end.
_SPARE = ("status", "updated_at", "created_at", "completed_at")
LISTED = _backups(10, *_SPARE)
WAITED = _backups(14, *_SPARE)
RUNNING = _backups(14, "completed_at", "updated_at", "created_at", "status")
WRITTEN = Shape((*RUNNING.columns, Column("sent_at", _DATE)), ())
COUNTED = Shape((Column("state", 14), Column("instances", _ID)), ())
INSTANCES = Shape(
    (
        Column("id", _ID),
        Column("customer_id", _ID),
        Column("backup_definition_id", 20),
        Column("backup_frequency", 16, free=True),
        Column("created_at", _DATE),
        Column("updated_at", _DATE),
    ),
    ("updated_at", "backup_frequency", "created_at"),
)


def backup_row(instance_id: InstanceId, state: str, backup: Backup | None) -> Row:
    """A row about an instance, and one of its backups if there is one."""
    return {
        "instance_id": instance_id,
        "state": state,
        "backup_id": None if backup is None else backup.id,
        "status": None if backup is None else backup.status,
        **{name: None if backup is None else getattr(backup, name) for name in _BACKUP_DATES},
        "extra": _NO_EXTRA if backup is None else dict(backup.extra),
        "error": None,
    }


def failure_row(instance_id: InstanceId, error: BaseException) -> Row:
    """The row of an instance that failed: nobody who reads the rows has to find out which one is missing."""
    match error:
        case WaitFailed(result=result):
            row = backup_row(instance_id, result.kind.value, result.backup)
        case AmbiguousTrigger():
            row = backup_row(instance_id, "ambiguous", None)
        case _:
            row = backup_row(instance_id, "error", None)
    return {**row, "error": printable(reason(error))}


def failure_line(instance_id: InstanceId, error: BaseException) -> str:
    """One line that names an instance and why it failed."""
    failed = "" if isinstance(error, AmbiguousTrigger | WaitFailed) else " failed"
    return f"instance {instance_id}{failed}: {reason(error)}"


def row_line(row: Row) -> str:
    """One line that says what a row says of an instance."""
    state = str(row["state"]).replace("_", " ")
    backup = "" if row["backup_id"] is None else f", backup {row['backup_id']}"
    return f"instance {row['instance_id']}: {state}{backup}"


def unwritten_line(outcome: Outcome[InstanceId, Any], fault: Exception) -> str:
    """One line that says what became of an instance whose row cannot be made."""
    if outcome.error is not None:
        return failure_line(outcome.key, outcome.error)
    value = outcome.value
    done = value.kind.value.replace("_", " ") if isinstance(value, TriggerResult) else "answered"
    return f"instance {outcome.key}: {done}, but its row cannot be written ({type(fault).__name__})"


def listed_rows(instance_id: InstanceId, backups: list[Backup]) -> list[Row]:
    """A row for each backup of an instance."""
    return [backup_row(instance_id, backup.status or "unknown", backup) for backup in backups]


def latest_rows(instance_id: InstanceId, backup: Backup | None) -> list[Row]:
    """An instance's newest backup."""
    state = "none" if backup is None else backup.status or "unknown"
    return [backup_row(instance_id, state, backup)]


def active_rows(instance_id: InstanceId, backup: Backup | None) -> list[Row]:
    """What runs on an instance."""
    return [backup_row(instance_id, "idle" if backup is None else "active", backup)]


def triggered_rows(instance_id: InstanceId, result: TriggerResult) -> list[Row]:
    """What became of a trigger; and of its backup, where that was waited for."""
    if (waited := result.waited) is not None:
        row = backup_row(instance_id, waited.kind.value, waited.backup)
        return [{**row, "error": _unknown_end(waited)}]
    return [backup_row(instance_id, result.kind.value, result.backup)]


def _unknown_end(waited: WaitResult) -> str | None:
    """Names the word for an end that nobody knows; None where it is known how a backup ended."""
    if waited.kind is not WaitKind.UNKNOWN or waited.backup is None:
        return None
    told = printable((status_text(waited.backup) or "")[:_LONGEST])
    return f"backup {waited.backup.id} ended as '{told}', which is no word for a success that is known"


def with_run(shape: Shape) -> Shape:
    """The columns of a sweep with a journal: behind the state, which run of the sweep did that."""
    first, state, *others = shape.columns
    return attrs.evolve(shape, columns=(first, state, Column("run", 7), *others))


def of_run(row: Row, *, from_previous_run: bool) -> Row:
    """A row of a sweep with a journal."""
    return {**row, "run": "earlier" if from_previous_run else "this"}


def written_row(line: JournalEntry) -> Row:
    """What a journal knows of an instance."""
    return {
        **backup_row(line.instance_id, line.state.value, line.backup),
        "sent_at": None if line.trigger is None else line.trigger.sent_at,
        "error": line.problem or None,
    }


def counted_rows(counts: Mapping[EntryState, int]) -> list[Row]:
    """How many instances of a journal are how far."""
    return [{"state": state.value, "instances": counts[state]} for state in EntryState if state in counts]


def instance_row(instance: BackupInstance) -> Row:
    """A row about an instance itself."""
    return {**{name: getattr(instance, name) for name in INSTANCES.names}, "extra": dict(instance.extra)}
