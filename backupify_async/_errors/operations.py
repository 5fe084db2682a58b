"""The errors of triggers, waits and fan-outs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from backupify_async._errors.base import BackupifyError
from backupify_async._escaping import printable
from backupify_async._json_types import to_json_types
from backupify_async.ids import identifier
from backupify_async.models import Backup, SentTrigger, TriggerResult


class AmbiguousRequest(BackupifyError):
    """A request that must not be repeated was sent, and no clear response came: it may have been carried out.

    Check before you send it again.

    Attributes:
        method: The HTTP method.
        path: The path.
        sent_at: When it was sent, UTC, by this machine's clock.
        cause: Why there is no clear response.
    """

    def __init__(self, method: str, path: str, sent_at: datetime, cause: BackupifyError) -> None:
        super().__init__(method, path, sent_at, cause)
        self.method = method
        self.path = path
        self.sent_at = sent_at
        self.cause = cause

    def to_dict(self) -> dict[str, Any]:
        """The error as plain JSON types: `type`, `message`, and its fields by name."""
        return {"type": type(self).__name__, "message": str(self), **to_json_types(vars(self))}

    def __str__(self) -> str:
        sent_at = f"{self.sent_at:%Y-%m-%dT%H:%M:%SZ}"
        return (
            f"{self.method} {self.path} sent at {sent_at} may or may not have been carried out: {self.cause}"
        )


@attrs.define(slots=False, eq=False)
class AmbiguousTrigger(AmbiguousRequest):
    """A backup may or may not have been started: the request was sent, and no clear response came.

    Reconciliation could not decide it. Another trigger could start a second backup: check the instance first.

    Attributes:
        trigger: What was sent, and what is known about it.
        cause: Why there is no clear response.
        reason: Why reconciliation could not decide it; "" where there was no time for it.
        seen: The backups that were active, or may be this trigger's, at the last check.
        interrupted_by: What ended the reconciliation early: a time-out, or a closed client; else None.
    """

    trigger: SentTrigger
    cause: BackupifyError
    reason: str = ""
    seen: tuple[Backup, ...] = ()
    interrupted_by: BackupifyError | None = None

    @property
    def method(self) -> str:  # type: ignore[override] # known by the trigger
        """Always POST."""
        return "POST"

    @property
    def path(self) -> str:  # type: ignore[override]
        """The path of the instance's backups."""
        return f"/v1/backup_instances/{identifier(self.instance_id)}/backups"

    @property
    def instance_id(self) -> int | str:
        """The instance."""
        return self.trigger.instance_id

    @property
    def sent_at(self) -> datetime:  # type: ignore[override]
        """When the request was sent, UTC, by this machine's clock."""
        return self.trigger.sent_at

    def to_dict(self) -> dict[str, Any]:
        """The error as plain JSON types: `type`, `message`, and its fields by name."""
        return BackupifyError.to_dict(self)

    def __str__(self) -> str:
        return f"instance {printable(self.instance_id)}: {self.detail}"

    @property
    def detail(self) -> str:
        """The message without the instance."""
        sent_at = f"{self.sent_at:%Y-%m-%dT%H:%M:%SZ}"
        text = f"the backup triggered at {sent_at} may or may not have started: {self.cause}"
        text += f"; still unclear: {self.reason}" if self.reason else ""
        seen = ", ".join(f"backup {printable(backup.id)}" for backup in self.seen)
        return text + (f" (seen: {seen})" if seen else "")


@attrs.define(slots=False, eq=False)
class DuplicateInstance(BackupifyError):
    """An instance is twice in one sweep of triggers; the second trigger was not sent.

    Attributes:
        instance_id: The instance.
    """

    instance_id: int | str

    def __str__(self) -> str:
        instance = printable(self.instance_id)
        return f"instance {instance} is in this sweep twice: no second backup was triggered"


@attrs.define(slots=False, eq=False)
class WaitTimeout(BackupifyError):
    """A backup was not over when the wait for it timed out. It continues: wait again, or check it later.

    Attributes:
        instance_id: The instance.
        backup_id: The backup.
        timeout: The time-out of the wait, in seconds.
        backup: The backup at the last successful check; None where there was none.
        cause: Why the last check failed; None where it did not.
    """

    instance_id: int | str
    backup_id: int | str
    timeout: float
    backup: Backup | None = None
    cause: BackupifyError | None = None

    def __str__(self) -> str:
        return f"instance {printable(self.instance_id)}: backup {printable(self.backup_id)} {self.progress}"

    @property
    def progress(self) -> str:
        """The state of the backup at the end of the wait, in words."""
        seen = "never seen" if self.backup is None else f"last seen {_status(self.backup)}"
        failed = "" if self.cause is None else f"; the last check failed: {self.cause}"
        return f"was not over after {self.timeout:g} s ({seen}){failed}"


@attrs.define(slots=False, eq=False)
class WaitFailed(BackupifyError):
    """A sweep triggered a backup, but stopped waiting for its end: do not trigger it again.

    Attributes:
        instance_id: The instance.
        result: The result of the trigger, which is done.
        cause: The error that ended the wait; None where the sweep was abandoned.
    """

    instance_id: int | str
    result: TriggerResult
    cause: BackupifyError | None = None

    def __str__(self) -> str:
        return f"instance {printable(self.instance_id)}: {self.detail}"

    @property
    def detail(self) -> str:
        """The message without the instance."""
        backup, kind = self.result.backup, self.result.kind.value.replace("_", " ")
        name = "its backup" if backup is None else f"backup {printable(backup.id)}"
        if isinstance(self.cause, WaitTimeout):
            return f"{name} ({kind}) {self.cause.progress}"
        return f"{name} ({kind}) is no longer waited for" + (f": {self.cause}" if self.cause else "")


@attrs.define(slots=False, eq=False)
class FanOutAborted(BackupifyError):
    """A fan-out stopped early. Every key that was started has its outcome.

    Attributes:
        reason: Why it stopped.
        succeeded: The number of keys that succeeded.
        failed: The number of keys that failed.
        values: The results so far, by key; empty where the outcomes were streamed.
        errors: The errors so far, by key; empty where the outcomes were streamed.
    """

    reason: str
    succeeded: int
    failed: int
    values: Mapping[Any, object] = attrs.field(factory=dict, repr=False)
    errors: Mapping[Any, BaseException] = attrs.field(factory=dict, repr=False)

    def __str__(self) -> str:
        return f"stopped early: {self.reason} ({self.succeeded} succeeded, {self.failed} failed so far)"


def _status(backup: Backup) -> str:
    return printable(backup.status or "without a status")
