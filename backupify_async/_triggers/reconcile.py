"""What to do about a trigger whose response was lost: a pure decision over snapshots of its instance.

Theory of operation. The API has no idempotency key. So a trigger is recognised by the backup that it creates:
by the backup's id, if the highest id from before is known (the *baseline*), and by its time of creation.
That time lies in a *window*, from the request until the last moment at which the server may act: `settling`
seconds after the response was lost.

Both ends of the window are read on the server's clock. Its offset to ours is known within bounds, by the
`Date` of each response. The window takes the wider bound at each end. It begins with a whole second, since
servers cut off fractions, and its ends belong to it. Without a Date our own clock stands in for the server's.
Backups can be dated by a third clock, for example where a proxy adds the Date. So a backup created inside the
window is the trigger's; one created outside it by at most `clock_tolerance` is *near*; one that is inside or
near by our own clock only is *unsure*. Clock offsets are noted when the request is sent, and later readings
only widen the window, since the machine can sleep while the request is in flight. A date without an offset
lies anywhere from 14 hours earlier to 12 hours later.

| creation | at or below the baseline | above it | unknown baseline |
| --- | --- | --- | --- |
| inside the window | older | ours | ours |
| near; unknown; inside or near by our clock only, not by Date | older | ours | near; unsure |
| before all that | older | unsure: id and date contradict each other | older |
| after all that | older | later | later |

1. A backup that is *ours* is adopted, except an active one that the Date shows to be from before the request.
2. A *near* one is adopted if it is active after the server has settled and no Date shows it to be from
   before: then no other backup could be started anyway.
3. Any other active backup is why the server refused the trigger.
4. The trigger is sent again only after a snapshot that began after settling, shows the whole end of the list,
   and has none of the above. Then the trigger did nothing.
5. Anything unsure or contradictory is checked again until patience ends, and then reported as undecided. So
   is an empty list: a lagging replica shows one too, and so does an instance that was moved. An empty list is
   believed where the baseline says that there was no backup, or where another snapshot ten seconds earlier
   shows the same.

Such a rule can err in two ways, and this one chooses the harmless error: a backup that somebody else started
inside the window, or near it and either above the baseline or active, is taken for ours, so ours can be
missing. The other error, a second backup, needs a server that breaks a promise: it acts later than
`settling`, hides for longer a backup that has ended by then, or dates backups by a clock that is further than
`clock_tolerance` from both its Date and our clock.
"""

import math

import attrs

from backupify_async._endpoints.server_clock import ClockOffset
from backupify_async._triggers.inconclusive import match_in, older_active, why_inconclusive
from backupify_async._triggers.matching import Match
from backupify_async._triggers.snapshot import FailedSnapshot, Snapshot, Snapshots, common_offset
from backupify_async._triggers.window import ActionWindow
from backupify_async.config import Reconciliation
from backupify_async.ids import whole_number
from backupify_async.models import Backup

_FIRST_GAP = 1.0  # seconds; most responses are lost after the server has acted
_GAP_GROWTH = 3.0
_LONGEST_GAP = 30.0


@attrs.frozen
class Adopt:
    """The trigger started this backup."""

    backup: Backup


@attrs.frozen
class AlreadyActive:
    """The trigger started nothing, since this backup was active."""

    backup: Backup


@attrs.frozen
class SendAgain:
    """The trigger did nothing, and no backup is active."""


@attrs.frozen
class CheckAgain:
    """It is too early to decide: check again `at` this time of the loop's clock, in seconds."""

    at: float


@attrs.frozen
class Undecided:
    """It cannot be decided; `reason` says why."""

    reason: str


Conclusion = Adopt | AlreadyActive | SendAgain | Undecided


def next_step(
    window: ActionWindow, snapshots: Snapshots, now: float, settings: Reconciliation, downtime: float = 0.0
) -> Conclusion | CheckAgain:
    """What to do next about a trigger whose response was lost.

    Args:
        window: When the server can have acted on the trigger.
        snapshots: What its instance showed since then.
        now: The loop's time, in seconds.
        settings: The limits.
        downtime: For how many seconds the server has been down in total. Patience stands still meanwhile.
    """
    if not snapshots:
        return CheckAgain(now)
    last, offset = snapshots[-1], common_offset(snapshots)
    if isinstance(last, Snapshot) and (ours := _ours(window, last, offset, settings)) is not None:
        return Adopt(ours)
    next_check = now + min(_FIRST_GAP * _GAP_GROWTH ** min(len(snapshots) - 1, 9), _LONGEST_GAP)
    if last.began < window.settled:
        return CheckAgain(min(next_check, max(now, window.settled)))
    if isinstance(last, FailedSnapshot):
        doubt = last.problem
    elif (found := why_inconclusive(window, snapshots, last, offset, settings)) is None:
        return _conclude(window, last, offset, settings)
    else:
        doubt = found
    # A check can wait long at the gate: patience begins after the first one that could decide.
    first = next(one for one in snapshots if one.began >= window.settled)
    end = first.ended + settings.patience + downtime - first.downtime
    return CheckAgain(min(next_check, end)) if now < end else Undecided(doubt)


def candidates(window: ActionWindow, snapshots: Snapshots, settings: Reconciliation) -> list[Backup]:
    """The backups in the last snapshot that can be the trigger's, or that were active."""
    taken = [one for one in snapshots if isinstance(one, Snapshot)]
    if not taken:
        return []
    last, offset = taken[-1], common_offset(snapshots)
    return [
        one
        for one in last.backups
        if one == last.active or match_in(last, one, window, offset, settings) is not Match.OLDER
    ]


def _ours(
    window: ActionWindow, last: Snapshot, offset: ClockOffset | None, settings: Reconciliation
) -> Backup | None:
    """The backup that the trigger started; the one with the lowest id of several."""
    before = older_active(window, last, offset, settings)
    ours = [
        one
        for one in last.backups
        if one != before and match_in(last, one, window, offset, settings) is Match.OURS
    ]
    return min(ours, key=_by_id, default=None)


def _conclude(
    window: ActionWindow, last: Snapshot, offset: ClockOffset | None, settings: Reconciliation
) -> Adopt | AlreadyActive | SendAgain:
    """What a conclusive snapshot without a backup of ours means."""
    if last.active is None:
        return SendAgain()
    near = match_in(last, last.active, window, offset, settings) is Match.NEAR
    adopted = near and older_active(window, last, offset, settings) is None
    return Adopt(last.active) if adopted else AlreadyActive(last.active)


def _by_id(backup: Backup) -> float:
    number = whole_number(backup.id)
    return math.inf if number is None else number
