"""What a backup's status means, as backup and job services write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async import PollPolicy
from backupify_async._waits.status_words import StatusMeaning, Vocabulary

KNOWN: dict[StatusMeaning, list[str | None]] = {
    StatusMeaning.COMPLETED: [
        *("completed", "SUCCESS", " Done ", "finished", "succeeded", "Completed.", "ok"),
        *("Completed successfully", "Backup completed", "JobSucceeded", "COMPLETED_WITH_SUCCESS"),
    ],
    StatusMeaning.FAILED: [
        *("failed", "Error", "cancelled", "canceled", "timed-out", "TimedOut", "TIMED OUT", "timedout"),
        *("PartiallyFailed", "Partial", "Unsuccessful", "un-successful", "EFailed", "HTTPError", "Stopped"),
        *("Completed with errors", "CompletedWithErrors", "succeeded (partial)", "finished: failed"),
        *(
            "PARTIALLYFAILED",
            "Error: quota",
            "error: no space left",
            "Cancelled by user",
            "completed, 3 failed, 0 skipped",
        ),
    ],
    StatusMeaning.WAITING: [
        *("queued", "Pending", "scheduled", "NotStarted", "not_started", "NOT STARTED YET", "Paused"),
        *("OnHold", "QUEUED_FOR_RETRY", "Waiting for resources", "Suspended", "retrying"),
    ],
    StatusMeaning.RUNNING: [
        *("running", "In Progress", "in-progress", "IN_PROGRESS", "InProgress", "in process"),
        *("Running 45%", "processing (3/10)", "running, no errors", "Backing up", "Initializing"),
    ],
    StatusMeaning.STOPPING: ["ABORTING", "Cancelling", "canceling", "Stopping", "rolling back"],
    StatusMeaning.UNKNOWN: [
        *("frobnicating", "🙂", "-", "完了", "3", "unknown", "warning", "inactive", "not completed"),
        *("Not successful", "done: 5 of 10", "half done", "Completed with warnings", "no error"),
        *("InProgressWithFaults", "Retrying after error", "Processing failed", "not running"),
    ],
    StatusMeaning.NONE: [None, "", "  ", "\n"],
}


@pytest.mark.parametrize(
    ("status", "meaning"), [(status, meaning) for meaning, statuses in KNOWN.items() for status in statuses]
)
def test_a_status_has_its_common_meaning(status: str | None, meaning: StatusMeaning) -> None:
    assert Vocabulary().meaning(status) is meaning


@given(st.text())
def test_any_text_can_be_a_status(status: str) -> None:
    assert Vocabulary().meaning(status) in StatusMeaning


@given(st.sampled_from([word for words in KNOWN.values() for word in words if word]), st.text(" "))
def test_case_and_surrounding_blanks_do_not_matter(status: str, blanks: str) -> None:
    meaning = Vocabulary().meaning(status.lower())
    assert Vocabulary().meaning(f"{blanks}{status.upper()}{blanks}") is meaning


@given(st.text())
def test_a_status_that_begins_with_not_is_never_success(status: str) -> None:
    assert Vocabulary().meaning(f"not {status}") is not StatusMeaning.COMPLETED


class TestTheUsersWords:
    def test_the_users_words_take_precedence(self) -> None:
        poll = PollPolicy(success=["Completed with warnings", "partial"], failure=("Completed", "NO-GO"))
        own = Vocabulary(poll.success, poll.failure)
        assert [
            own.meaning(status)
            for status in ("completed_with_warnings", "CompletedWithWarnings", "Partial", "completed", "NoGo")
        ] == [
            StatusMeaning.COMPLETED,
            StatusMeaning.COMPLETED,
            StatusMeaning.COMPLETED,
            StatusMeaning.FAILED,
            StatusMeaning.FAILED,
        ]

    def test_the_users_words_are_kept_normalized(self) -> None:
        assert PollPolicy(success={"All-Good", "all good"}) == PollPolicy(success=["ALLGOOD"])

    @pytest.mark.parametrize("words", ["done", b"done", 3, None, [3], [None]])
    def test_status_words_must_be_str(self, words: object) -> None:
        with pytest.raises(TypeError, match=r"status words? must be"):
            PollPolicy(success=words)  # type: ignore[arg-type] # wrong on purpose

    @pytest.mark.parametrize("word", ["", " ", "🙂"])
    def test_a_status_word_needs_a_letter_or_a_digit(self, word: str) -> None:
        with pytest.raises(ValueError, match="needs a letter or a digit"):
            PollPolicy(failure=[word])

    def test_a_status_word_cannot_mean_success_and_failure(self) -> None:
        with pytest.raises(ValueError, match="'done' cannot mean both"):
            PollPolicy(success={"done"}, failure={"DONE"})
