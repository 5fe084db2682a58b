"""The newest backup before a trigger, as its caller gives it."""

from backupify_async.ids import identifier
from backupify_async.models import Backup, Baseline, UnknownBaseline

GivenBaseline = Backup | int | str | None
"""The newest backup of an instance, or its id; None where there was none."""


def highest_id(baseline: GivenBaseline | UnknownBaseline) -> Baseline:
    """The id of a baseline, however it is given.

    Raises:
        TypeError, ValueError: It cannot be an id.
    """
    if baseline is None or isinstance(baseline, UnknownBaseline):
        return baseline
    highest = baseline.id if isinstance(baseline, Backup) else baseline
    identifier(highest, "baseline")
    return highest
