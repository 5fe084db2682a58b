"""Calls sent early: a scout finds the opening of a window, a probe whether a pause concerns all calls."""

import math

import pytest

from tests.transport.rate.window_models import (
    blocked_until,
    model_after_one_refusal,
    model_of_a_wide_opening,
    model_of_known_windows,
    send,
)


class TestScouts:
    def test_are_sent_in_the_middle_of_a_wide_opening(self) -> None:
        assert blocked_until(model_of_a_wide_opening(), 16.0) == pytest.approx(19.5)

    def test_hold_up_the_other_calls_until_the_response(self) -> None:
        model = model_of_a_wide_opening()
        model.earliest(16.0, 0)
        model.earliest(19.5, 0)
        model.on_send()
        assert model.earliest(19.5, 1) == math.inf

    def test_are_followed_by_at_most_two_calls_in_flight_for_each_accepted(self) -> None:
        model = model_of_a_wide_opening(100)
        model.earliest(16.0, 0)
        model.earliest(19.5, 0)
        for accepted in range(3):
            while model.used < 3 * accepted + 4:
                model.on_send()
            model.on_success(19.6, 19.5)
            assert model.earliest(19.6, 2 * accepted + 2) <= 19.6
            assert model.earliest(19.6, 2 * accepted + 3) == math.inf

    def test_that_are_accepted_open_the_window(self) -> None:
        model = model_of_a_wide_opening()
        model.earliest(16.0, 0)
        send(model, 19.5, 1)
        assert send(model, 19.6, 2) == 2

    def test_that_are_refused_narrow_the_opening(self) -> None:
        model = model_of_a_wide_opening()
        model.earliest(16.0, 0)
        model.earliest(19.5, 0)
        model.on_send()
        model.on_refusal(19.6, 19.5, 1.0)
        assert model.earliest(19.6, 0) == pytest.approx(20.0)
        assert model.rate == 3 / 5

    def test_without_a_response_are_followed_by_another(self) -> None:
        model = model_of_a_wide_opening()
        model.earliest(16.0, 0)
        model.earliest(19.5, 0)
        model.on_send()
        assert model.earliest(19.9, 1) == math.inf
        assert model.earliest(19.9, 0) <= 19.9


class TestProbes:
    """They find out whether an unpredicted pause concerns all calls or only the refused one."""

    def test_are_sent_a_second_after_the_refusal_while_other_calls_wait(self) -> None:
        model = model_after_one_refusal()
        assert model.earliest(10.1, 0) == pytest.approx(11.1)
        model.on_send()
        assert model.earliest(11.1, 1) == model.earliest(12.0, 0) == pytest.approx(15.1)

    def test_that_are_refused_confirm_the_pause(self) -> None:
        model = model_after_one_refusal()
        model.earliest(10.1, 0)
        model.on_send()
        model.on_refusal(11.3, 11.2, 4.0)
        assert not model.per_call
        assert model.earliest(11.3, 0) == pytest.approx(15.1)

    @pytest.mark.parametrize("received_at", [11.3, 15.3])
    def test_that_are_accepted_refute_the_pause_even_with_a_late_response(self, received_at: float) -> None:
        model = model_after_one_refusal()
        model.earliest(10.1, 0)
        model.on_send()
        model.earliest(15.1, 0)
        model.on_success(received_at, 11.2)
        assert model.per_call

    def test_are_no_calls_sent_before_the_refusal_arrived(self) -> None:
        model = model_after_one_refusal()
        model.earliest(10.1, 0)
        model.on_success(10.3, 10.05)
        assert not model.per_call

    def test_are_not_sent_if_the_quota_was_as_predicted(self) -> None:
        model = model_of_known_windows(2)
        send(model, 40.0, 3)
        model.on_refusal(40.2, 40.0, 4.9)
        assert model.earliest(40.2, 0) == pytest.approx(45.0)

    def test_are_not_sent_if_the_end_is_near(self) -> None:
        model = model_after_one_refusal(1.0)
        assert model.earliest(10.1, 0) == pytest.approx(11.1)
