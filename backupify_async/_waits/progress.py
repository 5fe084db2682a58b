"""What the server's answers say of a backup that somebody waits for: pure decisions.

The API documents no status and no field but the id, so the rule takes two kinds of evidence. What the server
*says* is believed at once: a `completed_at`, or a status that is one of the usual words for an end. What
only *follows*, from a 404 or from what get-active answers, has to follow from two looks in a row, since a
server may be late to show a backup that it has just begun, or that it is about to close.

| the backup | get-active | so it |
| --- | --- | --- |
| has a word for a success or a failure | not asked | is over, and that is how |
| has `completed_at`, and a word for running, or none | not asked | is over: completed |
| has `completed_at`, and a word for stopping | not asked | is over: failed |
| has `completed_at`, and a word that nobody knows | not asked | is over: unknown |
| has a word for waiting | not asked | goes on |
| has a word for running, or stopping | asked at the 8th, 16th, 32nd look ... | goes on; is replaced, if |
| | | another runs; has failed, if four looks in a row show that none runs: a crash left it behind |
| has any other word, or none | shows it | goes on |
| has any other word, or none | shows another | is replaced |
| has no word | shows none | is over: completed |
| has a word that nobody knows, or one for waiting and `completed_at` | shows none | is over: unknown |
| is not found | shows it | goes on |
| is not found | shows another | is replaced |
| is not found | shows none | vanished |

An instance that is not found is an error, not an end: get-active tells it from one that rests.

A `completed_at` counts where it can be one. Many systems write a date that nobody set as year 1, 1900, 1970
or 9999: one from before there was such a backup, or from the future, says nothing.

The errors that it can make. A backup that waits its turn under a word that nobody knows, unseen by get-active
for two looks, counts as over too early, though never as completed. And a server that ran two backups of one
instance side by side would have one of them called replaced; the API speaks of *the* active backup of an
instance.
"""

from datetime import datetime

import attrs

from backupify_async._endpoints.server_clock import MOST_AHEAD, MOST_BEHIND, is_set
from backupify_async._waits.status_words import Vocabulary, Word
from backupify_async.errors import APIError, BackupifyError, RateLimited, ServerError, TransportError
from backupify_async.models import Backup, WaitKind, WaitResult

# A server that crashed may leave "running" behind for ever, so what really runs has to be asked now and then:
# each time the looks have doubled. That finds such a one in twice the time, and costs next to nothing.
_FIRST_DOUBT = 8
_SURELY_CRASHED = 4  # looks in a row
_WHOLE_SECOND = 1.0


