"""What a backup's status means: pure.

The API documents no status, so these are the words that backup and job services write. Words are compared
without case, hyphens, underscores, spaces and CamelCase: `TimedOut`, `timed-out` and `TIMED_OUT` are one.
What is more than one word is read word by word: `Error: quota` is a failure, and so is `completed with
errors`.

A word that nobody knows means nothing, and above all no success; so does a phrase that contradicts itself,
and one that speaks of a success and of something that nobody knows.
"""

import itertools
import re
from collections.abc import Set as AbstractSet
from enum import Enum

import attrs

from backupify_async.polling import plain_word


class Word(Enum):
    """What a status means."""

    COMPLETED = "completed"
    FAILED = "failed, or done in part"
    WAITING = "waiting for its turn, or resting"
    RUNNING = "running"
    STOPPING = "on its way to an end that is no success"
    UNKNOWN = "nothing that we know"
    NONE = "there is no status"


_MEANINGS = {
    Word.COMPLETED: "complete completed done finished ok succeeded success successful successfully",
    Word.FAILED: (
        "abort aborted cancelled canceled crash crashed dead denied error errors errored expired fail fails "
        "failed failure failures fault faulted faults halted incomplete interrupted killed lost missed "
        "partial partially rejected skipped stopped terminated timedout timeout unsuccessful unsuccessfully "
        "completedwitherrors failedwitherrors partiallycompleted partiallyfailed partialsuccess"
    ),
    Word.WAITING: (
        "accepted created deferred enqueued hold new notstarted onhold paused pending postponed queued retry "
        "retrying scheduled submitted suspended throttled unstarted waiting"
    ),
    Word.RUNNING: (
        "active backingup copying downloading executing finalising finalizing indexing ingesting "
        "initialising initializing inprocess inprogress preparing processing resuming running started "
        "starting syncing transferring uploading validating verifying working"
    ),
    Word.STOPPING: (
        "aborting cancelling canceling failing interrupting killing rollingback stopping terminating"
    ),
}
_MEANING_OF = {word: meant for meant, words in _MEANINGS.items() for word in words.split()}
_PAIRS = frozenset(
    {"backing up", "in process", "in progress", "not started", "on hold", "rolling back", "timed out"}
)
_NEGATIONS = frozenset({"0", "never", "no", "non", "not", "without", "zero"})
# What may stand beside a success without making less of it.
_BESIDE_A_SUCCESS = frozenset({"backup", "job", "run", "task", "all", "with"})
_LONGEST = 200  # characters of a status that are read: an error message may stand there
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORDS = re.compile(r"[^\W_]+")


@attrs.frozen
class Vocabulary:
    """What words mean to one who waits.

    Attributes:
        success: Words of the caller's own for a success, as `plain_word` makes them.
        failure: Likewise for a failure. Both stand above the known ones.
    """

    success: AbstractSet[str] = frozenset()
    failure: AbstractSet[str] = frozenset()

    def meaning(self, status: str | None) -> Word:
        """What a status means."""
        if status is None or not status.strip():
            return Word.NONE
        status = status[:_LONGEST]
        word = plain_word(status)
        if word in self.success:
            return Word.COMPLETED
        if word in self.failure:
            return Word.FAILED
        return _MEANING_OF.get(word) or _of_phrase(_HUMPS.sub(" ", status).casefold())


def _of_phrase(phrase: str) -> Word:
    words = _joined(_WORDS.findall(phrase))
    # What follows a "no" or a "not" may be what did not happen.
    heard = itertools.takewhile(lambda word: word not in _NEGATIONS, words)
    told = {_MEANING_OF[word] for word in heard if word in _MEANING_OF}
    if told == {Word.COMPLETED}:
        whole = all(word in _BESIDE_A_SUCCESS or word in _MEANING_OF for word in words)
        return Word.COMPLETED if whole else Word.UNKNOWN
    if told == {Word.COMPLETED, Word.FAILED}:
        return Word.FAILED
    return told.pop() if len(told) == 1 else Word.UNKNOWN


def _joined(words: list[str]) -> list[str]:
    """The words, with the pairs among them that mean something together made one."""
    joined: list[str] = []
    for word in words:
        if joined and f"{joined[-1]} {word}" in _PAIRS:
            joined[-1] += word
        else:
            joined.append(word)
    return joined
