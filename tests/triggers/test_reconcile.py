"""The next step of a trigger whose response was lost, by the checks of its instance so far."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async import Reconciliation
from backupify_async._endpoints.server_clock import ClockOffset
from backupify_async._triggers.matching import Match, match_backup
from backupify_async._triggers.reconcile import (
    Adopt,
    AlreadyActive,
    CheckAgain,
    Conclusion,
    SendAgain,
    Undecided,
    candidates,
    next_step,
)
from backupify_async._triggers.snapshot import FailedSnapshot, Snapshot, common_offset
from backupify_async.models import Backup
from tests.support.action_windows import SAME, TOLERANCE, WINDOW, at, window_with

SETTINGS = Reconciliation(settling=30, patience=120)
SETTLED = WINDOW.settled
OLD = Backup(3, created_at=at(-9000))
NEW = Backup(7, created_at=at(1))
OTHER = Backup(8, created_at=at(SETTLED + 305))
NEAR = Backup(5, created_at=at(-60))
UNDATED = Backup(6)


def snapshot(*tail: Backup, active: Backup | None = None, began: float = SETTLED, **more: Any) -> Snapshot:
    return Snapshot(began, active, tail, **{"list_requested": began, "ended": began, "offset": SAME, **more})


def failed(began: float, problem: str) -> FailedSnapshot:
    return FailedSnapshot(began, problem, began)


def step(
    *snapshots: Snapshot | FailedSnapshot, now: float = SETTLED + 1, **trigger: Any
) -> Conclusion | CheckAgain:
    return next_step(window_with(**trigger), snapshots, now, SETTINGS)


def reason(*snapshots: Snapshot | FailedSnapshot, **trigger: Any) -> str:
    """Why it is undecided at the end of patience; before that, checks continue."""
    assert isinstance(step(*snapshots, **trigger), CheckAgain)
    ended = step(*snapshots, now=SETTLED + 120, **trigger)
    assert isinstance(ended, Undecided)
    return ended.reason


class TestOurBackup:
    def test_our_backup_is_adopted_at_the_first_check(self) -> None:
        assert step(snapshot(OLD, NEW, began=2), now=2) == Adopt(NEW)

    def test_our_backup_is_adopted_if_only_get_active_shows_it(self) -> None:
        assert step(snapshot(OLD, active=NEW, began=2), now=2) == Adopt(NEW)
        assert step(snapshot(active=NEW, began=2), now=2) == Adopt(NEW)

    @pytest.mark.parametrize("ids", [(7, 9), ("7", "9"), ("a", "b")])
    def test_the_lowest_of_several_is_adopted(self, ids: tuple[int | str, ...]) -> None:
        first, second = (attrs.evolve(NEW, id=one) for one in ids)
        assert step(snapshot(OLD, first, second, active=second)) == Adopt(first)

    def test_a_baseline_is_not_believed_if_the_ids_do_not_ascend(self) -> None:
        assert step(snapshot(OLD, UNDATED), baseline=5) == Adopt(UNDATED)
        assert "does not ascend" in reason(snapshot(UNDATED, OLD), baseline=5)


class TestBeforeTheServerHasSettled:
    def test_the_first_check_is_made_at_once(self) -> None:
        assert step(now=2.7) == CheckAgain(2.7)

    def test_checks_continue_at_growing_intervals_with_one_at_the_end(self) -> None:
        snapshots: list[Snapshot | FailedSnapshot] = []
        times = [now := 2.7]
        while (
            isinstance(again := next_step(WINDOW, snapshots, now, SETTINGS), CheckAgain)
            and len(snapshots) < 9
        ):
            snapshots.append(snapshot(OLD, began=again.at))
            times.append(now := again.at)
        assert times[1:] == pytest.approx([2.7, 3.7, 6.7, 15.7, 32.7])
        assert again == SendAgain()

    @pytest.mark.parametrize("active", [OLD, None])
    def test_nothing_is_decided_while_no_backup_is_ours(self, active: Backup | None) -> None:
        assert isinstance(step(snapshot(OLD, active=active, began=SETTLED - 0.01)), CheckAgain)

    def test_a_check_that_began_before_settling_does_not_count_though_it_ended_after(self) -> None:
        assert step(snapshot(OLD, began=20), now=50) == CheckAgain(50)


class TestOnceTheServerHasSettled:
    @pytest.mark.parametrize("offset", [SAME, None])
    def test_a_trigger_that_did_nothing_is_sent_again(self, offset: ClockOffset | None) -> None:
        assert step(snapshot(OLD, offset=offset)) == SendAgain()
        assert step(snapshot(OLD, offset=offset), baseline=3) == SendAgain()
        assert step(snapshot(offset=offset), baseline=None) == SendAgain()

    @pytest.mark.parametrize("other", [OLD, OTHER])
    def test_another_active_backup_is_already_active(self, other: Backup) -> None:
        assert step(snapshot(OLD, OTHER, active=other)) == AlreadyActive(other)

    def test_an_active_backup_that_is_near_is_adopted(self) -> None:
        assert step(snapshot(OLD, NEAR, active=NEAR, offset=None)) == Adopt(NEAR)
        after = Backup(5, created_at=at(SETTLED + 60))
        assert step(snapshot(OLD, after, active=after)) == Adopt(after)

    @pytest.mark.parametrize("known", [{}, {"baseline": 3}, {"baseline": 5}])
    @pytest.mark.parametrize("seconds", [-8, -60, -9000])
    def test_an_active_backup_that_is_older_by_the_date_header_is_already_active(
        self, seconds: float, known: dict[str, Any]
    ) -> None:
        active = Backup(5, created_at=at(seconds))
        assert step(snapshot(OLD, active, active=active), **known) == AlreadyActive(active)

    def test_an_empty_list_is_believed_after_ten_seconds(self) -> None:
        assert step(snapshot(began=SETTLED - 10), snapshot()) == SendAgain()
        assert isinstance(step(snapshot(began=SETTLED - 9), snapshot()), CheckAgain)
        assert isinstance(step(snapshot(active=OLD, began=SETTLED - 10), snapshot()), CheckAgain)
        assert isinstance(step(failed(SETTLED - 10, "no"), snapshot()), CheckAgain)

    def test_a_later_backup_that_has_ended_does_not_prevent_sending_again(self) -> None:
        assert step(snapshot(OLD, OTHER)) == SendAgain()


class TestDelayedChecks:
    """At a rate limit, a check that was planned early can see the instance late."""

    def test_an_empty_list_is_dated_by_its_request(self) -> None:
        first = snapshot(began=3.0, list_requested=SETTLED + 59.8, ended=SETTLED + 60)
        assert isinstance(step(first, snapshot(list_requested=SETTLED + 60.4)), CheckAgain)
        assert step(first, snapshot(list_requested=SETTLED + 70)) == SendAgain()

    def test_patience_begins_after_the_first_check_that_could_decide(self) -> None:
        late = FailedSnapshot(SETTLED, "no", SETTLED + 500)
        assert isinstance(step(late, now=SETTLED + 600), CheckAgain)
        assert step(late, now=SETTLED + 620) == Undecided("no")


class TestAServerThatWasDown:
    def test_patience_does_not_run_while_the_server_is_down(self) -> None:
        late = FailedSnapshot(SETTLED, "no", SETTLED, downtime=10)
        assert isinstance(next_step(WINDOW, [late], SETTLED + 209, SETTINGS, downtime=100), CheckAgain)
        assert next_step(WINDOW, [late], SETTLED + 210, SETTINGS, downtime=100) == Undecided("no")


class TestUndecided:
    def test_failing_checks_are_undecided(self) -> None:
        assert reason(failed(SETTLED, "the last check failed: 404")) == "the last check failed: 404"

    def test_a_check_that_failed_earlier_does_not_matter(self) -> None:
        assert step(failed(3, "no"), snapshot(OLD)) == SendAgain()

    def test_an_empty_list_is_undecided_while_a_backup_is_active(self) -> None:
        assert (
            reason(snapshot(active=OLD), baseline=None) == "backup 3 is active, and the list does not have it"
        )

    def test_an_empty_list_without_a_baseline_is_undecided(self) -> None:
        assert reason(snapshot()) == "the list is empty, which no baseline confirms"

    @pytest.mark.parametrize("baseline", [4, "4", "run-4"])
    def test_an_empty_list_with_a_baseline_is_undecided(self, baseline: int | str) -> None:
        assert reason(snapshot(), baseline=baseline) == f"the list is empty, and had backup {baseline}"

    @pytest.mark.parametrize("baseline", [4, "4"])
    def test_a_list_that_ends_before_the_baseline_is_undecided(self, baseline: int | str) -> None:
        assert reason(snapshot(OLD), baseline=baseline) == "the list ends before the baseline, 4"

    @pytest.mark.parametrize("before", [snapshot(OLD, NEAR, began=3), snapshot(OLD, active=NEAR, began=3)])
    def test_a_list_that_shrank_is_undecided(self, before: Snapshot) -> None:
        assert "backup 5 was there before" in reason(before, snapshot(OLD))

    def test_a_list_that_does_not_ascend_is_undecided(self) -> None:
        assert (
            reason(snapshot(attrs.evolve(OLD, id=9), attrs.evolve(OLD, id=4)))
            == "the list does not ascend by id"
        )

    def test_a_backup_whose_id_and_dates_show_nothing_is_undecided(self) -> None:
        assert reason(snapshot(OLD, UNDATED)).startswith("backup 6 can be this trigger's")
        assert reason(snapshot(OLD, UNDATED, active=UNDATED)).startswith("backup 6 can be this trigger's")

    def test_the_reason_names_an_id_that_has_no_order(self) -> None:
        undated = attrs.evolve(UNDATED, id="b")
        assert "its id has no order to the baseline, a" in reason(snapshot(undated), baseline="a")

    def test_an_ended_backup_that_is_near_is_undecided(self) -> None:
        assert "if a clock is a little off" in reason(snapshot(OLD, NEAR, offset=None))
        assert "if a clock is a little off" in reason(snapshot(OLD, NEAR))

    def test_a_list_that_does_not_reach_back_far_enough_is_undecided(self) -> None:
        assert "no backup that is surely older" in reason(snapshot(OTHER, complete=False))

    def test_the_reason_shows_no_raw_text_of_the_server(self) -> None:
        forged = Backup("x\n2026 INFO \x1b[31m")
        text = reason(snapshot(OLD, forged), baseline="y\n")
        assert text.isprintable()

    def test_an_id_above_the_baseline_with_a_date_from_before_is_undecided(self) -> None:
        above = Backup(5, created_at=at(-9000))
        assert reason(snapshot(OLD, above), baseline=3).startswith("backup 5 can be this trigger's")

    def test_an_acceptance_without_a_visible_backup_is_undecided(self) -> None:
        assert "2xx" in reason(snapshot(OLD), accepted=True)
        assert step(snapshot(OLD, active=OLD), accepted=True) == AlreadyActive(OLD)

    def test_a_last_check_is_made_at_the_end_of_patience(self) -> None:
        assert step(failed(SETTLED, "no"), now=SETTLED + 119.5) == CheckAgain(SETTLED + 120)


class TestCandidates:
    def test_candidates_are_backups_that_can_be_ours_or_are_active(self) -> None:
        taken = snapshot(OLD, UNDATED, OTHER, active=OLD)
        assert candidates(WINDOW, [taken, failed(9, "no")], SETTINGS) == [OLD, UNDATED, OTHER]
        assert candidates(WINDOW, [failed(9, "no")], SETTINGS) == []


def test_the_common_offset_covers_all_snapshots() -> None:
    snapshots: list[Snapshot | FailedSnapshot] = [
        snapshot(offset=ClockOffset(1, 2)),
        failed(1, "no"),
        snapshot(offset=None),
        snapshot(offset=ClockOffset(0, 1.5)),
    ]
    assert common_offset(snapshots) == ClockOffset(0, 2)


times = st.none() | st.floats(-1000, 1000).map(at)
backups = st.builds(Backup, id=st.integers(1, 9), created_at=times, completed_at=times)
lists = st.lists(backups, max_size=4).map(tuple)
completed = st.builds(
    lambda began, active, tail, complete, offset: Snapshot(
        began, active, tail, began, began, complete, offset
    ),
    began=st.floats(2.7, 200),
    active=st.none() | backups,
    tail=lists,
    complete=st.booleans(),
    offset=st.sampled_from([None, SAME, ClockOffset(SAME.lowest + 600, SAME.highest + 600)]),
)
failures = st.builds(failed, began=st.floats(2.7, 200), problem=st.just("no"))


@given(
    snapshots=st.lists(completed | failures, min_size=1, max_size=4),
    later=st.floats(0, 300),
    baseline=st.sampled_from([WINDOW.trigger.baseline, None, 1, 5, "x"]),
)
def test_nothing_is_sent_again_without_a_settled_snapshot_that_shows_only_other_backups(
    snapshots: list[Snapshot | FailedSnapshot], later: float, baseline: Any
) -> None:
    window = window_with(baseline=baseline)
    snapshots.sort(key=lambda one: one.began)
    now = snapshots[-1].began + later
    decided = next_step(window, snapshots, now, SETTINGS)
    last = snapshots[-1]
    if isinstance(decided, SendAgain):
        assert isinstance(last, Snapshot)
        assert (last.active, last.complete, last.began >= SETTLED) == (None, True, True)
        found = {match_backup(one, window, common_offset(snapshots), TOLERANCE) for one in last.tail}
        assert found <= {Match.OLDER, Match.LATER}
    elif isinstance(decided, CheckAgain):
        assert now <= decided.at <= max(now, SETTLED) + 120
    elif isinstance(decided, Undecided):
        assert now >= SETTLED + 120
    else:
        assert isinstance(last, Snapshot)
        assert decided.backup in (last.active, *last.tail)
