"""The servers of a benchmark of triggers: how their clocks and dates differ, and how long backups run."""

from collections.abc import Callable

import attrs

from backupify_async.testing._clock import Clock, wall_clock

_SHORT = 0.001  # seconds: it ends before any check, so that a second trigger starts a second backup
_LONG = 86_400.0


@attrs.frozen
class Conditions:
    """A kind of server.

    Attributes:
        name: In a few words.
        ahead: How far its clock, by which it dates backups, is ahead of ours, in seconds.
        date_header: Whether its responses have a Date.
        date_offset: How far that is ahead of its clock, in seconds.
        backup_duration: How long a backup runs, in seconds.
        baseline: Whether the newest backups are listed first, because times alone can be inconclusive.
        list_lag: How long lists hide a backup that has begun, in seconds.
        local_time: How many hours ahead of UTC dates without an offset are; None for dates with one.
        sleeps: Whether the client's machine sleeps for an hour while triggers are in flight.
        may_be_ambiguous: Whether neither ids nor times can show what became of a trigger without a response.
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
            slept: Seconds that the client's machine has slept, which its event loop does not count.
        """
        wall = wall_clock()
        return lambda: wall() + self.ahead + slept()


CONCLUSIVE = (
    Conditions("Date"),
    Conditions("no Date", date_header=False),
    # By our own clock, one in 150 older backups could be the trigger's.
    Conditions("10 min ahead", ahead=600.0, baseline=True),
    Conditions("10 min behind", ahead=-600.0),
)
"""A Date or our own clock shows when a backup was created: its time alone identifies it."""

WITHIN_TOLERANCE = (
    Conditions("no Date, 4 min ahead", ahead=240.0, date_header=False, backup_duration=_LONG),
    Conditions("no Date, 4 min behind", ahead=-240.0, date_header=False, backup_duration=_LONG),
    Conditions("Date 4 min too late", date_offset=240.0, backup_duration=_LONG),
    Conditions("Date 4 min too early", date_offset=-240.0, backup_duration=_LONG),
)
"""A clock is wrong, and nothing shows it: a backup is identified by its approximate time, while it runs."""

CONTRADICTING = (
    Conditions("a list that lags", list_lag=0.08),
    Conditions("5 h behind UTC, no offset", local_time=-5, backup_duration=_LONG, baseline=True),
    Conditions("the same without a baseline", local_time=-5, backup_duration=_LONG, may_be_ambiguous=True),
    Conditions("an hour of sleep", sleeps=True),
    Conditions("an hour of sleep, no Date", sleeps=True, date_header=False),
)
"""The server contradicts itself, or the client's clock jumps."""
