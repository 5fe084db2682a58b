"""The resources of the API, and the results of operations: frozen values.

Only `id` is required. Every other field is None where the value is missing or of another type. `extra` holds
the raw values of such fields, and all fields that the model does not have. It also holds each date without an
offset: the field shows it as UTC, which may be wrong by up to 14 hours.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final

import attrs

from backupify_async._json_types import ToDict

__all__ = [
    "UNKNOWN_BASELINE",
    "Backup",
    "BackupInstance",
    "Baseline",
    "SentTrigger",
    "TriggerKind",
    "TriggerResult",
    "UnknownBaseline",
    "WaitKind",
    "WaitResult",
]

_DATES = ("created_at", "started_at", "completed_at", "updated_at")


@attrs.frozen
class Backup(ToDict):
    """One backup of one instance.

    Attributes:
        id: The id.
        backup_instance_id: The id of the instance.
        status: The server's word for its state; the API documents no set of values.
        created_at: When it was created, UTC.
        started_at: When it started to run, UTC.
        completed_at: When it ended, UTC.
        updated_at: When the server last changed it, UTC.
        extra: All other fields, and the raw values of unreadable fields and of dates without an offset.
    """

    id: int | str
    backup_instance_id: int | str | None = None
    status: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)

    @property
    def without_offset(self) -> frozenset[str]:
        """The names of the dates that the server sent without an offset: their time zone is unknown."""
        return frozenset(name for name in _DATES if getattr(self, name) is not None and name in self.extra)


@attrs.frozen
class BackupInstance(ToDict):
    """A backup instance: one service of one customer, which is backed up.

    Attributes:
        id: The id.
        customer_id: The id of the customer.
        backup_definition_id: The id of the definition of what is backed up.
        backup_frequency: The interval of automatic backups, in the server's words.
        created_at: When it was created, UTC.
        updated_at: When the server last changed it, UTC.
        extra: All other fields, and the raw values of unreadable fields and of dates without an offset.
    """

    id: int | str
    customer_id: int | str | None = None
    backup_definition_id: int | str | None = None
    backup_frequency: int | str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)


class TriggerKind(Enum):
    """The outcome of a trigger.

    Attributes:
        STARTED: This call started a backup.
        ALREADY_ACTIVE: A backup was already active, and may have ended since; none was started.
        ADOPTED: The response was lost, and the backup that this call had started was found afterwards.
    """

    STARTED = "started"
    ALREADY_ACTIVE = "already_active"
    ADOPTED = "adopted"


class WaitKind(Enum):
    """How a backup ended.

    Attributes:
        COMPLETED: It is over, and its status means success, or is missing.
        FAILED: Its status means failed, cancelled, partly done or the like.
        UNKNOWN: It is over, and its status is an unknown word. `PollPolicy` accepts additional words.
        VANISHED: The instance exists, but no longer has this backup.
        REPLACED: Another backup of the instance is active, and nothing shows that this one has ended.
    """

    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    VANISHED = "vanished"
    REPLACED = "replaced"


@attrs.frozen
class WaitResult(ToDict):
    """The result of waiting for a backup.

    Attributes:
        kind: How the backup ended.
        backup: The backup at the last successful check; None where there was none.
        replaced_by: The backup that is active instead, where it was replaced.
    """

    kind: WaitKind
    backup: Backup | None
    replaced_by: Backup | None = None


class UnknownBaseline(Enum):
    """The type of `UNKNOWN_BASELINE`: the newest backup before a trigger is unknown."""

    UNKNOWN_BASELINE = "unknown"


UNKNOWN_BASELINE: Final = UnknownBaseline.UNKNOWN_BASELINE

Baseline = int | str | None | UnknownBaseline
"""The highest backup id before a trigger; None where the instance had no backup."""


@attrs.frozen
class SentTrigger(ToDict):
    """A trigger that was sent, with what is known about it.

    While its outcome is in doubt, its backup can be found by these values, also by a later process.

    Attributes:
        instance_id: The instance.
        sent_at: When the request was sent, UTC, by this machine's clock.
        baseline: The highest backup id before that; None where the instance had no backup, and
            `models.UNKNOWN_BASELINE` where that is unknown.
        response_by: The latest time at which its response was received or given up, UTC, by this machine's
            clock; None where that is unknown.
        clock_offset: By how many seconds the server's clock was ahead of this machine's when it was sent, at
            least and at most; None without a Date header.
        accepted: Whether the server answered with a 2xx.
        seen: The ids of the backups that may be this trigger's, or were active, at the last check.
    """

    instance_id: int | str
    sent_at: datetime
    baseline: Baseline = UNKNOWN_BASELINE
    response_by: datetime | None = None
    clock_offset: tuple[float, float] | None = None
    accepted: bool = False
    seen: tuple[int | str, ...] = ()


@attrs.frozen
class TriggerResult(ToDict):
    """The result of a trigger.

    Attributes:
        kind: Whether this call started a backup.
        backup: The backup as it was then; None where the server did not return it.
        waited: How the backup ended; None without a wait, and where the server named no backup to wait for.
        from_previous_run: Whether the result is from a previous run of the sweep, by its journal. Nothing was
            sent in this run.
    """

    kind: TriggerKind
    backup: Backup | None
    waited: WaitResult | None = None
    from_previous_run: bool = False
