"""The speed around a rate: a plateau, then growth, and slots at a varying speed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async._transport.rate.speed import CreditBucket, growth, plateau


def test_the_plateau_doubles_with_each_agreement_up_to_twelve_seconds() -> None:
    assert [plateau(confirmed) for confirmed in (0, 1, 2, 3, 4, 1000)] == [1, 2, 4, 8, 12, 12]


def test_growth_doubles_faster_and_faster() -> None:
    assert [growth(seconds) for seconds in (-1, 0, 2, 4, 6)] == [1, 1, 2, 16, 512]


@given(st.floats(1e-3, 1e3))
def test_any_rate_grows_a_thousandfold_in_seven_seconds(rate: float) -> None:
    assert rate * growth(7) > 1000 * rate


class TestSlots:
    def test_are_spaced_by_the_speed(self) -> None:
        slots = CreditBucket()
        slots.advance(0.0, 10.0)
        slots.on_send()
        assert slots.earliest(0.0, 10.0, steady_until=math.inf) == pytest.approx(0.1)

    def test_missed_by_a_late_timer_are_granted_at_once(self) -> None:
        slots = CreditBucket()
        slots.advance(0.0, 100.0)
        slots.advance(0.05, 100.0)
        for _ in range(6):
            assert slots.earliest(0.05, 100.0, steady_until=math.inf) == 0.05
            slots.on_send()

    def test_of_an_idle_time_are_lost(self) -> None:
        slots = CreditBucket()
        slots.advance(0.0, 100.0)
        slots.advance(60.0, 100.0)
        for _ in range(11):
            slots.on_send()
        assert slots.earliest(60.0, 100.0, steady_until=math.inf) > 60.0

    def test_are_withheld_during_a_rest_of_a_number_of_calls(self) -> None:
        slots = CreditBucket()
        slots.advance(0.0, 10.0)
        slots.rest(0.0, 2.0)
        assert slots.earliest(0.0, 10.0, steady_until=math.inf) == pytest.approx(0.2)

    def test_are_computed_anew_soon_while_the_speed_grows(self) -> None:
        slots = CreditBucket()
        slots.advance(0.0, 0.01)
        slots.on_send()
        assert slots.earliest(0.0, 0.01, steady_until=0.0) == pytest.approx(0.25)

    def test_of_cancelled_calls_are_free_again(self) -> None:
        slots = CreditBucket()
        slots.advance(0.0, 1.0)
        slots.on_send()
        slots.on_cancel()
        assert slots.earliest(0.0, 1.0, steady_until=math.inf) == 0.0
