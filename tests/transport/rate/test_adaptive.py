"""The adaptive limiter as a whole: which part hears of a refusal, and what it estimates."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async import RateLimit, RetryPolicy
from backupify_async._transport.rate import make_limiter
from backupify_async._transport.rate.adaptive import AdaptiveLimiter
from backupify_async._transport.rate.fixed_rate import FixedRateLimiter
from backupify_async._transport.rate.window_model import WindowModel
from backupify_async.statistics import LimitSource
from tests.support.rate_simulation import OK, Reply, Run, Server, adaptive, bucket, respond, sliding, window

ONE_LEFT = {"RateLimit": '"x";r=1;t=5'}


class TestMaking:
    def test_adaptive_in_the_settings_selects_the_limiter(self) -> None:
        made = [make_limiter(RateLimit(adaptive=wanted), RetryPolicy(), 64) for wanted in (True, False)]
        assert [type(limiter) for limiter in made] == [AdaptiveLimiter, FixedRateLimiter]


class TestSources:
    @pytest.mark.parametrize(
        ("server", "source"),
        [
            (lambda at: OK, LimitSource.NONE),
            (bucket(50, 10), LimitSource.HISTORY),
            (window(50, 5.0), LimitSource.WINDOW),
            (window(50, 5.0, headers=True), LimitSource.HEADERS),
            (bucket(0.5, 3, whole_seconds=True), LimitSource.WINDOW),
        ],
        ids=["none", "silent bucket", "window", "headers", "slow bucket"],
    )
    def test_the_best_one_is_used(self, server: Server, source: LimitSource) -> None:
        run = Run(adaptive(), server).until_accepted(300, at_most=2_000)
        assert run.limiter.estimate(run.now).source is source  # type: ignore[attr-defined]

    def test_an_unknown_limit_is_estimated_by_the_average_that_was_accepted(self) -> None:
        for retry_after, source, until in ((None, LimitSource.HISTORY, 0.6), (5.0, LimitSource.WINDOW, 5.5)):
            limiter = adaptive()
            for sent_time in (0.0, 0.1, 0.2, 0.3):
                respond(limiter, sent_time + 0.1, limiter.on_send(sent_time), 200, None, {})
            respond(limiter, 0.5, limiter.on_send(0.4), 429, retry_after, {})
            estimate = limiter.estimate(0.5)
            assert (estimate.source, estimate.per_second) == (source, 4 / until)

    def test_a_known_rate_is_reported(self) -> None:
        run = Run(adaptive(), bucket(50, 10)).until_accepted(1_000)
        assert run.limiter.estimate(run.now).per_second == pytest.approx(50, rel=0.02)  # type: ignore[attr-defined]

    def test_a_refusal_that_headers_explain_starts_no_search_for_a_window(self) -> None:
        limiter = adaptive()
        ticket = limiter.on_send(0.0)
        respond(limiter, 0.1, ticket, 429, 30.0, {"RateLimit": '"x";r=0;t=30'})
        assert limiter.estimate(0.1).source is LimitSource.HEADERS
        assert limiter.paused_until == pytest.approx(30.1)

    def test_headers_that_were_false_three_times_are_ignored(self) -> None:
        limiter = adaptive()
        for now in (0.0, 10.0, 20.0):
            ticket = limiter.on_send(now)
            respond(limiter, now + 0.1, ticket, 429, 30.0, ONE_LEFT)
        assert limiter.estimate(20.1).source is not LimitSource.HEADERS
        assert limiter.paused_until == pytest.approx(50.1)

    def test_a_retry_after_of_two_seconds_is_about_a_window(self) -> None:
        limiter = adaptive()
        ticket = limiter.on_send(0.0)
        respond(limiter, 0.1, ticket, 429, 2.0, {})
        assert limiter.paused_until == pytest.approx(2.1)

    def test_a_retry_after_of_one_second_is_probed_before_its_end(self) -> None:
        limiter = adaptive()
        ticket = limiter.on_send(0.0)
        respond(limiter, 0.1, ticket, 429, 1.0, {})
        assert limiter.earliest(0.1, 0) < 1.1
        limiter.on_send(0.3)
        assert limiter.earliest(0.35, 1) == math.inf

    def test_a_503_is_not_a_limit(self) -> None:
        limiter = adaptive()
        ticket = limiter.on_send(0.0)
        respond(limiter, 0.1, ticket, 503, 30.0, {})
        assert limiter.earliest(0.1, 0) <= 0.1
        assert limiter.estimate(0.1).source is LimitSource.NONE

    def test_two_limits_at_once_are_both_kept(self) -> None:
        second, minute = window(20, 1.0), window(600, 60.0)

        def both(at: float) -> Reply:
            first = minute(at)
            return first if first.status == 429 else second(at)

        run = Run(adaptive(), both).until_accepted(3_000, at_most=500)
        assert run.accepted == 3_000
        assert run.refused < 0.15 * 3_000


class TestABucketOfLessThanACallASecond:
    @pytest.mark.parametrize("per_second", [0.55, 0.66, 0.9])
    def test_is_paced_although_its_retry_after_resembles_that_of_windows(self, per_second: float) -> None:
        run = Run(adaptive(), bucket(per_second, 5, whole_seconds=True)).until_accepted(1_500)
        assert run.limiter.estimate(run.now).source is LimitSource.HISTORY  # type: ignore[attr-defined]
        assert run.refused < 10 * run.now / 60
        assert run.now < 1.01 * 1_500 / per_second


class TestASlidingLog:
    @pytest.mark.parametrize(("quota", "period"), [(5, 2.0), (8, 5.0)])
    def test_of_a_few_calls_is_soon_distinguished_from_windows(self, quota: int, period: float) -> None:
        run = Run(adaptive(), sliding(quota, period)).until_accepted(1_500, at_most=1e5)
        assert run.refused < 10 * run.now / 60
        assert run.now < 1.35 * 1_500 / quota * period

    def test_is_used_like_a_window_of_which_the_calls_are_spread(self) -> None:
        run = Run(adaptive(), sliding(300, 10.0)).until_accepted(900)
        refused, began = run.refused, run.now
        run.until_accepted(5_000)
        assert run.refused - refused <= 5 * (run.now - began) / 60
        assert run.now - began < 1.05 * 4_100 / 30

    def test_that_sends_retry_after_gets_no_call_before_its_end(self) -> None:
        limiter = adaptive()
        ticket = limiter.on_send(0.0)
        respond(limiter, 0.1, ticket, 429, 1.0, {})
        limiter._pacer.assume(0.1, 30.0)
        limiter._replace_windows(WindowModel(enabled=False))
        for number in range(50):
            respond(limiter, 5.1 + number / 50, limiter.on_send(5 + number / 50), 200, None, {})
        respond(limiter, 6.1, limiter.on_send(6.05), 429, 30.0, {})
        assert limiter.earliest(6.1, 0) >= 35.05


class TestRest:
    @pytest.mark.parametrize("seconds", [2.0, 8.0, 60.0])
    def test_idle_time_does_not_change_the_rate(self, seconds: float) -> None:
        limiter = adaptive()
        run = Run(limiter, bucket(60, 10)).until_accepted(1_500).rest(seconds).until_accepted(2_700)
        assert limiter.estimate(run.now).per_second == pytest.approx(60, rel=0.02)


@pytest.mark.slow
@given(
    st.floats(0.5, 50),
    st.integers(1, 8),
    st.lists(
        st.sampled_from([OK, OK, OK, Reply(429), Reply(429, 1.0), Reply(429, 3.0)]), min_size=1, max_size=30
    ),
    st.integers(0, 10),
)
def test_the_ceiling_is_never_exceeded(
    per_second: float, burst: int, replies: list[Reply], seed: int
) -> None:
    chance = random.Random(seed)
    run = Run(adaptive(per_second, burst), lambda at: chance.choice(replies))
    while len(run.sent) < 120 and run.now < 200:
        run.step()
    times = run.sent
    for first, begin in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + per_second * (times[last] - begin) + 1e-6
