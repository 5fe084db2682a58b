"""Whether one backup can be that of a trigger whose response was lost."""

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async._endpoints.server_clock import ClockOffset
from backupify_async._triggers.matching import (
    Match,
    is_dated_before_sending,
    is_dated_to_end_after_sending,
    match_backup,
)
from backupify_async._triggers.window import ActionWindow
from backupify_async.models import Backup
from tests.support.action_windows import NOON, SAME, TOLERANCE, TRIGGER, WINDOW, at, window_with

OURS, NEAR, UNSURE = Match.OURS, Match.NEAR, Match.UNSURE
OLDER, LATER = Match.OLDER, Match.LATER


def made(seconds: float, **more: Any) -> Backup:
    return Backup(7, created_at=at(seconds), **more)


def ahead(seconds: float) -> ClockOffset:
    return ClockOffset(SAME.lowest + seconds, SAME.highest + seconds)


class TestByTheDate:
    @pytest.mark.parametrize(
        ("seconds", "match"),
        [
            (-300.1, OLDER),
            (-300.0, NEAR),  # the clock that dates backups can differ from that of the Date
            (-0.1, NEAR),
            (0.0, OURS),  # sent in this second, and the fraction is cut off: equal dates are ours
            (0.7, OURS),
            (33.7, OURS),  # the last moment by the widest bound
            (33.8, NEAR),
            (333.7, NEAR),
            (333.8, LATER),
            (86_400.0, LATER),
        ],
    )
    def test_a_backup_created_inside_the_window_is_ours(self, seconds: float, match: Match) -> None:
        assert match_backup(made(seconds), WINDOW, SAME, TOLERANCE) is match

    def test_the_start_date_replaces_a_missing_creation_date(self) -> None:
        assert match_backup(Backup(7, started_at=at(1)), WINDOW, SAME, TOLERANCE) is OURS
        assert match_backup(Backup(7, started_at=at(-309)), WINDOW, SAME, TOLERANCE) is OLDER

    @pytest.mark.parametrize("off", [-600.0, -120.0, 120.0, 600.0])
    def test_the_window_follows_the_servers_clock(self, off: float) -> None:
        assert match_backup(made(off + 1), WINDOW, ahead(off), TOLERANCE) is OURS
        assert match_backup(made(off - 1), WINDOW, ahead(off), TOLERANCE) is not OURS

    @pytest.mark.parametrize(
        ("off", "match"), [(-600.0, UNSURE), (-120.0, NEAR), (120.0, NEAR), (600.0, UNSURE)]
    )
    def test_a_creation_date_by_our_clock_and_not_the_servers_can_be_ours(
        self, off: float, match: Match
    ) -> None:
        assert match_backup(made(1), WINDOW, ahead(off), TOLERANCE) is match

    @pytest.mark.parametrize(("off", "match"), [(-120, NEAR), (600, UNSURE), (86_400, UNSURE)])
    def test_our_clock_keeps_its_tolerance_whatever_the_date_header_says(
        self, off: float, match: Match
    ) -> None:
        assert match_backup(made(-200), WINDOW, ahead(off), TOLERANCE) is match
        assert match_backup(made(-301), WINDOW, ahead(abs(off)), TOLERANCE) is OLDER


class TestWithoutADateHeader:
    @pytest.mark.parametrize(
        ("seconds", "match"),
        [(-300.1, OLDER), (-300, NEAR), (-0.1, NEAR), (0, OURS), (32.7, OURS), (32.8, NEAR), (333, LATER)],
    )
    def test_without_a_date_the_tolerance_lies_around_our_own_window(
        self, seconds: float, match: Match
    ) -> None:
        assert match_backup(made(seconds), WINDOW, None, TOLERANCE) is match


class TestWithoutACreationDate:
    def test_a_backup_without_dates_is_unsure(self) -> None:
        assert match_backup(Backup(7), WINDOW, SAME, TOLERANCE) is UNSURE

    @pytest.mark.parametrize("field", ["completed_at", "updated_at"])
    def test_an_end_or_a_change_before_the_request_shows_that_it_is_older(self, field: str) -> None:
        before: dict[str, Any] = {field: at(-310)}
        shortly_before: dict[str, Any] = {field: at(-10)}
        after: dict[str, Any] = {field: at(10)}
        assert match_backup(Backup(7, **before), WINDOW, SAME, TOLERANCE) is OLDER
        assert match_backup(Backup(7, **after), WINDOW, SAME, TOLERANCE) is UNSURE
        assert match_backup(Backup(7, **before), WINDOW, None, TOLERANCE) is OLDER
        assert match_backup(Backup(7, **shortly_before), WINDOW, SAME, TOLERANCE) is UNSURE


