"""What the server's answers say of a backup that is waited for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async._waits.progress import WaitProgress, is_transient, requested_delay
from backupify_async._waits.status_words import Vocabulary
from backupify_async.errors import (
    APIError,
    AuthenticationError,
    BackupifyError,
    ClientClosed,
    ConnectionFailed,
    DecodeError,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestTimeout,
    ServerError,
    Unauthorized,
)
from backupify_async.models import Backup, WaitKind, WaitResult

ENDED = datetime(2026, 1, 1, tzinfo=UTC)
NOW = ENDED + timedelta(minutes=1)
OURS, OTHER = Backup(7), Backup(8)


def shown(status: str | None = None, *, ended: bool = False) -> Backup:
    return Backup(7, status=status, completed_at=ENDED if ended else None)


def check(before: WaitProgress, found: Backup | None, active: Backup | None) -> WaitProgress:
    """One check, as it is made: get-active is asked only where it is needed."""
    progress = before.checked(found, NOW)
    return progress.compared_with(active) if progress.needs_active else progress


class TestWhatTheServerSays:
    @pytest.mark.parametrize(
        ("backup", "kind"),
        [
            (shown("completed"), WaitKind.COMPLETED),
            (shown(ended=True), WaitKind.COMPLETED),
            (shown("frobnicated", ended=True), WaitKind.UNKNOWN),
            (shown("aborting", ended=True), WaitKind.FAILED),
            (shown("TimedOut"), WaitKind.FAILED),
            (shown("PartiallyFailed"), WaitKind.FAILED),
            (shown("running", ended=True), WaitKind.COMPLETED),
            (shown("failed"), WaitKind.FAILED),
            (shown("Cancelled", ended=True), WaitKind.FAILED),
        ],
    )
    def test_an_end_is_believed_at_once(self, backup: Backup, kind: WaitKind) -> None:
        progress = WaitProgress(7).checked(backup, NOW)
        assert (progress.result, progress.needs_active) == (WaitResult(kind, backup), False)

    @pytest.mark.parametrize("status", ["queued", "running", "NotStarted", "Paused", "ABORTING"])
    def test_a_backup_that_goes_on_needs_no_second_request(self, status: str) -> None:
        progress = WaitProgress(7).checked(shown(status), NOW)
        assert (progress.result, progress.needs_active, progress.backup) == (None, False, shown(status))


class TestWhatFollows:
    @pytest.mark.parametrize("status", [None, "frobnicating"])
    def test_an_unclear_status_leaves_the_decision_to_get_active(self, status: str | None) -> None:
        progress = check(WaitProgress(7), shown(status), OURS)
        assert (progress.result, progress.suspected) == (None, None)

    @pytest.mark.parametrize(
        ("found", "active", "expected"),
        [
            (shown(), None, WaitResult(WaitKind.COMPLETED, shown())),
            (shown("frobnicated"), None, WaitResult(WaitKind.UNKNOWN, shown("frobnicated"))),
            (shown("Paused", ended=True), None, WaitResult(WaitKind.UNKNOWN, shown("Paused", ended=True))),
            (shown(), OTHER, WaitResult(WaitKind.REPLACED, shown(), OTHER)),
            (None, OTHER, WaitResult(WaitKind.REPLACED, shown("queued"), OTHER)),
            (None, None, WaitResult(WaitKind.VANISHED, shown("queued"))),
        ],
    )
    def test_an_inferred_end_must_follow_twice(
        self, found: Backup | None, active: Backup | None, expected: WaitResult
    ) -> None:
        before = check(WaitProgress(7), shown("queued"), None)
        once = check(before, found, active)
        assert (once.result, once.suspected) == (None, expected.kind)
        assert check(once, found, active).result == expected

    def test_a_backup_that_was_never_seen_can_vanish_too(self) -> None:
        progress = check(check(WaitProgress(7), None, None), None, None)
        assert progress.result == WaitResult(WaitKind.VANISHED, None)

    def test_two_checks_that_disagree_end_nothing(self) -> None:
        progress = check(check(WaitProgress(7), None, None), None, OTHER)
        assert (progress.result, progress.suspected) == (None, WaitKind.REPLACED)

    @pytest.mark.parametrize("status", [3, True, 2.5, {"code": 7}, ["done"]])
    def test_a_status_that_is_no_text_is_no_success(self, status: object) -> None:
        backup = Backup(7, extra={"status": status})
        assert check(check(WaitProgress(7), backup, None), backup, None).result == WaitResult(
            WaitKind.UNKNOWN, backup
        )

    @pytest.mark.parametrize("between", [shown("queued"), shown("running"), shown()])
    def test_a_check_that_finds_it_active_clears_the_suspicion(self, between: Backup) -> None:
        progress = check(check(WaitProgress(7), None, None), between, OURS)
        assert (progress.result, progress.suspected) == (None, None)
        assert check(progress, None, None).result is None

    def test_a_backup_that_only_get_active_shows_goes_on(self) -> None:
        assert check(check(WaitProgress(7), None, OURS), None, OURS).result is None

    @pytest.mark.parametrize(("one", "other"), [(7, "7"), ("7", 7)])
    def test_an_id_is_the_same_as_text(self, one: int | str, other: int | str) -> None:
        assert check(WaitProgress(one), shown(), Backup(other)).suspected is None


class TestACompletedAt:
    """Systems write a date that nobody set as the first, or the last, that they know."""

    @pytest.mark.parametrize(
        "never",
        [
            *(datetime(year, 1, 1, tzinfo=UTC) for year in (1, 1601, 1753, 1900, 1904, 1970, 1980)),
            datetime(1899, 12, 30, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
            datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC),
        ],
    )
    @pytest.mark.parametrize("created_at", [ENDED, None])
    def test_an_end_date_that_was_never_set_ends_nothing(
        self, never: datetime, created_at: datetime | None
    ) -> None:
        backup = Backup(7, status="running", created_at=created_at, completed_at=never)
        progress = WaitProgress(7).checked(backup, NOW)
        assert (progress.result, progress.needs_active) == (None, False)

    @pytest.mark.parametrize(("seconds", "kind"), [(-1, WaitKind.COMPLETED), (-1.001, None)])
    @pytest.mark.parametrize("name", ["created_at", "started_at"])
    def test_an_end_date_before_the_beginning_is_ignored(
        self, name: str, seconds: float, kind: WaitKind | None
    ) -> None:
        completed_at = ENDED + timedelta(seconds=seconds)
        dates: dict[str, Any] = {name: ENDED, "completed_at": completed_at}
        backup = Backup(7, status="running", **dates)
        result = WaitProgress(7).checked(backup, NOW).result
        assert (result and result.kind) is kind

    @pytest.mark.parametrize(
        ("ahead", "tolerance", "kind"),
        [
            (300, 300, WaitKind.COMPLETED),
            (302, 300, None),
            (0.5, 0, WaitKind.COMPLETED),  # a Date has whole seconds
            (2, 0, None),
            (1e6, 1e15, WaitKind.COMPLETED),
        ],
    )
    def test_an_end_date_beyond_the_tolerance_in_the_future_is_ignored(
        self, ahead: float, tolerance: float, kind: WaitKind | None
    ) -> None:
        backup = Backup(7, created_at=ENDED, completed_at=NOW + timedelta(seconds=ahead))
        result = WaitProgress(7, tolerance=tolerance).checked(backup, NOW).result
        assert (result and result.kind) is kind

    def test_an_implausible_end_date_leaves_the_decision_to_get_active(self) -> None:
        backup = Backup(7, status="odd", created_at=ENDED, completed_at=datetime(1, 1, 1, tzinfo=UTC))
        once = check(WaitProgress(7), backup, None)
        assert (once.result, check(once, backup, None).result) == (None, WaitResult(WaitKind.UNKNOWN, backup))

    def test_a_word_for_an_end_needs_no_date(self) -> None:
        backup = Backup(7, status="failed", completed_at=datetime(1, 1, 1, tzinfo=UTC))
        assert WaitProgress(7).checked(backup, NOW).result == WaitResult(WaitKind.FAILED, backup)


class TestADateWithoutAnOffset:
    """It lies somewhere within -12 to +14 hours of where it stands."""

    @pytest.mark.parametrize(
        ("hours", "without", "kind"),
        [
            (13.9, {"completed_at"}, WaitKind.COMPLETED),
            (14.1, {"completed_at"}, None),
            (-11.9, {"completed_at"}, WaitKind.COMPLETED),
            (-12.1, {"completed_at"}, None),
            (-13.9, {"created_at"}, WaitKind.COMPLETED),
            (-14.1, {"created_at"}, None),
            (-0.1, {"created_at", "completed_at"}, None),
            (0, {"created_at", "completed_at"}, WaitKind.COMPLETED),
        ],
    )
    def test_a_plausible_end_date_is_an_end(
        self, hours: float, without: set[str], kind: WaitKind | None
    ) -> None:
        completed_at = NOW + timedelta(hours=hours)
        backup = Backup(7, None, "running", NOW, None, completed_at, extra=dict.fromkeys(without, "raw"))
        assert backup.without_offset == without
        result = WaitProgress(7).checked(backup, NOW).result
        assert (result and result.kind) is kind


class TestWordsOfOnesOwn:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [("All Good", WaitKind.COMPLETED), ("kaputt", WaitKind.FAILED), ("partial", WaitKind.COMPLETED)],
    )
    def test_the_users_words_are_believed_at_once(self, status: str, kind: WaitKind) -> None:
        own = Vocabulary(success=frozenset({"allgood", "partial"}), failure=frozenset({"kaputt"}))
        assert WaitProgress(7, own).checked(shown(status), NOW).result == WaitResult(kind, shown(status))


class TestARunningOne:
    def run(self, looks: int, active: Backup | None) -> tuple[WaitProgress, list[int]]:
        """Look so often at one that is said to run; and at which looks get-active was asked."""
        progress, doubts = WaitProgress(7), []
        for number in range(1, looks + 1):
            progress = progress.checked(shown("running"), NOW)
            if progress.needs_active:
                doubts.append(number)
                progress = progress.compared_with(active)
        return progress, doubts

    def test_a_running_backup_is_doubted_each_time_the_checks_have_doubled(self) -> None:
        progress, doubts = self.run(100, OURS)
        assert (progress.result, doubts) == (None, [8, 16, 32, 64])

    def test_a_running_backup_goes_on_though_get_active_shows_none_three_times(self) -> None:
        progress, doubts = self.run(10, None)
        assert (progress.result, doubts) == (None, [8, 9, 10])

    def test_a_stopping_backup_is_doubted_likewise(self) -> None:
        progress = WaitProgress(7)
        for _ in range(11):
            progress = check(progress, shown("Cancelling"), None)
        assert progress.result == WaitResult(WaitKind.FAILED, shown("Cancelling"))

    def test_a_running_backup_after_a_crash_has_failed(self) -> None:
        progress, doubts = self.run(11, None)
        assert progress.result == WaitResult(WaitKind.FAILED, shown("running"))
        assert doubts == [8, 9, 10, 11]

    def test_a_running_backup_is_replaced_where_another_is_active(self) -> None:
        progress, doubts = self.run(9, OTHER)
        assert progress.result == WaitResult(WaitKind.REPLACED, shown("running"), OTHER)
        assert doubts == [8, 9]


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.none(),
                st.sampled_from(
                    [shown(), shown("queued"), shown("running"), shown("aborting"), shown("odd")]
                ),
            ),
            st.sampled_from([None, OURS, OTHER]),
        ),
        max_size=30,
    )
)
def test_nothing_ends_without_a_statement_unless_two_checks_in_a_row_agree(
    looks: list[tuple[Backup | None, Backup | None]],
) -> None:
    progress = WaitProgress(7)
    ends: list[WaitKind | None] = [None]
    for found, active in looks:
        progress = check(progress, found, active)
        assert progress.result is None or progress.suspected is ends[-1] is progress.result.kind
        if progress.result is not None:
            assert active is not OURS
            return
        ends.append(progress.suspected)


class TestFailedLooks:
    @pytest.mark.parametrize(
        "error",
        [
            ConnectionFailed("no route"),
            RequestTimeout("slow"),
            ServerError(503, "GET", "/x"),
            RateLimited(429, "GET", "/x", retry_after=3600),
            APIError(408, "GET", "/x"),
        ],
    )
    def test_server_trouble_is_transient(self, error: BackupifyError) -> None:
        assert is_transient(error)

    @pytest.mark.parametrize(
        "error",
        [
            NotFound(404, "GET", "/x"),
            PermissionDenied(403, "GET", "/x"),
            Unauthorized(401, "GET", "/x"),
            AuthenticationError("no token"),
            APIError(302, "GET", "/x"),
            DecodeError("no JSON", "/x"),
            ClientClosed("closed"),
        ],
    )
    def test_a_refusal_is_permanent(self, error: BackupifyError) -> None:
        assert not is_transient(error)

    @pytest.mark.parametrize(
        ("error", "seconds"),
        [
            (None, 0),
            (RequestTimeout("slow"), 0),
            (ServerError(500, "GET", "/x"), 0),
            (RateLimited(429, "GET", "/x", retry_after=60), 60),
            (ServerError(503, "GET", "/x", retry_after=604_800), 90),
        ],
    )
    def test_the_next_check_respects_retry_after(self, error: BackupifyError | None, seconds: float) -> None:
        assert requested_delay(error, longest=90) == seconds