@attrs.frozen
class Progress:
    """What is known of a backup that is waited for. Each look makes a new one.

    Attributes:
        backup_id: The backup.
        vocabulary: What its status means.
        tolerance: How far the clock that dates backups may be off, in seconds.
        backup: The backup as it was last seen; None where it never was.
        word: What its status meant then.
        dated: Whether its `completed_at` said that it is over.
        found: Whether the last look found it.
        looks: How many looks there were.
        suspected: The end that followed from the look before, and has to follow from this one too.
        times: From how many looks in a row it followed.
        result: How it ended; None while it goes on.
    """

    backup_id: int | str
    vocabulary: Vocabulary = attrs.field(factory=Vocabulary)
    tolerance: float = 300.0
    backup: Backup | None = None
    word: Word = Word.NONE
    dated: bool = False
    found: bool = False
    looks: int = 0
    suspected: WaitKind | None = None
    times: int = 0
    result: WaitResult | None = None

    def looked(self, found: Backup | None, now: datetime) -> "Progress":
        """What is known after a look at the backup.

        Args:
            found: The backup; None where it was not found.
            now: What the server's clock shows; ours, where it does not tell.
        """
        if found is None:
            return attrs.evolve(self, found=False, looks=self.looks + 1)
        word = self.vocabulary.meaning(told_status(found))
        dated = _is_over(found, now, self.tolerance)
        said = _said(word, dated=dated)
        queued = word is Word.WAITING and not dated
        return attrs.evolve(
            self,
            backup=found,
            word=word,
            dated=dated,
            found=True,
            looks=self.looks + 1,
            suspected=None if queued else self.suspected,
            times=0 if queued else self.times,
            result=None if said is None else WaitResult(said, found),
        )

    @property
    def doubtful(self) -> bool:
        """Whether the look leaves open if the backup goes on, so that get-active has to be asked too."""
        if self.result is not None:
            return False
        if self.backup is None or not self.found:
            return True
        match self.word:
            case Word.UNKNOWN | Word.NONE:
                return True
            case Word.RUNNING | Word.STOPPING:
                return self.suspected is not None or _is_doubt(self.looks)
            case _:
                return self.dated  # and yet it is said to wait

    def compared(self, active: Backup | None) -> "Progress":
        """What is known once get-active has shown this backup, another one, or none."""
        end = self._follows(active)
        times = self.times + 1 if end is self.suspected else 1
        confirmed = end is not None and times >= (_SURELY_CRASHED if end is WaitKind.FAILED else 2)
        replaced_by = active if end is WaitKind.REPLACED else None
        result = WaitResult(end, self.backup, replaced_by) if end is not None and confirmed else None
        return attrs.evolve(self, suspected=end, times=times, result=result)

    def _follows(self, active: Backup | None) -> WaitKind | None:
        if active is not None:
            return None if str(active.id) == str(self.backup_id) else WaitKind.REPLACED
        if not self.found or self.backup is None:
            return WaitKind.VANISHED
        match self.word:
            case Word.RUNNING | Word.STOPPING:
                return WaitKind.FAILED
            case Word.NONE:
                return WaitKind.COMPLETED
            case _:
                return WaitKind.UNKNOWN


def passes(error: BackupifyError) -> bool:
    """Whether a look that failed so may succeed later: no whole answer came, or the server has trouble."""
    match error:
        case TransportError() | ServerError() | RateLimited() | APIError(status=408):
            return True
        case _:
            return False


def asked_to_wait(error: BackupifyError | None, longest: float) -> float:
    """Seconds that the server asked to wait with the refusal of a look, `longest` at most; else 0."""
    return min(error.retry_after or 0.0, longest) if isinstance(error, APIError) else 0.0


def _is_doubt(looks: int) -> bool:
    return looks >= _FIRST_DOUBT and looks & (looks - 1) == 0  # a power of two


def _said(word: Word, *, dated: bool) -> WaitKind | None:
    """The end that the server says outright."""
    match word:
        case Word.COMPLETED:
            return WaitKind.COMPLETED
        case Word.FAILED:
            return WaitKind.FAILED
        case Word.NONE | Word.RUNNING if dated:
            return WaitKind.COMPLETED
        case Word.STOPPING if dated:
            return WaitKind.FAILED
        case Word.UNKNOWN if dated:
            return WaitKind.UNKNOWN
        case _:
            return None


def told_status(backup: Backup) -> str | None:
    """The status; where it is no text, as much of it as can be a word: some servers write a number."""
    told = backup.extra.get("status") if backup.status is None else backup.status
    if told is None or isinstance(told, str):
        return told
    return str(told) if isinstance(told, int | float) else type(told).__name__


def _is_over(backup: Backup, now: datetime, tolerance: float) -> bool:
    """Whether `completed_at` can date an end: not before the backup was there, and not in the future."""
    if backup.completed_at is None:
        return False
    ended, without = backup.completed_at.timestamp(), backup.without_offset
    dated_whole = "completed_at" not in without
    ahead = tolerance if dated_whole else max(tolerance, MOST_AHEAD)
    if not is_set(ended) or ended > now.timestamp() + ahead + _WHOLE_SECOND:
        return False
    for name, began in (("created_at", backup.created_at), ("started_at", backup.started_at)):
        if began is not None:
            alike = (name not in without) is dated_whole
            apart = 0.0 if alike else MOST_AHEAD if dated_whole else MOST_BEHIND
            return ended >= began.timestamp() - apart - _WHOLE_SECOND
    return True