class TestByTheBaseline:
    @pytest.mark.parametrize("baseline", [7, "7", 8, "08"])
    def test_a_backup_at_or_below_the_baseline_is_older_whatever_its_dates(self, baseline: int | str) -> None:
        window = window_with(baseline=baseline)
        assert {match_backup(one, window, SAME, TOLERANCE) for one in (made(1), Backup(7), made(99))} == {
            OLDER
        }

    @pytest.mark.parametrize("baseline", [6, "6", None])
    def test_a_backup_above_the_baseline_without_clear_dates_is_ours(
        self, baseline: int | str | None
    ) -> None:
        window = window_with(baseline=baseline)
        assert match_backup(Backup(7), window, SAME, TOLERANCE) is OURS
        assert match_backup(made(-200), window, None, TOLERANCE) is OURS
        assert match_backup(made(1), window, ahead(600), TOLERANCE) is OURS

    @pytest.mark.parametrize("offset", [SAME, None])
    def test_a_backup_above_the_baseline_is_ours_if_near_and_later_if_far(
        self, offset: ClockOffset | None
    ) -> None:
        window = window_with(baseline=6)
        assert {match_backup(made(when), window, offset, TOLERANCE) for when in (-300, -9, 99, 332)} == {OURS}
        assert match_backup(made(340), window, offset, TOLERANCE) is LATER

    @pytest.mark.parametrize("offset", [SAME, None])
    def test_an_id_above_the_baseline_and_a_date_before_contradict_each_other(
        self, offset: ClockOffset | None
    ) -> None:
        window = window_with(baseline=6)
        assert match_backup(made(-310), window, offset, TOLERANCE) is UNSURE

    def test_ids_that_are_not_numbers_have_no_order(self) -> None:
        window = window_with(baseline="b")
        assert match_backup(Backup("c"), window, SAME, TOLERANCE) is UNSURE
        assert match_backup(Backup("b"), window, SAME, TOLERANCE) is OLDER
        assert match_backup(Backup("c", created_at=at(1)), window, SAME, TOLERANCE) is OURS


HOUR = 3600.0


def naive(seconds: float, name: str = "created_at") -> Backup:
    """A backup with a date that the server wrote without an offset."""
    dates: dict[str, Any] = {name: at(seconds)}
    return Backup(7, **dates, extra={name: at(seconds).replace(tzinfo=None).isoformat()})


class TestADateWithoutAnOffset:
    """The true time is between 14 hours before and 12 hours after the date read as UTC."""

    @pytest.mark.parametrize("offset", [SAME, None])
    @pytest.mark.parametrize(
        ("seconds", "match"),
        [
            (-12 * HOUR - 301, OLDER),
            (-12 * HOUR - 299, UNSURE),
            (-5 * HOUR, UNSURE),
            (1, UNSURE),
            (14 * HOUR + 330, UNSURE),
            (14 * HOUR + 335, LATER),
        ],
    )
    def test_a_date_without_an_offset_is_outside_only_if_its_whole_range_is(
        self, seconds: float, match: Match, offset: ClockOffset | None
    ) -> None:
        assert match_backup(naive(seconds), WINDOW, offset, TOLERANCE) is match

    def test_above_the_baseline_a_date_without_an_offset_is_ours_unless_its_whole_range_is_before(
        self,
    ) -> None:
        window = window_with(baseline=6)
        assert match_backup(naive(-5 * HOUR), window, SAME, TOLERANCE) is OURS
        assert match_backup(naive(-13 * HOUR), window, SAME, TOLERANCE) is UNSURE

    def test_a_completion_date_without_an_offset_is_older_only_if_its_whole_range_is(self) -> None:
        assert match_backup(naive(-5 * HOUR, "completed_at"), WINDOW, SAME, TOLERANCE) is UNSURE
        assert match_backup(naive(-13 * HOUR, "completed_at"), WINDOW, SAME, TOLERANCE) is OLDER

    def test_a_date_without_a_time_includes_the_whole_day(self) -> None:
        day = Backup(7, created_at=at(-12 * HOUR), extra={"created_at": "2026-01-01"})
        assert (
            match_backup(day, attrs.evolve(WINDOW, sent_time=11 * HOUR, latest=12 * HOUR), SAME, TOLERANCE)
            is UNSURE
        )
        assert (
            match_backup(day, attrs.evolve(WINDOW, sent_time=25 * HOUR, latest=26 * HOUR), SAME, TOLERANCE)
            is OLDER
        )

    def test_a_date_without_an_offset_proves_neither_a_start_nor_an_end(self) -> None:
        assert not is_dated_before_sending(naive(-5 * HOUR), WINDOW, SAME, TOLERANCE)
        assert not is_dated_to_end_after_sending(naive(5 * HOUR, "completed_at"), WINDOW, SAME, TOLERANCE)


