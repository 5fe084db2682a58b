"""What the server's responses say about a backup that is waited for. Pure.

The API documents no status, and no field but the id. So the rule takes two kinds of evidence. What the server
*states* is believed at once: a `completed_at`, or a status that is one of the usual words for an end. What is
only *inferred*, from a 404 or from get-active, must follow from two checks in a row, since a server can be
late to show a backup that has just begun, or that it is about to finish.

| the backup | get-active | so it |
| --- | --- | --- |
| has a word for a success or a failure | not asked | is over, with that result |
| has `completed_at`, and a word for running, or none | not asked | is over: completed |
| has `completed_at`, and a word for stopping | not asked | is over: failed |
| has `completed_at`, and an unknown word | not asked | is over: unknown |
| has a word for waiting | not asked | goes on |
| has a word for running, or stopping | asked at the 8th, 16th, 32nd check ... | goes on; is replaced if |
| | | another is active; has failed if four checks in a row show none: a crash left the word behind |
| has any other word, or none | shows it | goes on |
| has any other word, or none | shows another | is replaced |
| has no word | shows none | is over: completed |
| has an unknown word, or one for waiting and `completed_at` | shows none | is over: unknown |
| is not found | shows it | goes on |
| is not found | shows another | is replaced |
| is not found | shows none | vanished |

An instance that is not found is an error, not an end: get-active shows the difference to an idle one.

A `completed_at` counts only if it is plausible. Many systems write a date that nobody set as year 1, 1900,
1970 or 9999: a date from before the backup existed, or from the future, is ignored.

The errors that the rule can make: a backup that waits its turn under an unknown word, and is hidden from
get-active for two checks, is reported as over too early, though never as completed. And if a server ran two
backups of one instance side by side, one of them would be reported as replaced; the API speaks of *the*
active backup of an instance.
"""

from datetime import datetime

import attrs

from backupify_async._endpoints.server_clock import MOST_AHEAD, MOST_BEHIND, is_set
from backupify_async._waits.status_words import StatusMeaning, Vocabulary
from backupify_async.errors import APIError, BackupifyError, RateLimited, ServerError, TransportError
from backupify_async.models import Backup, WaitKind, WaitResult

# A server that crashed can leave "running" behind forever. So get-active is asked each time the number of
# checks has doubled. That finds such a backup within twice the time, and costs next to nothing.
_FIRST_DOUBT = 8
_SURELY_CRASHED = 4  # checks in a row
_WHOLE_SECOND = 1.0


