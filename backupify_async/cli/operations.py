"""What each command does to each instance."""

from backupify_async.cli.records import LISTED, RUNNING, active_rows, latest_rows, listed_rows, triggered_rows
from backupify_async.cli.rows import Row
from backupify_async.cli.sweep import Operation
from backupify_async.cli.triggers import Consent, Pretence, SentTriggers
from backupify_async.fleet.fan_out import FanOut
from backupify_async.fleet.fleet import Fleet, InstanceId
from backupify_async.journal.journal import Journal
from backupify_async.models import Backup, TriggerResult


def listing(limit: int | None) -> Operation[list[Backup]]:
    """All backups of each instance, or the first `limit` of them."""

    def begin(fleet: Fleet, ordered: bool) -> FanOut[InstanceId, list[Backup]]:
        return fleet.list(limit=limit, ordered=ordered)

    return Operation("list", LISTED, begin, listed_rows, found=_backups)


def latest() -> Operation[Backup | None]:
    """The newest backup of each instance."""
    return Operation("latest", LISTED, _latest, latest_rows)


def active() -> Operation[Backup | None]:
    """What runs on each instance."""
    return Operation("active", RUNNING, _active, active_rows)


def triggering(consent: Consent | None, journal: Journal | None = None) -> Operation[TriggerResult]:
    """A new backup of each instance, if somebody agrees; without `consent`, somebody has agreed before."""
    sent = SentTriggers()

    def begin(fleet: Fleet, ordered: bool) -> FanOut[InstanceId, TriggerResult]:
        return fleet.trigger(journal=journal, ordered=ordered)

    return Operation(
        "trigger",
        RUNNING,
        begin,
        triggered_rows,
        agree=None if consent is None else consent.agree,
        known=sent.known,
        cut_off=sent.cut_off,
        on_event=sent,
    )


def pretended_triggering() -> Operation[Backup | None]:
    """What a trigger would do to each instance."""
    return Operation("trigger --dry-run", RUNNING, _active, Pretence().rows)


def _latest(fleet: Fleet, ordered: bool) -> FanOut[InstanceId, Backup | None]:
    return fleet.latest(ordered=ordered)


def _active(fleet: Fleet, ordered: bool) -> FanOut[InstanceId, Backup | None]:
    return fleet.get_active(ordered=ordered)


def _backups(rows: list[Row]) -> tuple[str, int]:
    return "backups", len(rows)