class TestAPlaceholderDate:
    PLACEHOLDERS = (
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    )

    @pytest.mark.parametrize("placeholder", PLACEHOLDERS)
    def test_a_placeholder_is_not_a_creation_date(self, placeholder: datetime) -> None:
        assert match_backup(Backup(7, created_at=placeholder), WINDOW, SAME, TOLERANCE) is UNSURE
        assert (
            match_backup(Backup(7, created_at=placeholder, started_at=at(1)), WINDOW, SAME, TOLERANCE) is OURS
        )
        assert (
            match_backup(Backup(7, completed_at=placeholder, updated_at=placeholder), WINDOW, SAME, TOLERANCE)
            is UNSURE
        )
        assert not is_dated_before_sending(Backup(7, created_at=placeholder), WINDOW, SAME, TOLERANCE)

    @pytest.mark.parametrize("placeholder", [*PLACEHOLDERS, at(9000)])
    def test_a_placeholder_is_not_an_end(self, placeholder: datetime) -> None:
        assert not is_dated_to_end_after_sending(made(1, completed_at=placeholder), WINDOW, SAME, TOLERANCE)


class TestDatedBeforeTheRequest:
    @pytest.mark.parametrize(
        ("seconds", "before"), [(-9000, True), (-8, True), (-0.2, True), (0, False), (5, False)]
    )
    def test_the_servers_date_decides_what_is_before(self, seconds: float, before: bool) -> None:
        assert is_dated_before_sending(made(seconds), WINDOW, SAME, TOLERANCE) is before

    def test_nothing_is_before_without_a_date(self) -> None:
        assert not is_dated_before_sending(made(-9000), WINDOW, None, TOLERANCE)
        assert not is_dated_before_sending(Backup(7), WINDOW, SAME, TOLERANCE)

    def test_nothing_is_before_if_our_clock_contradicts(self) -> None:
        assert not is_dated_before_sending(made(1), WINDOW, ahead(600), TOLERANCE)


class TestEndedAfterTheRequest:
    @pytest.mark.parametrize(
        ("seconds", "offset", "after"),
        [(-2, SAME, False), (1, SAME, True), (200, None, False), (301, None, True)],
    )
    def test_the_date_or_our_clock_with_its_tolerance_decides_what_ended_after(
        self, seconds: float, offset: ClockOffset | None, after: bool
    ) -> None:
        ended = made(-9000, completed_at=at(seconds))
        assert is_dated_to_end_after_sending(ended, WINDOW, offset, TOLERANCE) is after

    def test_an_active_backup_has_not_ended(self) -> None:
        assert not is_dated_to_end_after_sending(made(1), WINDOW, SAME, TOLERANCE)


class TestASuspendedMachine:
    """The loop's clock stood still for an hour, so that all other clocks gained an hour."""

    AFTER_SUSPEND = ClockOffset(NOON, NOON + HOUR)

    @pytest.mark.parametrize("recorded", [SAME, None])
    @pytest.mark.parametrize("read", [ahead(HOUR), None])
    def test_a_backup_created_during_the_suspend_is_ours(
        self, recorded: ClockOffset | None, read: ClockOffset | None
    ) -> None:
        window = attrs.evolve(WINDOW, our_offset=self.AFTER_SUSPEND, server_offset=recorded)
        for created in (1, HOUR / 2):
            found = match_backup(made(created), window, read, TOLERANCE)
            assert found is OURS
        assert match_backup(made(-HOUR - 400), window, read, TOLERANCE) is OLDER

    def test_a_suspend_is_noticed_by_reading_our_clock_again(self) -> None:
        slept = WINDOW.widened(NOON + HOUR)
        assert slept.our_offset == self.AFTER_SUSPEND
        assert slept.widened(NOON - 1).our_offset == ClockOffset(NOON - 1, NOON + HOUR)

    def test_a_recorded_offset_is_not_widened(self) -> None:
        window = attrs.evolve(WINDOW, server_offset=SAME, of_previous_run=True)
        assert window.server_clock(ahead(HOUR)) == SAME
        assert attrs.evolve(window, server_offset=None).server_clock(SAME) == SAME


@given(
    truth=st.floats(-1e6, 1e6),
    sent=st.floats(0, 30),
    took=st.floats(0, 60),
    acted=st.floats(0, 1),
    dated=st.floats(0, 1),
)
def test_a_backup_that_the_trigger_started_is_ours_whatever_the_clock(
    truth: float, sent: float, took: float, acted: float, dated: float
) -> None:
    """The server's clock is off by any amount, its Date has whole seconds, and it acts within the window."""
    latest = sent + took + 30
    window = ActionWindow(TRIGGER, sent, latest, latest, ClockOffset(NOON, NOON))
    read_at, received = latest, latest + 2
    date = int(NOON + truth + read_at + dated * (received - read_at))
    offset = ClockOffset(date - received, date + 1 - read_at)
    creation = NOON + truth + sent + acted * (took + 30)
    for written in (creation, int(creation)):
        backup = Backup(7, created_at=datetime.fromtimestamp(written, UTC))
        assert match_backup(backup, window, offset, TOLERANCE) is OURS
