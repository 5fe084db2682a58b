"""The rows of each command: their columns, and how they are made of the library's results."""

from collections.abc import Mapping
from typing import Any

import attrs

from backupify_async._cli.error_messages import reason
from backupify_async._cli.writers import Column, Layout, Row
from backupify_async._escaping import printable
from backupify_async._fleet.outcomes import Outcome
from backupify_async._journal.entries import EntryState, JournalEntry
from backupify_async._waits.progress import status_text
from backupify_async.errors import AmbiguousTrigger, WaitFailed, WaitTimeout
from backupify_async.ids import InstanceId
from backupify_async.models import Backup, BackupInstance, TriggerResult, WaitKind, WaitResult

_ID, _DATE = 11, 20  # widths in characters: "instance_id", "2026-11-20 03:15:00Z"
_BACKUP_DATES = ("created_at", "started_at", "completed_at", "updated_at")
_MAX_STATUS = 200  # characters of an unknown status in a message
_WAITED_FOUND = {
    WaitKind.FAILED.value: "with a failed backup",
    WaitKind.UNKNOWN.value: "with a backup of unknown outcome",
}
_NO_EXTRA: Mapping[str, Any] = {}


def _backup_layout(state_width: int, *dropped_first: str) -> Layout:
    columns = [Column("instance_id", _ID), Column("state", state_width, free_text=True)]
    columns += [Column("backup_id", _ID), Column("status", 10, free_text=True)]
    columns += [Column(name, _DATE) for name in _BACKUP_DATES]
    columns += [Column("error", 20, in_table=False, free_text=True)]  # which stderr has
    return Layout(tuple(columns), dropped_first)


# A finished backup's state is its status, so a narrow table drops that first; a running one has no end date.
_DROPPED_FIRST = ("status", "updated_at", "created_at", "completed_at")
BACKUPS = _backup_layout(10, *_DROPPED_FIRST)
WAITED_BACKUPS = _backup_layout(14, *_DROPPED_FIRST)
RUNNING_BACKUPS = _backup_layout(14, "completed_at", "updated_at", "created_at", "status")
JOURNAL_ENTRIES = Layout((*RUNNING_BACKUPS.columns, Column("sent_at", _DATE)), ())
JOURNAL_COUNTS = Layout((Column("state", 14), Column("instances", _ID)), (), has_extra=False)
INSTANCE_LAYOUT = Layout(
    (
        Column("id", _ID),
        Column("customer_id", _ID),
        Column("backup_definition_id", 20),
        Column("backup_frequency", 16, free_text=True),
        Column("created_at", _DATE),
        Column("updated_at", _DATE),
    ),
    ("updated_at", "backup_frequency", "created_at"),
)


def backup_row(instance_id: InstanceId, state: str, backup: Backup | None) -> Row:
    """A row for an instance, with one of its backups if there is one."""
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
    """The row of an instance that failed: every instance has a row."""
    match error:
        case WaitFailed(result=result):
            row = backup_row(instance_id, result.kind.value, result.backup)
        case WaitTimeout(backup=backup):
            row = backup_row(instance_id, "error", backup)
        case AmbiguousTrigger():
            row = backup_row(instance_id, "ambiguous", None)
        case _:
            row = backup_row(instance_id, "error", None)
    return {**row, "error": printable(reason(error))}


def failure_message(instance_id: InstanceId, error: BaseException) -> str:
    """The message about an instance that failed."""
    failed = "" if isinstance(error, AmbiguousTrigger | WaitFailed | WaitTimeout) else " failed"
    return f"instance {instance_id}{failed}: {reason(error)}"


def row_message(row: Row) -> str:
    """A row as a message."""
    state = str(row["state"]).replace("_", " ")
    backup = "" if row["backup_id"] is None else f", backup {row['backup_id']}"
    return f"instance {row['instance_id']}: {state}{backup}"


def missing_row_message(outcome: Outcome[InstanceId, Any], fault: Exception) -> str:
    """The message about an instance whose row could not be made, because of a bug."""
    if outcome.error is not None:
        return failure_message(outcome.key, outcome.error)
    value = outcome.value
    done = value.kind.value.replace("_", " ") if isinstance(value, TriggerResult) else "succeeded"
    return f"instance {outcome.key}: {done}, but its row cannot be written ({type(fault).__name__})"


def backup_rows(instance_id: InstanceId, backups: list[Backup]) -> list[Row]:
    """One row for each backup of an instance."""
    return [backup_row(instance_id, backup.status or "unknown", backup) for backup in backups]


def latest_rows(instance_id: InstanceId, backup: Backup | None) -> list[Row]:
    """The row of an instance's newest backup."""
    state = "none" if backup is None else backup.status or "unknown"
    return [backup_row(instance_id, state, backup)]


def active_rows(instance_id: InstanceId, backup: Backup | None) -> list[Row]:
    """The row of an instance's active backup."""
    return [backup_row(instance_id, "idle" if backup is None else "active", backup)]


def trigger_rows(instance_id: InstanceId, result: TriggerResult) -> list[Row]:
    """The row of a trigger, or of its backup's end, if that was waited for."""
    if result.waited is not None:
        return [waited_row(instance_id, result.waited)]
    return [backup_row(instance_id, result.kind.value, result.backup)]


def waited_row(instance_id: InstanceId, waited: WaitResult) -> Row:
    """The row of a backup that was waited for."""
    return {**backup_row(instance_id, waited.kind.value, waited.backup), "error": _unknown_end(waited)}


def found_state(rows: list[Row]) -> tuple[str, int]:
    """What the row of an instance counts as in the summary: its state."""
    return str(rows[0]["state"]), 1


def waited_found(rows: list[Row]) -> tuple[str, int]:
    """What the row of a backup that was waited for counts as in the summary."""
    state, number = found_state(rows)
    return _WAITED_FOUND.get(state, state), number


def _unknown_end(waited: WaitResult) -> str | None:
    """Explains a status that is not known to mean success; None for any other."""
    if waited.kind is not WaitKind.UNKNOWN or waited.backup is None:
        return None
    status = printable((status_text(waited.backup) or "")[:_MAX_STATUS])
    return f"backup {waited.backup.id} ended with status '{status}', which is not known to mean success"


def with_run(layout: Layout) -> Layout:
    """The columns of a sweep with a journal: `run` says which run of the sweep reached the state."""
    first, state, *others = layout.columns
    return attrs.evolve(layout, columns=(first, state, Column("run", 8), *others))


def add_run(row: Row, *, from_previous_run: bool) -> Row:
    """The row, with its column `run`."""
    return {**row, "run": "previous" if from_previous_run else "this"}


def entry_row(entry: JournalEntry) -> Row:
    """The row of a journal's entry."""
    return {
        **backup_row(entry.instance_id, entry.state.value, entry.backup),
        "sent_at": None if entry.trigger is None else entry.trigger.sent_at,
        "error": entry.problem or None,
    }


def count_rows(counts: Mapping[EntryState, int]) -> list[Row]:
    """One row for each state, with its number of instances."""
    return [{"state": state.value, "instances": counts[state]} for state in EntryState if state in counts]


def instance_row(instance: BackupInstance) -> Row:
    """The row of an instance itself."""
    return {
        **{name: getattr(instance, name) for name in INSTANCE_LAYOUT.names},
        "extra": dict(instance.extra),
    }