@attrs.frozen
class WaitProgress:
    """What is known about a backup that is waited for. Each check makes a new value.

    Attributes:
        backup_id: The backup.
        vocabulary: What its status means.
        tolerance: How far the clock that dates backups can be off, in seconds.
        backup: The backup as it was last read; None where it never was.
        meaning: What its status meant then.
        has_end_date: Whether its `completed_at` said that it is over.
        found: Whether the last check found it.
        checks: How many checks there were.
        suspected: The end that the last check implied. It must follow from this one too.
        times: From how many checks in a row it followed.
        result: How it ended; None while it goes on.
    """

    backup_id: int | str
    vocabulary: Vocabulary = attrs.field(factory=Vocabulary)
    tolerance: float = 300.0
    backup: Backup | None = None
    meaning: StatusMeaning = StatusMeaning.NONE
    has_end_date: bool = False
    found: bool = False
    checks: int = 0
    suspected: WaitKind | None = None
    times: int = 0
    result: WaitResult | None = None

    def checked(self, found: Backup | None, now: datetime) -> "WaitProgress":
        """What is known after the backup was read.

        Args:
            found: The backup; None where it was not found.
            now: The time by the server's clock, or by ours where the server does not show it.
        """
        if found is None:
            return attrs.evolve(self, found=False, checks=self.checks + 1)
        meaning = self.vocabulary.meaning(status_text(found))
        has_end_date = _has_end_date(found, now, self.tolerance)
        end = _stated_end(meaning, has_end_date=has_end_date)
        queued = meaning is StatusMeaning.WAITING and not has_end_date
        return attrs.evolve(
            self,
            backup=found,
            meaning=meaning,
            has_end_date=has_end_date,
            found=True,
            checks=self.checks + 1,
            suspected=None if queued else self.suspected,
            times=0 if queued else self.times,
            result=None if end is None else WaitResult(end, found),
        )

    @property
    def needs_active(self) -> bool:
        """Whether the backup alone does not show if it goes on, so that get-active must be asked too."""
        if self.result is not None:
            return False
        if self.backup is None or not self.found:
            return True
        match self.meaning:
            case StatusMeaning.UNKNOWN | StatusMeaning.NONE:
                return True
            case StatusMeaning.RUNNING | StatusMeaning.STOPPING:
                return self.suspected is not None or _is_power_of_two(self.checks)
            case _:
                return self.has_end_date  # though its status says that it waits

    def compared_with(self, active: Backup | None) -> "WaitProgress":
        """What is known after get-active showed this backup, another one, or none."""
        end = self._implied_end(active)
        times = self.times + 1 if end is self.suspected else 1
        confirmed = end is not None and times >= (_SURELY_CRASHED if end is WaitKind.FAILED else 2)
        replaced_by = active if end is WaitKind.REPLACED else None
        result = WaitResult(end, self.backup, replaced_by) if end is not None and confirmed else None
        return attrs.evolve(self, suspected=end, times=times, result=result)

    def _implied_end(self, active: Backup | None) -> WaitKind | None:
        if active is not None:
            return None if str(active.id) == str(self.backup_id) else WaitKind.REPLACED
        if not self.found or self.backup is None:
            return WaitKind.VANISHED
        match self.meaning:
            case StatusMeaning.RUNNING | StatusMeaning.STOPPING:
                return WaitKind.FAILED
            case StatusMeaning.NONE:
                return WaitKind.COMPLETED
            case _:
                return WaitKind.UNKNOWN


def is_transient(error: BackupifyError) -> bool:
    """Whether a check that failed like this can succeed later: no whole response, or a server in trouble."""
    match error:
        case TransportError() | ServerError() | RateLimited() | APIError(status=408):
            return True
        case _:
            return False


def requested_delay(error: BackupifyError | None, longest: float) -> float:
    """Seconds that the server asked to wait when it refused a check, `longest` at most; otherwise 0."""
    return min(error.retry_after or 0.0, longest) if isinstance(error, APIError) else 0.0


def _is_power_of_two(checks: int) -> bool:
    return checks >= _FIRST_DOUBT and checks & (checks - 1) == 0


def _stated_end(meaning: StatusMeaning, *, has_end_date: bool) -> WaitKind | None:
    """The end that the server states."""
    match meaning:
        case StatusMeaning.COMPLETED:
            return WaitKind.COMPLETED
        case StatusMeaning.FAILED:
            return WaitKind.FAILED
        case StatusMeaning.NONE | StatusMeaning.RUNNING if has_end_date:
            return WaitKind.COMPLETED
        case StatusMeaning.STOPPING if has_end_date:
            return WaitKind.FAILED
        case StatusMeaning.UNKNOWN if has_end_date:
            return WaitKind.UNKNOWN
        case _:
            return None


def status_text(backup: Backup) -> str | None:
    """The status as text. Some servers write a number; of anything else only its type is kept."""
    status = backup.extra.get("status") if backup.status is None else backup.status
    if status is None or isinstance(status, str):
        return status
    return str(status) if isinstance(status, int | float) else type(status).__name__


def _has_end_date(backup: Backup, now: datetime, tolerance: float) -> bool:
    """Whether `completed_at` is a plausible end: not before the backup existed, and not in the future."""
    if backup.completed_at is None:
        return False
    ended, without = backup.completed_at.timestamp(), backup.without_offset
    has_offset = "completed_at" not in without
    ahead = tolerance if has_offset else max(tolerance, MOST_AHEAD)
    if not is_set(ended) or ended > now.timestamp() + ahead + _WHOLE_SECOND:
        return False
    for name, began in (("created_at", backup.created_at), ("started_at", backup.started_at)):
        if began is not None:
            alike = (name not in without) is has_offset
            apart = 0.0 if alike else MOST_AHEAD if has_offset else MOST_BEHIND
            return ended >= began.timestamp() - apart - _WHOLE_SECOND
    return True
