"""What the API speaks of, as frozen values.

Only `id` is taken as given. Of any other field, what is missing or cannot be read as its type is None;
what cannot be read, and all that a model does not know, stays as it came in `extra`. So does a date without
an offset: it is shown as UTC, and may be off by up to 14 hours.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final

import attrs

from backupify_async._plain import Plain

_DATES = ("created_at", "started_at", "completed_at", "updated_at")


@attrs.frozen
class Backup(Plain):
    """One backup of one instance.

    Attributes:
        id: Its id.
        backup_instance_id: The instance that it is a backup of.
        status: What the server calls its state; the API documents no set of values.
        created_at: When it was made known, UTC.
        started_at: When it began to run, UTC.
        completed_at: When it ended, UTC.
        updated_at: When the server last changed it, UTC.
        extra: The fields that are not above, and the raw values of those above that could not be read, or
            are dates without an offset.
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
        """The dates that the server wrote without an offset, by name: nobody knows their time zone."""
        return frozenset(name for name in _DATES if getattr(self, name) is not None and name in self.extra)


@attrs.frozen
class BackupInstance(Plain):
    """One customer's use of one service, of which backups are made.

    Attributes:
        id: Its id.
        customer_id: The customer whose data it is.
        backup_definition_id: The definition that says what is backed up.
        backup_frequency: How often the server makes a backup by itself, in the server's words.
        created_at: When it was set up, UTC.
        updated_at: When the server last changed it, UTC.
        extra: The fields that are not above, and the raw values of those above that could not be read.
    """

    id: int | str
    customer_id: int | str | None = None
    backup_definition_id: int | str | None = None
    backup_frequency: int | str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)


class TriggerKind(Enum):
    """What became of a trigger."""

    STARTED = "started"
    """This call started a backup."""
    ALREADY_ACTIVE = "already_active"
    """A backup was running before, and goes on or has ended since; none was started."""
    ADOPTED = "adopted"
    """The answer was lost, and the backup that this call had started was found afterwards."""


class WaitKind(Enum):
    """How a backup that was waited for ended."""

    COMPLETED = "completed"
    """It is over, and the server calls that a success, or does not say what to call it."""
    FAILED = "failed"
    """The server calls it failed, cancelled, done in part or the like."""
    UNKNOWN = "unknown"
    """It is over, and its status is a word that nobody knows: `PollPolicy` takes words of your own."""
    VANISHED = "vanished"
    """The instance exists, and knows this backup no more."""
    REPLACED = "replaced"
    """Another backup of the instance runs now, and nothing says that this one ever ended."""


@attrs.frozen
class WaitResult(Plain):
    """How a backup that was waited for ended.

    Attributes:
        kind: How.
        backup: The backup as it was last seen; None where it never was.
        replaced_by: The backup that runs now in its place, where it was replaced.
    """

    kind: WaitKind
    backup: Backup | None
    replaced_by: Backup | None = None


class UnknownBaseline(Enum):
    """Stands where the newest backup before a trigger is not known; None means that there was no backup."""

    UNKNOWN_BASELINE = "unknown"


UNKNOWN_BASELINE: Final = UnknownBaseline.UNKNOWN_BASELINE

Baseline = int | str | None | UnknownBaseline
"""The highest backup id before a trigger; None where the instance had no backup."""


@attrs.frozen
class SentTrigger(Plain):
    """A trigger that was sent, with what is known about it.

    While its outcome is in doubt, this is all by which its backup can be found, also by a later process.

    Attributes:
        instance_id: The instance.
        sent_at: When the request was sent, UTC, by this machine's clock.
        baseline: The highest backup id before that; None where the instance had no backup, and
            `models.UNKNOWN_BASELINE` where that is not known.
        response_by: The latest time at which its response can have come or was given up, UTC, by this
            machine's clock; None where that is unknown.
        clock_offset: How far the server's clock was ahead of this machine's when it was sent, at least and at
            most, in seconds; None where no Date header showed it.
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
class TriggerResult(Plain):
    """What became of a trigger, and the backup that now runs.

    Attributes:
        kind: Whether this call started it.
        backup: The backup as it was then, or None where the server does not say.
        waited: How the backup ended, where that was waited for; None also where the server named no backup
            to wait for.
        from_previous_run: Whether a previous run of the sweep did it, by its journal. Nothing was sent now.
    """

    kind: TriggerKind
    backup: Backup | None
    waited: WaitResult | None = None
    from_previous_run: bool = False
