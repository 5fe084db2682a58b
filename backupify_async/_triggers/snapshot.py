"""What a check of an instance showed: plain values."""

from collections.abc import Sequence
from itertools import pairwise

import attrs

from backupify_async._endpoints.server_clock import ClockOffset
from backupify_async.ids import whole_number
from backupify_async.models import Backup


@attrs.frozen
class Snapshot:
    """What an instance showed: its active backup, and the end of its list. Times are the loop's, in seconds.

    Attributes:
        began: When the check began.
        active: The active backup.
        tail: The end of the list, ascending.
        list_requested: When the last request for the list was sent, which can have waited at the gate.
        ended: When its response had come.
        complete: Whether the tail reaches back to the list's beginning, or to a backup that is surely older.
        offset: How far the server's clock is ahead of the loop's; None without a Date.
        downtime: For how many seconds the server had been down in total by the end.
    """

    began: float
    active: Backup | None
    tail: tuple[Backup, ...]
    list_requested: float
    ended: float
    complete: bool = True
    offset: ClockOffset | None = None
    downtime: float = 0.0

    @property
    def backups(self) -> tuple[Backup, ...]:
        """All backups in it, each once. The active one is the last where the list does not have it."""
        listed = {backup.id for backup in self.tail}
        hidden = self.active is not None and self.active.id not in listed
        return (*self.tail, self.active) if hidden and self.active is not None else self.tail

    @property
    def ascends(self) -> bool:
        """Whether the ids of the tail ascend. Ids that are no numbers have no order."""
        numbers = [one for one in (whole_number(backup.id) for backup in self.tail) if one is not None]
        return all(one < other for one, other in pairwise(numbers))


@attrs.frozen
class FailedSnapshot:
    """A check that failed. Times are the loop's, in seconds.

    Attributes:
        began: When it began.
        problem: Why it failed, in words.
        ended: When it had failed.
        downtime: For how many seconds the server had been down in total by then.
    """

    began: float
    problem: str
    ended: float
    downtime: float = 0.0


Snapshots = Sequence[Snapshot | FailedSnapshot]
"""What the checks of one instance showed, in their order."""


def common_offset(snapshots: Snapshots) -> ClockOffset | None:
    """The bounds of the server's clock offset that hold for all snapshots; None without a Date."""
    common: ClockOffset | None = None
    for one in snapshots:
        if isinstance(one, Snapshot) and one.offset is not None:
            common = one.offset.or_also(common)
    return common
