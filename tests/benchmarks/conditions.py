"""Under what conditions a benchmark of triggers runs: the clocks differ, and how long backups run."""

from collections.abc import Callable

import attrs

from backupify_async.testing._clock import Clock, wall_clock

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
        list_lag: How long lists hide a backup that has begun, in seconds.
        local_time: How many hours ahead of UTC dates are that have no offset; None for dates with one.
        sleeps: Whether the client's machine sleeps for an hour while triggers are under way.
        may_be_ambiguous: Whether neither ids nor times tell, so that a lost answer cannot be found out.
    """

    name: str
    ahead: float = 0.0
    date_header: bool = True
    date_offset: float = 0.0
    backup_duration: float = _SHORT
    baseline: bool = False
    list_lag: float = 0.0
    local_time: float | None = None
    sleeps: bool = False
    may_be_ambiguous: bool = False

    def clock(self, slept: Callable[[], float] = lambda: 0.0) -> Clock:
        """The server's clock.

        Args:
            slept: For how many seconds the client's machine has slept, which only its own loop does not see.
        """
        wall = wall_clock()
        return lambda: wall() + self.ahead + slept()


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

CONTRADICTING = (
    Conditions("a list that lags", list_lag=0.08),
    Conditions("5 h behind UTC, no offset", local_time=-5, backup_duration=_LONG, baseline=True),
    Conditions("the same without a baseline", local_time=-5, backup_duration=_LONG, may_be_ambiguous=True),
    Conditions("an hour of sleep", sleeps=True),
    Conditions("an hour of sleep, no Date", sleeps=True, date_header=False),
)
"""What the server shows contradicts itself, or what the client's own clock does."""
