"""What a backup's status means. Pure.

The API documents no status, so these are the words that backup and job services use. Words are compared
without case, hyphens, underscores, spaces and CamelCase: `TimedOut`, `timed-out` and `TIMED_OUT` are one.
A phrase is read word by word: `Error: quota` is a failure, and so is `completed with errors`.

An unknown word has no meaning, and above all it is no success. The same holds for a phrase that contradicts
itself, and for one that has a success and an unknown word.
"""

import itertools
import re
from collections.abc import Set as AbstractSet
from enum import Enum

import attrs

from backupify_async.polling import normalize_word


class StatusMeaning(Enum):
    """What a status means."""

    COMPLETED = "completed"
    FAILED = "failed, or partly done"
    WAITING = "queued or paused"
    RUNNING = "running"
    STOPPING = "about to end without success"
    UNKNOWN = "an unknown word"
    NONE = "no status"


_MEANINGS = {
    StatusMeaning.COMPLETED: "complete completed done finished ok succeeded success successful successfully",
    StatusMeaning.FAILED: (
        "abort aborted cancelled canceled crash crashed dead denied error errors errored expired fail fails "
        "failed failure failures fault faulted faults halted incomplete interrupted killed lost missed "
        "partial partially rejected skipped stopped terminated timedout timeout unsuccessful unsuccessfully "
        "completedwitherrors failedwitherrors partiallycompleted partiallyfailed partialsuccess"
    ),
    StatusMeaning.WAITING: (
        "accepted created deferred enqueued hold new notstarted onhold paused pending postponed queued retry "
        "retrying scheduled submitted suspended throttled unstarted waiting"
    ),
    StatusMeaning.RUNNING: (
        "active backingup copying downloading executing finalising finalizing indexing ingesting "
        "initialising initializing inprocess inprogress preparing processing resuming running started "
        "starting syncing transferring uploading validating verifying working"
    ),
    StatusMeaning.STOPPING: (
        "aborting cancelling canceling failing interrupting killing rollingback stopping terminating"
    ),
}
_MEANING_OF = {word: meaning for meaning, words in _MEANINGS.items() for word in words.split()}
_PAIRS = frozenset(
    {"backing up", "in process", "in progress", "not started", "on hold", "rolling back", "timed out"}
)
_NEGATIONS = frozenset({"0", "never", "no", "non", "not", "without", "zero"})
# Words that can accompany a success without changing it.
_BESIDE_A_SUCCESS = frozenset({"backup", "job", "run", "task", "all", "with"})
_LONGEST = 200  # characters of a status that are read: it can hold an error message
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORDS = re.compile(r"[^\W_]+")


@attrs.frozen
class Vocabulary:
    """What the words of a status mean, with the user's own words.

    Attributes:
        success: The user's words for a success, normalized. They take precedence over the known ones.
        failure: The same for a failure.
    """

    success: AbstractSet[str] = frozenset()
    failure: AbstractSet[str] = frozenset()

    def meaning(self, status: str | None) -> StatusMeaning:
        """What a status means."""
        if status is None or not status.strip():
            return StatusMeaning.NONE
        status = status[:_LONGEST]
        word = normalize_word(status)
        if word in self.success:
            return StatusMeaning.COMPLETED
        if word in self.failure:
            return StatusMeaning.FAILED
        return _MEANING_OF.get(word) or _of_phrase(_HUMPS.sub(" ", status).casefold())


def _of_phrase(phrase: str) -> StatusMeaning:
    words = _joined(_WORDS.findall(phrase))
    # Whatever follows a "no" or a "not" may not have happened.
    before_negation = itertools.takewhile(lambda word: word not in _NEGATIONS, words)
    meanings = {_MEANING_OF[word] for word in before_negation if word in _MEANING_OF}
    if meanings == {StatusMeaning.COMPLETED}:
        whole = all(word in _BESIDE_A_SUCCESS or word in _MEANING_OF for word in words)
        return StatusMeaning.COMPLETED if whole else StatusMeaning.UNKNOWN
    if meanings == {StatusMeaning.COMPLETED, StatusMeaning.FAILED}:
        return StatusMeaning.FAILED
    return meanings.pop() if len(meanings) == 1 else StatusMeaning.UNKNOWN


def _joined(words: list[str]) -> list[str]:
    """The words, with each known pair joined to one word."""
    joined: list[str] = []
    for word in words:
        if joined and f"{joined[-1]} {word}" in _PAIRS:
            joined[-1] += word
        else:
            joined.append(word)
    return joined
