"""Checks of backup 7, without a network."""

from datetime import UTC, datetime, timedelta

from backupify_async._waits.progress import WaitProgress
from backupify_async.models import Backup

ENDED = datetime(2026, 1, 1, tzinfo=UTC)
NOW = ENDED + timedelta(minutes=1)
OURS, OTHER = Backup(7), Backup(8)


def shown(status: str | None = None, *, ended: bool = False) -> Backup:
    """The backup as a response shows it."""
    return Backup(7, status=status, completed_at=ENDED if ended else None)


def check(before: WaitProgress, found: Backup | None, active: Backup | None) -> WaitProgress:
    """One check; get-active is requested only where it is needed."""
    progress = before.checked(found, NOW)
    return progress.compared_with(active) if progress.needs_active else progress
