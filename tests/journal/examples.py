"""Values that tests of journals share."""

from datetime import UTC, datetime

from backupify_async.models import Backup, SentTrigger, TriggerKind, TriggerResult

WHEN = datetime(2026, 11, 23, 3, 0, 0, 250_000, tzinfo=UTC)
SENT = SentTrigger(42, WHEN, 7)
STARTED = TriggerResult(TriggerKind.STARTED, Backup(1007))
