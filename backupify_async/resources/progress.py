"""What the server's answers say of a backup that somebody waits for: pure decisions.

The API documents no status and no field but the id, so the rule takes two kinds of evidence. What the server
*says* is believed at once: a `completed_at`, or a status that is one of the usual words for an end. What
only *follows*, from a 404 or from what get-active answers, has to follow from two looks in a row, since a
server may be late to show a backup that it has just begun, or that it is about to close.

| the backup | get-active | so it |
| --- | --- | --- |
| has `completed_at`, or a final word | not asked | is over: failed by its word, else completed |
| has a word for waiting | not asked | goes on |
| has a word for running | asked at the 8th, 16th, 32nd look ... | goes on; is replaced, if another runs; |
| | | has failed, if four looks in a row show that none runs: a crash left it behind |
| has another word, or none | shows it | goes on |
| has another word, or none | shows another | is replaced |
| has another word, or none | shows none | is over: completed |
| is not found | shows it | goes on |
| is not found | shows another | is replaced |
| is not found | shows none | vanished |

An instance that is not found is an error, not an end: get-active tells it from one that rests.

The errors that it can make. A failure in a word that nobody knows counts as completed: the result holds the
backup, with the word. A backup that waits its turn under such a word, unseen by get-active for two looks,
counts as completed too early. And a server that ran two backups of one instance side by side would have one
of them called replaced; the API speaks of *the* active backup of an instance.
"""

from enum import Enum

import attrs

from backupify_async.errors import APIError, BackupifyError, RateLimited, ServerError, TransportError
from backupify_async.models import Backup, WaitKind, WaitResult

_COMPLETED = frozenset(
    {"complete", "completed", "done", "finished", "ok", "succeeded", "success", "successful"}
)
_FAILED = frozenset(
    {
        *("abort", "aborted", "cancelled", "canceled", "crashed", "error", "errored", "expired", "fail"),
        *("failed", "failure", "interrupted", "killed", "rejected", "terminated", "timed_out", "timeout"),
    }
)
_WAITING = frozenset({"created", "enqueued", "new", "pending", "queued", "scheduled", "waiting"})
_RUNNING = frozenset(
    {"active", "executing", "in_progress", "inprogress", "processing", "running", "started", "working"}
)
# A server that crashed may leave "running" behind for ever, so what really runs has to be asked now and then:
# each time the looks have doubled. That finds such a one in twice the time, and costs next to nothing.
_FIRST_DOUBT = 8
_SURELY_CRASHED = 4  # looks in a row


class Word(Enum):
    """What a status means."""

    COMPLETED = "completed"
    FAILED = "failed"
    WAITING = "waiting for its turn"
    RUNNING = "running"
    UNKNOWN = "nothing that we know"


def meaning(status: str | None) -> Word:
    """What a status means, in whatever case and with whatever between its words."""
    word = "_".join((status or "").casefold().replace("-", " ").replace("_", " ").split())
    for words, meant in (
        (_COMPLETED, Word.COMPLETED),
        (_FAILED, Word.FAILED),
        (_WAITING, Word.WAITING),
        (_RUNNING, Word.RUNNING),
    ):
        if word in words:
            return meant
    return Word.UNKNOWN


@attrs.frozen
class Progress:
    """What is known of a backup that is waited for. Each look makes a new one.

    Attributes:
        backup_id: The backup.
        backup: The backup as it was last seen; None where it never was.
        found: Whether the last look found it.
        looks: How many looks there were.
        suspected: The end that followed from the look before, and has to follow from this one too.
        times: From how many looks in a row it followed.
        result: How it ended; None while it goes on.
    """

    backup_id: int | str
    backup: Backup | None = None
    found: bool = False
    looks: int = 0
    suspected: WaitKind | None = None
    times: int = 0
    result: WaitResult | None = None

    def looked(self, found: Backup | None) -> "Progress":
        """What is known after a look at the backup; None stands for one that was not found."""
        looks, said = self.looks + 1, None if found is None else _said(found)
        if found is None:
            return attrs.evolve(self, found=False, looks=looks)
        queued = meaning(found.status) is Word.WAITING
        return Progress(
            self.backup_id,
            found,
            found=True,
            looks=looks,
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
        match meaning(self.backup.status):
            case Word.UNKNOWN:
                return True
            case Word.RUNNING:
                return self.suspected is not None or _is_doubt(self.looks)
            case _:
                return False

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
        return WaitKind.FAILED if meaning(self.backup.status) is Word.RUNNING else WaitKind.COMPLETED


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


def _said(backup: Backup) -> WaitKind | None:
    """The end that the server says outright."""
    word = meaning(backup.status)
    if word is Word.FAILED:
        return WaitKind.FAILED
    return WaitKind.COMPLETED if word is Word.COMPLETED or backup.completed_at is not None else None
