"""All parts together: who is told of which refusal, and what is believed of the limit."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async import RateLimit, RetryPolicy
from backupify_async._transport.rate import make_limiter
from backupify_async._transport.rate.adaptive import AdaptiveLimiter
from backupify_async._transport.rate.fixed_rate import FixedRateLimiter
from backupify_async._transport.rate.limiter import UNKNOWN
from backupify_async._transport.rate.window_model import WindowModel
from backupify_async.statistics import LimitSource, SpeedReason
from tests.support.rate_simulation import OK, Reply, Run, Server, adaptive, bucket, respond, sliding, window

ONE_LEFT = {"RateLimit": '"x";r=1;t=5'}


class TestMaking:
    def test_the_settings_say_which(self) -> None:
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
    def test_the_best_one_wins(self, server: Server, source: LimitSource) -> None:
        run = Run(adaptive(), server).until_accepted(300, at_most=2_000)
        assert run.limiter.estimate(run.now).source is source  # type: ignore[attr-defined]

    def test_an_unknown_limit_is_estimated_by_the_average_that_was_accepted(self) -> None:
        for retry_after, source, until in ((None, LimitSource.HISTORY, 0.6), (5.0, LimitSource.WINDOW, 5.5)):
            limiter = adaptive()
            for sent_time in (0.0, 0.1, 0.2, 0.3):
                respond(limiter, sent_time + 0.1, limiter.on_send(sent_time), 200, None, {})
            respond(limiter, 0.5, limiter.on_send(0.4), 429, retry_after, {})
            told = limiter.estimate(0.5)
            assert (told.source, told.per_second) == (source, 4 / until)

    def test_a_known_rate_is_reported(self) -> None:
        run = Run(adaptive(), bucket(50, 10)).until_accepted(1_000)
        assert run.limiter.estimate(run.now).per_second == pytest.approx(50, rel=0.02)  # type: ignore[attr-defined]

    def test_a_refusal_that_headers_explain_starts_no_search_for_a_window(self) -> None:
        limiter = adaptive()
        ticket = limiter.on_send(0.0)
        respond(limiter, 0.1, ticket, 429, 30.0, {"RateLimit": '"x";r=0;t=30'})
        assert limiter.estimate(0.1).source is LimitSource.HEADERS
        assert limiter.paused_until == pytest.approx(30.1)

    def test_headers_that_lied_three_times_are_ignored(self) -> None:
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

    def test_a_retry_after_of_one_second_means_less_so_a_probe_is_sent(self) -> None:
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


def reason(limiter: AdaptiveLimiter, now: float) -> SpeedReason:
    return limiter.estimate(now).reason


class TestReasons:
    """Why calls leave as fast as they do."""

    def test_a_client_that_was_never_refused_is_not_limited(self) -> None:
        limiter = adaptive()
        respond(limiter, 0.1, limiter.on_send(0.0), 200, None, {})
        assert limiter.estimate(0.1) == UNKNOWN
        assert UNKNOWN.reason is SpeedReason.NOT_LIMITED

    def test_the_limit_of_a_bucket_is_found_then_kept_then_exceeded(self) -> None:
        limiter = adaptive()
        run = Run(limiter, bucket(50, 10))
        told = []
        while run.accepted < 1_500:
            run.step()
            told.append(reason(limiter, run.now))
        assert list(dict.fromkeys(told)) == [
            SpeedReason.NOT_LIMITED,
            SpeedReason.FINDING,
            SpeedReason.AT_LIMIT,
            SpeedReason.ASKING,
        ]
        assert told[-200:].count(SpeedReason.FINDING) == 0

    def test_a_limit_that_is_gone_is_reported_as_the_speed_that_is_accepted(self) -> None:
        limiter, taken = adaptive(), bucket(50, 10)
        run = Run(limiter, lambda at: taken(at) if at < 20 else OK)
        while run.now < 45:
            run.step()
        told = limiter.estimate(run.now)
        assert told.reason is SpeedReason.ASKING
        assert told.per_second is not None
        assert told.per_second > 200

    def test_a_stray_refusal_limits_nothing_once_concurrency_is_full_again(self) -> None:
        limiter = adaptive()
        strays = iter([Reply(429)])
        run = Run(limiter, lambda at: next(strays, OK))
        while run.accepted < 5:
            run.step()
        assert reason(limiter, run.now) is SpeedReason.FINDING
        run.until_accepted(500)
        assert reason(limiter, run.now) is SpeedReason.NOT_LIMITED

    def test_a_retry_after_is_waited_for_until_its_end(self) -> None:
        limiter = adaptive()
        respond(limiter, 0.1, limiter.on_send(0.0), 429, 5.0, {})
        assert reason(limiter, 0.1) is SpeedReason.RETRY_AFTER
        assert reason(limiter, 5.0) is SpeedReason.FINDING

    def test_a_known_window_is_waited_for(self) -> None:
        limiter = adaptive()
        run = Run(limiter, window(50, 5.0))
        told = set()
        while run.now < 40:
            run.step()
            if run.now > 20:
                told.add(reason(limiter, run.now))
        assert told == {SpeedReason.AT_LIMIT, SpeedReason.WINDOW}

    def test_a_spent_quota_is_waited_for_until_its_reset(self) -> None:
        limiter = adaptive()
        respond(limiter, 0.1, limiter.on_send(0.0), 200, None, {"RateLimit": '"x";r=0;t=5'})
        assert reason(limiter, 0.1) is SpeedReason.QUOTA
        assert reason(limiter, 5.2) is SpeedReason.NOT_LIMITED

    def test_refused_probes_are_the_reason(self) -> None:
        limiter = adaptive()
        run = Run(limiter, lambda at: OK if at < 1 else Reply(429))
        while run.now < 20:
            run.step()
        assert reason(limiter, run.now) is SpeedReason.REFUSED

    def test_a_retry_after_over_the_maximum_is_the_reason(self) -> None:
        limiter = adaptive()
        respond(limiter, 0.1, limiter.on_send(0.0), 429, 500.0, {})
        assert reason(limiter, 400.0) is SpeedReason.RETRY_AFTER

    def test_a_fixed_rate_reports_its_pauses(self) -> None:
        limiter = make_limiter(RateLimit(5, adaptive=False), RetryPolicy(), 64)
        respond(limiter, 0.1, limiter.on_send(0.0), 429, 5.0, {})
        assert [limiter.estimate(now).reason for now in (0.1, 5.2)] == [
            SpeedReason.RETRY_AFTER,
            SpeedReason.NOT_LIMITED,
        ]


class TestTheAnnouncedRate:
    def test_is_what_a_window_holds_that_our_call_opened(self) -> None:
        run = Run(adaptive(), window(50, 5.0, headers=True)).until_accepted(300)
        assert run.limiter.estimate(run.now).per_second == pytest.approx(10)  # type: ignore[attr-defined]

    def test_is_known_after_a_refusal_even_if_only_refusals_have_headers(self) -> None:
        limiter = adaptive()
        for number in range(4):
            respond(limiter, number / 10 + 0.1, limiter.on_send(number / 10), 200, None, {})
        respond(limiter, 0.5, limiter.on_send(0.4), 429, 3.0, {"RateLimit": '"x";r=0;t=3'})
        assert limiter.estimate(0.5).per_second == pytest.approx(4 / 3.5)
        assert limiter.earliest(3.6, 0) <= 3.6
        respond(limiter, 3.7, limiter.on_send(3.6), 200, None, {})
        assert limiter.estimate(3.7).per_second is not None

    def test_is_none_if_the_reset_is_too_far_ahead_and_nothing_was_refused(self) -> None:
        limiter = adaptive()
        respond(limiter, 0.1, limiter.on_send(0.0), 200, None, {"RateLimit": '"x";r=9;t=3600'})
        assert limiter.estimate(0.1) == UNKNOWN


class TestFarAhead:
    def test_a_retry_after_over_the_maximum_blocks_the_limiter(self) -> None:
        limiter = adaptive()
        ticket = limiter.on_send(0.0)
        respond(limiter, 5.0, ticket, 429, 121.0, {})
        assert limiter.blocked_until == 126.0

    def test_one_at_the_maximum_does_not(self) -> None:
        limiter = adaptive()
        ticket = limiter.on_send(0.0)
        respond(limiter, 5.0, ticket, 429, 120.0, {})
        assert limiter.blocked_until == -math.inf

    def test_a_block_is_only_ever_lengthened(self) -> None:
        limiter = adaptive()
        for retry_after in (500.0, 200.0):
            respond(limiter, 5.0, limiter.on_send(4.0), 429, retry_after, {})
        assert limiter.blocked_until == 505.0

    def test_a_reset_so_far_ahead_is_ignored_until_a_refusal_names_it(self) -> None:
        limiter = adaptive()
        ticket = limiter.on_send(0.0)
        respond(limiter, 0.1, ticket, 200, None, {"RateLimit": '"x";r=0;t=3600'})
        assert limiter.earliest(0.1, 0) <= 0.1

    def test_an_epoch_is_read_by_the_servers_clock(self) -> None:
        limiter = adaptive()
        ticket = limiter.on_send(0.0)
        said = {
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": "4000000005",
            "Date": "Mon, 02 Oct 2096 07:06:40 GMT",  # 4,000,000,000
        }
        respond(limiter, 0.1, ticket, 200, None, said)
        assert limiter.earliest(0.1, 0) == pytest.approx(5.1)

    def test_an_hourly_quota_with_thousands_remaining_is_not_spent_one_by_one(self) -> None:
        used = 0

        def hourly(at: float) -> Reply:
            nonlocal used
            used += 1
            reset = 20 - at if at < 20 else 3620 - at
            left = 700 - used if at < 20 else 100_000 - used
            return Reply(
                200, None, {"X-RateLimit-Remaining": f"{left}", "X-RateLimit-Reset": f"{int(reset) + 1}"}
            )

        run = Run(adaptive(), hourly).until_accepted(4_000, at_most=60)
        assert run.accepted == 4_000


class TestABucketOfLessThanACallASecond:
    @pytest.mark.parametrize("per_second", [0.55, 0.66, 0.9])
    def test_is_paced_although_its_retry_after_looks_like_windows(self, per_second: float) -> None:
        run = Run(adaptive(), bucket(per_second, 5, whole_seconds=True)).until_accepted(1_500)
        assert run.limiter.estimate(run.now).source is LimitSource.HISTORY  # type: ignore[attr-defined]
        assert run.refused < 10 * run.now / 60
        assert run.now < 1.01 * 1_500 / per_second


class TestASlidingLog:
    @pytest.mark.parametrize(("quota", "period"), [(5, 2.0), (8, 5.0)])
    def test_of_a_few_calls_is_soon_not_taken_for_windows(self, quota: int, period: float) -> None:
        run = Run(adaptive(), sliding(quota, period)).until_accepted(1_500, at_most=1e5)
        assert run.refused < 10 * run.now / 60
        assert run.now < 1.35 * 1_500 / quota * period

    def test_that_looked_like_windows_is_paced_evenly_once_it_is_recognized(self) -> None:
        run = Run(adaptive(), sliding(300, 10.0)).until_accepted(5_000)
        assert run.limiter.estimate(run.now).source is LimitSource.HISTORY  # type: ignore[attr-defined]
        assert run.refused < 0.12 * 5_000  # as windows, each would cost a wave

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


class TestResponsesWithoutHeaders:
    @pytest.mark.parametrize("status", [200, 502])
    def test_do_not_reopen_a_spent_quota(self, status: int) -> None:
        limiter = adaptive()
        tickets = []
        for number in range(2):
            assert limiter.earliest(0.0, number) <= 0.0
            tickets.append(limiter.on_send(0.0))
        respond(limiter, 0.1, tickets[0], 200, None, {"RateLimit": '"x";r=0;t=5'})
        respond(limiter, 0.2, tickets[1], status, None, {})
        assert limiter.earliest(0.2, 0) == pytest.approx(5.1)


class TestInFlight:
    def test_a_call_with_a_response_is_no_longer_counted_against_the_quota(self) -> None:
        limiter = adaptive()
        tickets = []
        for number in range(10):
            assert limiter.earliest(0.0, number) <= 0.0
            tickets.append(limiter.on_send(0.0))
        for number, ticket in enumerate(tickets):
            respond(limiter, 0.1, ticket, 200, None, {"RateLimit": f'"x";r={14 - number};t=60'})
        assert limiter.earliest(0.2, 0) <= 0.2


@pytest.mark.slow
@given(
    st.floats(0.5, 50),
    st.integers(1, 8),
    st.lists(
        st.sampled_from([OK, OK, OK, Reply(429), Reply(429, 1.0), Reply(429, 3.0)]), min_size=1, max_size=30
    ),
    st.integers(0, 10),
)
def test_the_ceiling_is_never_exceeded(per_second: float, burst: int, story: list[Reply], seed: int) -> None:
    chance = random.Random(seed)
    run = Run(adaptive(per_second, burst), lambda at: chance.choice(story))
    while len(run.sent) < 120 and run.now < 200:
        run.step()
    times = run.sent
    for first, begin in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + per_second * (times[last] - begin) + 1e-6


class TestRest:
    @pytest.mark.parametrize("seconds", [2.0, 8.0, 60.0])
    def test_idle_time_says_nothing_of_the_rate(self, seconds: float) -> None:
        limiter = adaptive()
        run = Run(limiter, bucket(60, 10)).until_accepted(1_500).rest(seconds).until_accepted(2_700)
        assert limiter.estimate(run.now).per_second == pytest.approx(60, rel=0.02)
