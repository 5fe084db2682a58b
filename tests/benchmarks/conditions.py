"""Under what conditions a benchmark of triggers runs: the clocks differ, and how long backups run."""

import attrs

from backupify_async.testing.clock import Clock, wall_clock

_SHORT = 0.001  # seconds: it is over before anybody looks, so that a second trigger starts a second backup
_LONG = 86_400.0


@attrs.frozen
class Conditions:
    """What kind of server it is.

    Attributes:
        name: In a few words.
        ahead: How far its clock, by which it dates backups, is ahead of ours, in seconds.
        date_header: Whether its answers have a Date.
        date_offset: How far that is ahead of its clock, in seconds.
        backup_duration: How long a backup runs, in seconds.
        baseline: Whether the newest backups have to be looked at before, since the times may not tell.
    """

    name: str
    ahead: float = 0.0
    date_header: bool = True
    date_offset: float = 0.0
    backup_duration: float = _SHORT
    baseline: bool = False

    def clock(self) -> Clock:
        """The server's clock."""
        wall = wall_clock()
        return lambda: wall() + self.ahead


TELLING = (
    Conditions("Date"),
    Conditions("no Date", date_header=False),
    # Our own clock says of one in 150 backups from before that they may be the trigger's.
    Conditions("10 min ahead", ahead=600.0, baseline=True),
    Conditions("10 min behind", ahead=-600.0),
)
"""What was created when is told by a Date, or by our own clock: a backup is known by its time alone."""

WITHIN_TOLERANCE = (
    Conditions("no Date, 4 min ahead", ahead=240.0, date_header=False, backup_duration=_LONG),
    Conditions("no Date, 4 min behind", ahead=-240.0, date_header=False, backup_duration=_LONG),
    Conditions("Date 4 min too late", date_offset=240.0, backup_duration=_LONG),
    Conditions("Date 4 min too early", date_offset=-240.0, backup_duration=_LONG),
)
"""A clock is wrong, and nothing says so: a backup is known by its time, about, and by running still."""
