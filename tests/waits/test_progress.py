"""The progress of a wait, check by check."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async._waits.progress import WaitProgress
from backupify_async._waits.status_words import Vocabulary
from backupify_async.models import Backup, WaitKind, WaitResult
from tests.waits.checks import NOW, OTHER, OURS, check, shown


class TestAClearStatus:
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
    def test_an_end_takes_one_check(self, backup: Backup, kind: WaitKind) -> None:
        progress = WaitProgress(7).checked(backup, NOW)
        assert (progress.result, progress.needs_active) == (WaitResult(kind, backup), False)

    @pytest.mark.parametrize("status", ["queued", "running", "NotStarted", "Paused", "ABORTING"])
    def test_a_backup_that_continues_needs_no_second_request(self, status: str) -> None:
        progress = WaitProgress(7).checked(shown(status), NOW)
        assert (progress.result, progress.needs_active, progress.backup) == (None, False, shown(status))


class TestAnInferredEnd:
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
    def test_an_inferred_end_needs_two_checks_in_a_row(
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
    def test_a_status_that_is_not_text_is_not_success(self, status: object) -> None:
        backup = Backup(7, extra={"status": status})
        assert check(check(WaitProgress(7), backup, None), backup, None).result == WaitResult(
            WaitKind.UNKNOWN, backup
        )

    @pytest.mark.parametrize("between", [shown("queued"), shown("running"), shown()])
    def test_a_check_that_finds_it_active_clears_the_suspicion(self, between: Backup) -> None:
        progress = check(check(WaitProgress(7), None, None), between, OURS)
        assert (progress.result, progress.suspected) == (None, None)
        assert check(progress, None, None).result is None

    def test_a_wait_continues_while_only_get_active_shows_the_backup(self) -> None:
        assert check(check(WaitProgress(7), None, OURS), None, OURS).result is None

    @pytest.mark.parametrize(("one", "other"), [(7, "7"), ("7", 7)])
    def test_an_id_equals_the_same_id_as_text(self, one: int | str, other: int | str) -> None:
        assert check(WaitProgress(one), shown(), Backup(other)).suspected is None


class TestStatusWordsOfTheUser:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [("All Good", WaitKind.COMPLETED), ("kaputt", WaitKind.FAILED), ("partial", WaitKind.COMPLETED)],
    )
    def test_the_users_words_take_one_check(self, status: str, kind: WaitKind) -> None:
        own = Vocabulary(success=frozenset({"allgood", "partial"}), failure=frozenset({"kaputt"}))
        assert WaitProgress(7, own).checked(shown(status), NOW).result == WaitResult(kind, shown(status))


class TestARunningBackup:
    def run(self, checks: int, active: Backup | None) -> tuple[WaitProgress, list[int]]:
        """Check a backup whose status is "running"; also return which checks requested get-active."""
        progress, doubts = WaitProgress(7), []
        for number in range(1, checks + 1):
            progress = progress.checked(shown("running"), NOW)
            if progress.needs_active:
                doubts.append(number)
                progress = progress.compared_with(active)
        return progress, doubts

    def test_get_active_is_requested_each_time_the_number_of_checks_has_doubled(self) -> None:
        progress, doubts = self.run(100, OURS)
        assert (progress.result, doubts) == (None, [8, 16, 32, 64])

    def test_a_running_backup_has_not_ended_after_get_active_shows_none_three_times(self) -> None:
        progress, doubts = self.run(10, None)
        assert (progress.result, doubts) == (None, [8, 9, 10])

    def test_a_stopping_backup_is_doubted_too(self) -> None:
        progress = WaitProgress(7)
        for _ in range(11):
            progress = check(progress, shown("Cancelling"), None)
        assert progress.result == WaitResult(WaitKind.FAILED, shown("Cancelling"))

    def test_a_running_backup_has_failed_after_get_active_shows_none_four_times(self) -> None:
        progress, doubts = self.run(11, None)
        assert progress.result == WaitResult(WaitKind.FAILED, shown("running"))
        assert doubts == [8, 9, 10, 11]

    def test_a_running_backup_is_replaced_if_another_is_active(self) -> None:
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
def test_without_a_clear_status_a_wait_ends_only_if_two_checks_in_a_row_agree(
    checks: list[tuple[Backup | None, Backup | None]],
) -> None:
    progress = WaitProgress(7)
    ends: list[WaitKind | None] = [None]
    for found, active in checks:
        progress = check(progress, found, active)
        assert progress.result is None or progress.suspected is ends[-1] is progress.result.kind
        if progress.result is not None:
            assert active is not OURS
            return
        ends.append(progress.suspected)
