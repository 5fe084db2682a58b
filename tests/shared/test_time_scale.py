"""A scale of time that goes on whatever the store's clock does."""

import pytest

from backupify_async._shared.store import Stored
from backupify_async._shared.time_scale import TimeScale, read_scale

WRITTEN = TimeScale(offset=5.0, now=1000.0, epoch="a", wall=9000.0)
"""At 1005 by the scale."""


def stored(now: float, *, epoch: str = "a", wall: float = 9000.0) -> Stored:
    return Stored(b"", now, epoch, wall)


def read(now: float, expected: float | None, *, epoch: str = "a", wall: float = 9000.0) -> float:
    time, scale = read_scale(WRITTEN, stored(now, epoch=epoch, wall=wall), expected)
    assert time == pytest.approx(now + scale.offset)  # the next member reads the same
    return time


class TestANewScale:
    def test_is_the_stores_clock(self) -> None:
        assert read_scale(None, stored(7.0), None) == (7.0, TimeScale(0.0, 7.0, "a", 9000.0))

    def test_goes_on_for_a_member_that_was_there_before(self) -> None:
        assert read_scale(None, stored(7.0), 50.0)[0] == 50.0


class TestAClockThatRunsOn:
    def test_is_followed(self) -> None:
        assert read(1000.7, None) == 1005.7

    def test_is_followed_through_small_steps(self) -> None:
        assert read(1000.2, 1005.9) == 1005.2

    def test_is_followed_after_a_long_rest_without_members(self) -> None:
        assert read(5000.0, None) == 5005.0

    def test_is_followed_by_a_member_that_rested_as_long(self) -> None:
        assert read(1010.0, 1015.1) == 1015.0


class TestAClockThatJumps:
    def test_back_is_corrected_by_a_members_own(self) -> None:
        assert read(970.5, 1005.5) == 1005.5

    def test_ahead_is_corrected_by_a_members_own(self) -> None:
        assert read(1030.5, 1005.5) == 1005.5

    def test_back_while_no_member_was_there_counts_the_age_by_the_wall_clock(self) -> None:
        assert read(400.0, None, wall=9060.0) == 1065.0

    def test_back_together_with_the_wall_clock_does_not_take_time_back(self) -> None:
        assert read(400.0, None, wall=8000.0) == 1005.0

    def test_never_takes_time_back(self) -> None:
        assert read(900.0, 1001.0) == 1005.0


def test_a_member_whose_own_clock_stood_still_believes_those_that_wrote() -> None:
    assert read(1000.3, 400.0) == 1005.3


class TestARestartOfTheMachine:
    def test_counts_the_age_by_the_wall_clock(self) -> None:
        assert read(3.0, None, epoch="b", wall=9100.0) == 1105.0
