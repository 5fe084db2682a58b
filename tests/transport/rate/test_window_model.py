"""Learning the windows of a server from Retry-After: where they end and how long they are."""

import math
from collections.abc import Callable

import pytest

from backupify_async._transport.rate.window_model import WindowModel
from tests.support.rate_simulation import OK, Reply, Run, adaptive, bucket, window
from tests.transport.rate.window_models import (
    blocked_until,
    model_after_an_opening,
    model_after_one_refusal,
    model_of_known_windows,
    send,
)


class TestTheFirstRefusal:
    def test_before_it_every_call_is_sent(self) -> None:
        assert send(WindowModel(), 0.0, 1_000) == 1_000

    def test_blocks_until_the_latest_possible_end(self) -> None:
        model = model_after_one_refusal()
        assert blocked_until(model, 10.1) == pytest.approx(15.1)

    def test_blocks_until_the_calls_in_flight_have_ended(self) -> None:
        model = model_after_one_refusal()
        assert model.earliest(20.0, 1) == math.inf

    def test_is_narrowed_by_further_ones(self) -> None:
        model = WindowModel()
        for sent_time, now in ((10.0, 10.4), (10.2, 10.3), (10.3, 10.5)):
            model.on_send()
            model.on_refusal(now, sent_time, 5.0)
        assert blocked_until(model, 10.5) == pytest.approx(15.3)

    def test_is_replaced_by_one_that_contradicts_it(self) -> None:
        model = WindowModel()
        for retry_after in (5.0, 50.0):
            model.on_send()
            model.on_refusal(10.1, 10.0, retry_after)
        assert blocked_until(model, 10.1) == pytest.approx(60.1)

    def test_with_a_zero_proves_that_seconds_are_rounded_down(self) -> None:
        model = WindowModel()
        for retry_after in (0.0, 3.0):
            model.on_send()
            model.on_refusal(10.1, 10.0, retry_after)
        assert blocked_until(model, 10.1) == pytest.approx(14.1)


class TestThePeriod:
    def test_is_the_common_number_of_seconds_that_fits_two_ends(self) -> None:
        assert model_of_known_windows(2).rate == 2 / 5

    def test_is_never_shorter_than_a_retry_after(self) -> None:
        model = model_after_an_opening(25.0, 4)
        model.on_refusal(36.1, 36.0, 29.0)
        model.earliest(36.1, 0)
        assert model.rate == 4 / 30

    @pytest.mark.parametrize(("quota", "period"), [(7, 2), (140, 2), (60, 60), (30, 10), (100, 15), (1, 5)])
    def test_of_a_server_is_found(self, quota: int, period: float) -> None:
        run = Run(adaptive(), window(quota, period)).until_accepted(6 * quota)
        assert run.limiter.estimate(run.now).per_second == pytest.approx(quota / period)  # type: ignore[attr-defined]

    def test_the_first_observed_window_ends_at_its_refusal(self) -> None:
        model = model_after_an_opening(3.0, 50)
        assert model.concerns(17.6, 17.5, 1.0)  # 5 s after an opening between 12 and 13.1
        assert not model.concerns(15.6, 15.5, 1.0)  # no period ends there

    def test_that_changes_voids_the_quota(self) -> None:
        model = model_of_known_windows(2)
        assert send(model, 20.0, 1) == 1
        model.on_send()
        model.on_refusal(20.2, 20.1, 57.0)
        assert model.rate is None

    def test_is_not_confused_with_several_windows_in_one_count(self) -> None:
        run = Run(adaptive(), window(140, 2)).until_accepted(3_000)
        assert run.limiter.estimate(run.now).per_second == pytest.approx(70)  # type: ignore[attr-defined]

    def test_does_not_exist_if_scouts_are_refused_after_its_end(self) -> None:
        model = model_of_known_windows(2)
        for at in (20.0, 23.0):
            assert not model.no_window
            assert model.earliest(at, 0) <= at
            model.on_send()
            model.on_refusal(at + 0.1, at + 0.05, 2.3)
        assert model.no_window


class TestAWindowThatBeginsWithACall:
    @pytest.mark.parametrize("rounding", [math.ceil, math.floor])
    def test_is_used_fully_with_few_refusals(self, rounding: Callable[[float], int]) -> None:
        end, count = -math.inf, 0

        def server(at: float) -> Reply:
            nonlocal end, count
            if at >= end:
                end, count = at + 5, 0
            count += 1
            return OK if count <= 300 else Reply(429, float(rounding(end - at)), takes=0.003)

        run = Run(adaptive(), server).until_accepted(900)
        began, refused = run.now, run.refused
        run.until_accepted(3_901)  # the first call of an eleventh window
        assert run.now - began < 1.03 * 55
        assert run.refused - refused <= 15


class TestASlowBucket:
    def test_of_one_call_in_five_seconds_is_taken_for_windows_of_one_call(self) -> None:
        run = Run(adaptive(), bucket(0.2, 1, whole_seconds=True)).until_accepted(60)
        assert run.now <= 330
