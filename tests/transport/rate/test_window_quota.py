"""How many calls a window holds: the quota is learned, and followed when it rises or falls."""

import math

import pytest

from backupify_async._transport.rate.window_model import WindowModel
from tests.support.rate_simulation import Reply, Run, adaptive, window
from tests.transport.rate.window_models import blocked_until, model_of_known_windows, send


class TestTheQuota:
    def test_once_spent_blocks_until_the_next_window(self) -> None:
        model = model_of_known_windows(2)
        assert send(model, 20.0, 10) == 2
        assert model.earliest(20.0, 2) == 25.0

    def test_does_not_count_a_cancelled_call(self) -> None:
        model = model_of_known_windows(2)
        assert send(model, 20.0, 2) == 2
        model.on_cancel()
        assert send(model, 20.0, 10) == 1

    def test_is_whole_again_after_a_window_that_ended_unspent(self) -> None:
        model = model_of_known_windows(2)
        assert send(model, 20.0, 1) == 1
        assert send(model, 26.0, 10) == 2

    def test_begins_at_the_right_time_after_hours_without_calls(self) -> None:
        model = model_of_known_windows(2)
        assert send(model, 20.0, 2) == 2
        assert send(model, 7_203.0, 3) == 3  # one beyond the quota
        model.on_refusal(7_203.1, 7_203.0, 2.0)
        assert model.earliest(7_203.1, 0) == pytest.approx(7_205.0)

    def test_is_exceeded_by_one_call_every_twelve_seconds(self) -> None:
        model = model_of_known_windows(2)
        beyond = []
        for at in (20.0, 25.0, 30.0, 35.0):
            beyond.append(send(model, at, 3) - 2)
            if beyond[-1]:
                model.on_refusal(at + 0.1, at, 4.9)
        assert beyond == [0, 0, 1, 0]

    def test_is_exceeded_by_as_many_more_as_were_accepted_beyond_it(self) -> None:
        model = model_of_known_windows(2)
        assert send(model, 42.0, 3) == 3
        assert model.earliest(42.1, 1) == math.inf
        for in_flight in range(1, 10):
            model.on_send()
            assert model.earliest(42.2, in_flight) <= 42.2
            assert model.earliest(42.2, in_flight + 1) == math.inf
            model.on_send()

    def test_is_unknown_again_after_a_window_in_which_all_beyond_it_were_accepted(self) -> None:
        model = model_of_known_windows(2)
        assert send(model, 42.0, 3) == 3  # one beyond the quota
        assert send(model, 50.0, 64) == 64

    def test_is_sent_at_once(self) -> None:
        model = model_of_known_windows(20)
        assert send(model, 26.0, 30) == 20

    def test_is_spread_after_its_first_half_in_the_window_after_one_with_more_calls(self) -> None:
        model = model_of_known_windows(20)
        assert send(model, 20.0, 20) == 11
        assert model.earliest(20.0, 0) == pytest.approx(20.0 + 3.75 / 10)
        assert send(model, 20.0 + 3.75, 20) == 9

    def test_is_spread_for_a_while_after_a_window_that_held_less(self) -> None:
        model = model_of_known_windows(20)
        assert send(model, 20.0, 11) == 11
        model.on_refusal(20.2, 20.0, 4.9)
        assert blocked_until(model, 20.2) == pytest.approx(25.0)
        assert send(model, 26.0, 20) == 11

    def test_rises_to_what_a_window_held(self) -> None:
        model = model_of_known_windows(2)
        send(model, 42.0, 3)
        send(model, 42.2, 2)
        model.on_refusal(42.4, 42.2, 2.6)
        assert model.earliest(42.4, 0) == pytest.approx(45.0)
        assert model.rate == 4 / 5

    def test_is_kept_if_the_call_beyond_it_is_refused(self) -> None:
        model = model_of_known_windows(2)
        send(model, 40.0, 3)
        model.on_refusal(40.2, 40.0, 4.9)
        assert model.earliest(40.2, 0) == pytest.approx(45.0)
        assert model.rate == 2 / 5

    def test_costs_at_most_five_refusals_a_minute(self) -> None:
        run = Run(adaptive(), window(50, 5.0)).until_accepted(200)
        before, since = run.refused, run.now
        run.until_accepted(1_400)
        assert run.refused - before <= 5 * (run.now - since) / 60


def dip(model: WindowModel, at: float) -> None:
    """Let the window that begins `at` hold one call less than its quota of two."""
    assert send(model, at, 2) == 2
    model.on_refusal(at + 0.2, at, 4.9)
    assert blocked_until(model, at + 0.2) == pytest.approx(at + 5)


class TestDips:
    def test_one_changes_nothing(self) -> None:
        model = model_of_known_windows(2)
        dip(model, 20.0)
        assert model.rate == 2 / 5

    def test_two_in_a_row_lower_the_quota(self) -> None:
        model = model_of_known_windows(2)
        dip(model, 20.0)
        dip(model, 25.0)
        assert model.rate == 1 / 5

    def test_a_server_whose_quota_fell_is_followed(self) -> None:
        many, few = window(60, 5.0), window(20, 5.0)
        run = Run(adaptive(), lambda at: many(at) if at < 30 else few(at)).until_accepted(600)
        assert run.limiter.estimate(run.now).per_second == pytest.approx(4, abs=0.3)  # type: ignore[attr-defined]

    def test_a_server_whose_quota_rose_is_followed_within_a_thousand_calls(self) -> None:
        few, many = window(5, 2.0), window(100, 2.0)
        run = Run(adaptive(), lambda at: few(at) if at < 20 else many(at)).until_accepted(1_050)
        assert run.limiter.estimate(run.now).per_second >= 25  # type: ignore[attr-defined]


class TestACollapse:
    """A time in which windows hold almost nothing must not lower the quota for ever."""

    @pytest.mark.parametrize("period", [2, 5, 60])
    def test_of_the_server_lowers_the_quota_only_while_it_lasts(self, period: float) -> None:
        healthy, begin, end = window(100, period), 3 * period, 10 * period
        run = Run(adaptive(), lambda at: Reply(429, 2.0) if begin <= at < end else healthy(at))
        while run.now < end:
            run.step()
        before = run.accepted
        run.until_accepted(before + 2_000, at_most=run.now + 60 * period)  # 20 would be ideal
        assert run.accepted == before + 2_000

    @pytest.mark.parametrize("period", [2, 5, 60])
    def test_caused_by_another_client_lowers_the_quota_only_while_it_lasts(self, period: float) -> None:
        healthy, taken = window(100, period), window(1, period)
        run = Run(adaptive(), lambda at: (taken if 4 <= at / period < 8 else healthy)(at))
        while run.now < 8 * period:
            run.step()
        before = run.accepted
        run.until_accepted(before + 2_000, at_most=run.now + 60 * period)
        assert run.accepted == before + 2_000
