"""The rate of a server, estimated from the times of refusals and the calls accepted in between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async._transport.rate.rate_estimator import Depletion, Overshoot, RateEstimator


def estimator_after(*refusals: tuple[float, int], speed: float = 1e9) -> RateEstimator:
    """An estimator after refusals, each with its time and how many calls were accepted before it."""
    estimator = RateEstimator()
    for at, accepted in refusals:
        estimator.on_refusal(Depletion(at, accepted), speed)
    return estimator


def confirmed_estimator(rate: float = 10.0) -> RateEstimator:
    """An estimator whose rate was confirmed twice, the last time at 30 s."""
    estimator = estimator_after((0, 0), (10, round(10 * rate)))
    for at in (20, 30):
        estimator.on_refusal(Depletion(at, round(at * rate)), 2 * rate, Overshoot(1.0, 2.0))
    return estimator


class TestTheRate:
    def test_is_unknown_after_one_refusal(self) -> None:
        assert estimator_after((5.0, 1_000)).rate is None

    @given(st.floats(0.5, 1_000), st.integers(8, 10_000), st.integers(0, 10**6))
    def test_is_the_count_between_two_refusals_over_the_time(
        self, rate: float, count: int, burst: int
    ) -> None:
        assert estimator_after((1.0, burst), (1.0 + count / rate, burst + count)).rate == pytest.approx(rate)

    def test_is_bounded_by_a_count_of_few_calls(self) -> None:
        assert estimator_after((0.0, 10), (10.0, 12)).rate == pytest.approx((2 + 3) / 10)

    def test_is_at_most_the_speed_that_was_refused(self) -> None:
        estimator = estimator_after((0.0, 0), (10.0, 100), speed=8.0)
        assert estimator.rate == 8.0

    def test_is_the_average_of_all_counts_that_agree(self) -> None:
        estimator = estimator_after((0.0, 0), (10.0, 100), (11.0, 111), (20.0, 200))
        assert estimator.rate == pytest.approx(200 / 20)

    def test_is_corrected_by_a_late_response(self) -> None:
        estimator = estimator_after((0.0, 0), (10.0, 98))
        estimator.on_late_success(sent_time=5.0)
        estimator.on_late_success(sent_time=15.0)
        estimator.on_refusal(Depletion(20.0, 200), 1e9)
        assert estimator.last == Depletion(20.0, 200)
        assert estimator.rate == pytest.approx(10)


class TestAFall:
    def test_is_followed_at_once_even_after_few_calls(self) -> None:
        estimator = confirmed_estimator(100.0)
        estimator.on_refusal(Depletion(30.5, 3_005), 100.0)
        assert estimator.rate == pytest.approx((5 + 3) / 0.5)
        assert estimator.confirmed == 0

    def test_is_not_assumed_if_the_few_calls_can_be_chance(self) -> None:
        estimator = confirmed_estimator(10.0)
        estimator.on_refusal(Depletion(30.3, 301), 10.0)
        assert estimator.rate == pytest.approx(10, rel=0.01)
        assert estimator.confirmed == 2


class TestARise:
    def test_beyond_the_size_of_the_bucket_is_guessed_between_estimate_and_speed(self) -> None:
        estimator = confirmed_estimator(10.0)
        estimator.on_refusal(Depletion(40.0, 450), 160.0, Overshoot(4.0, 60.0))
        assert estimator.rate == pytest.approx((15 * 160) ** 0.5)
        assert estimator.confirmed == 0

    def test_that_a_count_refutes_shows_the_size_of_the_bucket(self) -> None:
        estimator = confirmed_estimator(10.0)
        estimator.on_refusal(Depletion(40.0, 450), 160.0, Overshoot(4.0, 60.0))
        estimator.on_refusal(Depletion(45.0, 500), 49.0)
        assert estimator.rate == pytest.approx((50 + 3) / 5)
        estimator.on_refusal(Depletion(55.0, 600), 20.0, Overshoot(4.0, 60.0))
        assert estimator.rate == pytest.approx(10, rel=0.2)

    def test_that_a_count_confirms_is_kept(self) -> None:
        estimator = confirmed_estimator(10.0)
        estimator.on_refusal(Depletion(40.0, 450), 160.0, Overshoot(4.0, 60.0))
        estimator.on_refusal(Depletion(50.0, 930), 49.0)
        assert estimator.rate == pytest.approx(48)


class TestConfirmation:
    def test_comes_from_agreeing_refusals_while_the_speed_grows(self) -> None:
        assert confirmed_estimator().confirmed == 2

    def test_does_not_come_from_refusals_within_a_plateau(self) -> None:
        estimator = estimator_after((0.0, 0), (10.0, 100), (20.0, 200), (30.0, 300))
        assert estimator.confirmed == 0

    def test_is_lost_by_a_count_that_differs(self) -> None:
        estimator = confirmed_estimator(10.0)
        estimator.on_refusal(Depletion(40.0, 450), 20.0, Overshoot(1.0, 2.0))
        assert estimator.confirmed == 0

    def test_is_lost_if_another_rate_is_assumed(self) -> None:
        estimator = confirmed_estimator()
        estimator.assume(7.0)
        assert (estimator.rate, estimator.confirmed) == (7.0, 0)


class TestCounting:
    def test_started_anew_forgets_what_was_counted_before(self) -> None:
        estimator = estimator_after((0.0, 0), (10.0, 100))
        estimator.start(Depletion(100.0, 100))
        estimator.on_refusal(Depletion(110.0, 200), 1e9)
        assert estimator.rate == pytest.approx(10)

    def test_does_not_begin_with_a_pause_before_any_refusal(self) -> None:
        estimator = RateEstimator()
        estimator.resume(Depletion(5.0, 50))
        assert estimator.last is None

    def test_restarts_after_four_refusals_within_plateaus(self) -> None:
        """By then the server has another limit."""
        estimator = estimator_after((0.0, 0), (10.0, 100))
        for at, accepted in ((11, 109), (12, 118), (13, 127), (14, 136)):
            estimator.on_refusal(Depletion(at, accepted), 10.0)
        estimator.on_refusal(Depletion(15.0, 145), 10.0)
        assert estimator.rate == pytest.approx(9)
