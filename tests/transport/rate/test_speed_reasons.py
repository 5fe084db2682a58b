"""Which reason the adaptive limiter reports for the present speed."""

from backupify_async import RateLimit, RetryPolicy
from backupify_async._transport.rate import make_limiter
from backupify_async._transport.rate.adaptive import AdaptiveLimiter
from backupify_async._transport.rate.limiter import UNKNOWN
from backupify_async.statistics import SpeedReason
from tests.support.rate_simulation import OK, Reply, Run, adaptive, bucket, respond, window


def reason(limiter: AdaptiveLimiter, now: float) -> SpeedReason:
    return limiter.estimate(now).reason


class TestReasons:
    def test_a_client_that_was_never_refused_is_not_limited(self) -> None:
        limiter = adaptive()
        respond(limiter, 0.1, limiter.on_send(0.0), 200, None, {})
        assert limiter.estimate(0.1) == UNKNOWN
        assert UNKNOWN.reason is SpeedReason.NOT_LIMITED

    def test_the_limit_of_a_bucket_is_found_then_kept_then_exceeded(self) -> None:
        limiter = adaptive()
        run = Run(limiter, bucket(50, 10))
        reasons = []
        while run.accepted < 1_500:
            run.step()
            reasons.append(reason(limiter, run.now))
        assert list(dict.fromkeys(reasons)) == [
            SpeedReason.NOT_LIMITED,
            SpeedReason.FINDING,
            SpeedReason.AT_LIMIT,
            SpeedReason.ASKING,
        ]
        assert reasons[-200:].count(SpeedReason.FINDING) == 0

    def test_a_limit_that_ended_is_reported_as_the_speed_that_is_accepted(self) -> None:
        limiter, taken = adaptive(), bucket(50, 10)
        run = Run(limiter, lambda at: taken(at) if at < 20 else OK)
        while run.now < 45:
            run.step()
        estimate = limiter.estimate(run.now)
        assert estimate.reason is SpeedReason.ASKING
        assert estimate.per_second is not None
        assert estimate.per_second > 200

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
        reasons = set()
        while run.now < 40:
            run.step()
            if run.now > 20:
                reasons.add(reason(limiter, run.now))
        assert reasons == {SpeedReason.AT_LIMIT, SpeedReason.WINDOW}

    def test_a_spent_quota_is_waited_for_until_its_reset(self) -> None:
        limiter = adaptive()
        respond(limiter, 0.1, limiter.on_send(0.0), 200, None, {"RateLimit": '"x";r=0;t=5'})
        assert reason(limiter, 0.1) is SpeedReason.QUOTA
        assert reason(limiter, 5.2) is SpeedReason.NOT_LIMITED

    def test_refused_probes_are_reported(self) -> None:
        limiter = adaptive()
        run = Run(limiter, lambda at: OK if at < 1 else Reply(429))
        while run.now < 20:
            run.step()
        assert reason(limiter, run.now) is SpeedReason.REFUSED

    def test_a_retry_after_over_the_maximum_is_reported_until_its_end(self) -> None:
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
