"""A limiter's state as JSON, from which another limiter continues."""

import json

import pytest

from backupify_async import RateLimit, RetryPolicy
from backupify_async._transport.rate.adaptive import AdaptiveLimiter
from tests.support.rate_simulation import LEARNING, OK, SERVERS, Run, adaptive


def restored(limiter: AdaptiveLimiter, max_concurrency: int = 64) -> AdaptiveLimiter:
    """Another limiter, made from this one's state."""
    text = json.dumps(limiter.state(), allow_nan=False)
    assert len(text) < 6_000
    return AdaptiveLimiter.from_state(json.loads(text), LEARNING, RetryPolicy(), max_concurrency)


@pytest.mark.parametrize("kind", SERVERS)
class TestALimiterThatContinues:
    def test_decides_the_same(self, kind: str) -> None:
        limiter = adaptive()
        run = Run(limiter, SERVERS[kind]()).until_accepted(1_000).rest(0.0)
        other = restored(limiter)
        assert other.state() == limiter.state()
        assert other.estimate(run.now) == limiter.estimate(run.now)
        assert max(run.now, other.earliest(run.now, 0)) == max(run.now, limiter.earliest(run.now, 0))

    def test_is_rarely_refused(self, kind: str) -> None:
        limiter = adaptive()
        run = Run(limiter, SERVERS[kind]()).until_accepted(3_000).rest(0.0)
        before = run.refused
        run.limiter = restored(limiter)
        run.until_accepted(3_500)
        assert run.refused - before <= 12


def test_a_restored_limiter_has_its_own_max_concurrency() -> None:
    limiter = adaptive(max_concurrency=64)
    Run(limiter, lambda at: OK).until_accepted(1_000)
    other = restored(limiter, max_concurrency=8)
    assert Run(other, lambda at: OK).until_accepted(1_000).most_in_flight == 8


@pytest.mark.parametrize("version", [0, 3, None, "4"])
def test_another_version_is_refused_by_name(version: object) -> None:
    state = {**adaptive().state(), "version": version}
    with pytest.raises(ValueError, match="version"):
        AdaptiveLimiter.from_state(state, RateLimit(), RetryPolicy(), 64)


@pytest.mark.parametrize("part", ["concurrency", "quota", "windows", "pacer", "blocked_until"])
@pytest.mark.parametrize("value", ["?", [1], {"_estimator": 3}])
def test_an_incomplete_state_is_refused(part: str, value: object) -> None:
    state = {**adaptive().state(), part: value}
    with pytest.raises(ValueError, match="not a limiter"):
        AdaptiveLimiter.from_state(state, RateLimit(), RetryPolicy(), 64)
