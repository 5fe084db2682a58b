"""The newest backup from before a trigger, as its caller tells it."""

from enum import Enum
from typing import Final

from backupify_async.ids import identifier
from backupify_async.models import Backup


class NotTold(Enum):
    """Stands where a caller says nothing; None says that there is none."""

    NOT_TOLD = "not told"


NOT_TOLD: Final = NotTold.NOT_TOLD

Baseline = int | str | None | NotTold
"""The highest id from before; None where there was no backup."""


def highest_id(baseline: Backup | int | str | NotTold | None) -> Baseline:
    """The id of a baseline, however it is told.

    Raises:
        TypeError, ValueError: It cannot be one.
    """
    if baseline is None or isinstance(baseline, NotTold):
        return baseline
    highest = baseline.id if isinstance(baseline, Backup) else baseline
    identifier(highest, "baseline")
    return highest
