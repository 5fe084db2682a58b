"""The rate limits of the simulated server: which requests pass, and the Retry-After of a refusal."""

import math

import pytest

from backupify_async.testing import FixedWindow, TokenBucket
from backupify_async.testing._limits import LimitExceeded

_NOW = 1_767_225_600.0


class TestTokenBucket:
    def test_a_full_bucket_lets_exactly_a_burst_pass(self) -> None:
        counter = TokenBucket(10, 3).counter()
        assert [counter.take(_NOW) for _ in range(4)] == [None, None, None, LimitExceeded(1)]

    def test_it_fills_at_its_rate(self) -> None:
        counter = TokenBucket(10, 1).counter()
        assert [counter.take(_NOW + tenths / 10) for tenths in range(5)] == [None] * 5

    def test_a_refused_request_takes_nothing(self) -> None:
        counter = TokenBucket(1, 1).counter()
        counter.take(_NOW)
        assert [counter.take(_NOW + 0.5), counter.take(_NOW + 1)] == [LimitExceeded(1), None]

    def test_a_pause_saves_one_burst_at_most(self) -> None:
        counter = TokenBucket(1, 2).counter()
        counter.take(_NOW)
        assert [counter.take(_NOW + 1000) is None for _ in range(3)] == [True, True, False]

    def test_retry_after_is_rounded_up_to_whole_seconds(self) -> None:
        counter = TokenBucket(0.4, 1).counter()
        counter.take(_NOW)
        assert counter.take(_NOW) == LimitExceeded(3)

    def test_retry_after_can_be_omitted(self) -> None:
        counter = TokenBucket(1, 1, retry_after=False).counter()
        counter.take(_NOW)
        assert counter.take(_NOW) == LimitExceeded(None)

    @pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf])
    def test_an_invalid_rate_is_refused(self, rate: float) -> None:
        with pytest.raises(ValueError, match="per_second"):
            TokenBucket(rate)

    def test_an_empty_burst_is_refused(self) -> None:
        with pytest.raises(ValueError, match="burst"):
            TokenBucket(1, 0)


class TestFixedWindow:
    def test_it_counts_up_to_its_limit(self) -> None:
        counter = FixedWindow(2, 60).counter()
        assert [counter.take(_NOW) for _ in range(3)] == [None, None, LimitExceeded(60)]

    def test_windows_are_aligned_to_the_epoch_and_not_to_the_first_request(self) -> None:
        counter = FixedWindow(1, 60).counter()
        assert [counter.take(_NOW + 59), counter.take(_NOW + 60)] == [None, None]

    def test_retry_after_is_the_rest_of_the_window_in_whole_seconds(self) -> None:
        counter = FixedWindow(1, 60).counter()
        counter.take(_NOW)
        assert [counter.take(_NOW + 0.9), counter.take(_NOW + 59.9)] == [LimitExceeded(60), LimitExceeded(1)]

    def test_retry_after_can_be_omitted(self) -> None:
        counter = FixedWindow(1, 60, retry_after=False).counter()
        counter.take(_NOW)
        assert counter.take(_NOW) == LimitExceeded(None)

    @pytest.mark.parametrize(("limit", "period"), [(0, 1), (1, 0)])
    def test_a_limit_or_period_below_one_is_refused(self, limit: int, period: int) -> None:
        with pytest.raises(ValueError, match="must be >= 1"):
            FixedWindow(limit, period)

    def test_a_period_of_half_a_second_is_refused(self) -> None:
        with pytest.raises(TypeError, match="period"):
            FixedWindow(1, 0.5)  # type: ignore[arg-type]
