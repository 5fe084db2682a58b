"""The newest backup before a trigger, as its caller gives it."""

from backupify_async.ids import identifier
from backupify_async.models import Backup, Baseline, UnknownBaseline


def highest_id(baseline: Backup | int | str | UnknownBaseline | None) -> Baseline:
    """The id of a baseline, however it is given.

    Raises:
        TypeError, ValueError: It cannot be an id.
    """
    if baseline is None or isinstance(baseline, UnknownBaseline):
        return baseline
    highest = baseline.id if isinstance(baseline, Backup) else baseline
    identifier(highest, "baseline")
    return highest
