"""Servers that refuse with a bare 429: windows and sliding logs are found by the lockouts that they cause."""

import math

import pytest

from backupify_async._transport.rate.headers import TimeInterval
from backupify_async._transport.rate.lockout import Refill
from backupify_async._transport.rate.window_end import window_end
from backupify_async._transport.rate.window_model import WindowModel, silent_windows
from backupify_async.statistics import LimitSource
from tests.support.rate_simulation import OK, Reply, Run, Server, adaptive, bucket, window
from tests.transport.rate.window_models import send


def sliding(quota: int, period: float) -> Server:
    """A server that allows a quota of calls in any period, and sends no Retry-After."""
    accepted: list[float] = []

    def answer(at: float) -> Reply:
        if len(accepted) >= quota and at < accepted[-quota] + period:
            return Reply(429)
        accepted.append(at)
        return OK

    return answer


def begins_with_call(quota: int, period: float) -> Server:
    """A server whose windows begin with their first call."""
    end, count = -math.inf, 0

    def answer(at: float) -> Reply:
        nonlocal end, count
        if at >= end:
            end, count = at + period, 0
        count += 1
        return OK if count <= quota else Reply(429)

    return answer


def refill(seconds: float, held: int = 20, burst: float = 1.0) -> Refill:
    """What was accepted between lockouts that ended in [9, 10] and `seconds` later."""
    return Refill(TimeInterval(9, 10), TimeInterval(9 + seconds, 10 + seconds), held, burst)


def model(held: int = 20) -> WindowModel:
    """A model of windows of 10 s, of which the present one opened at 20."""
    found = silent_windows(refill(10, held), 19.9)
    assert found is not None
    return found


class TestARefill:
    @pytest.mark.parametrize(("seconds", "period"), [(2, 2), (5.4, 5), (9.5, 10), (60, 60), (3_600, 3_600)])
    def test_after_a_nice_number_of_seconds_can_be_a_window(self, seconds: float, period: int) -> None:
        found = window_end(refill(seconds), 9.99 + seconds, 1 / 8)
        assert found is not None
        assert found.period == period

    def test_of_a_log_comes_later_by_the_time_of_sending(self) -> None:
        found = window_end(refill(13.5, burst=4), 23.4, 1 / 8)
        assert found is not None
        assert found.period == 10

    def test_that_was_sent_evenly_is_not_one(self) -> None:
        assert window_end(refill(10, burst=9), 19.9, 1 / 8) is None

    def test_after_another_time_is_not_one(self) -> None:
        assert window_end(refill(42), 51.9, 1 / 8) is None

    def test_is_not_one_if_calls_are_long_beside_it(self) -> None:
        assert window_end(refill(2), 11.0, 1 / 8) is None


class TestAModel:
    def test_is_tried_out_by_one_call_more(self) -> None:
        subject = model(20)
        assert [send(subject, 20.0 + 6.0 * number / 20, 1) for number in range(1, 20)] == [1] * 19
        assert subject.earliest(28.0, 0) <= 28.0
        subject.on_send()
        assert subject.earliest(28.0, 1) == math.inf
        subject.on_refusal(28.2, 28.0, None)
        assert subject.earliest(28.2, 0) >= 29.5
        assert subject.rate == 2.0

    def test_is_none_if_more_is_accepted_until_the_end_of_the_window(self) -> None:
        subject = model(20)
        for number in range(1, 20):
            send(subject, 20.0 + 6.0 * number / 20, 1)
        send(subject, 28.0, 1)
        subject.earliest(30.1, 0)
        assert subject.rate is None

    def test_spreads_all_calls(self) -> None:
        subject = model(20)
        assert send(subject, 20.0, 5) == 0
        assert send(subject, 23.0, 20) == 10

    def test_delays_the_calls_after_one_that_came_too_early(self) -> None:
        subject = model(20)
        due = subject.earliest(20.0, 0)
        subject.on_send()
        assert subject.concerns(due + 0.1, due, None)
        subject.on_refusal(due + 0.1, due, None)
        assert subject.earliest(due + 0.1, 0) == pytest.approx(due + 0.3)

    def test_is_given_up_after_the_fourth_such_call_in_a_window(self) -> None:
        subject = model(20)
        for at in (20.5, 21.0, 21.5, 22.0):
            assert not subject.no_window
            subject.on_send()
            subject.on_refusal(at + 0.1, at, None)
        assert subject.no_window


def test_a_quota_that_rises_in_two_windows_in_a_row_is_none() -> None:
    subject = model(10)
    for opening, quota in ((20.0, 10), (30.0, 13)):
        assert not subject.no_window
        assert send(subject, opening + 7.0, quota) >= quota - 1
        for _ in range(4):
            subject.on_send()
        subject.on_refusal(opening + 8.5, opening + 8.0, None)
        if quota == 10:
            subject.earliest(29.0, 0)
            send(subject, 30.1, 1)
    assert subject.no_window


def test_many_calls_at_once_that_came_too_early_end_a_model() -> None:
    subject = model(100)
    for at in (20.5, 22.0):
        for _ in range(10):
            assert not subject.no_window
            subject.on_send()
        for _ in range(9):
            subject.on_refusal(at + 0.5, at, None)
    assert subject.no_window


@pytest.mark.parametrize("kind", [lambda n, t: window(n, t, silent=True), begins_with_call, sliding])
@pytest.mark.parametrize(("quota", "period"), [(20, 2), (300, 5), (100, 10)])
def test_once_found_a_quota_costs_five_refusals_a_minute(kind: object, quota: int, period: int) -> None:
    assert callable(kind)
    run = Run(adaptive(), kind(quota, period)).until_accepted(6 * quota)
    assert run.limiter.estimate(run.now).source is LimitSource.WINDOW  # type: ignore[attr-defined]
    began, refused = run.now, run.refused
    run.until_accepted(30 * quota)
    assert run.refused - refused <= 5 * (run.now - began) / 60 + 2
    assert run.now - began < 1.06 * 24 * period


def test_a_bucket_that_is_down_for_a_nice_number_of_seconds_is_paced() -> None:
    plain = bucket(50, 10)
    run = Run(adaptive(), lambda at: Reply(429) if at % 20 > 10 else plain(at)).until_accepted(3_000)
    since = run.now
    run.server = plain
    assert run.until_accepted(4_500).now - since < 10 + 1_500 / 50


def test_a_quota_that_rose_is_found() -> None:
    before, after = window(100, 5.0, silent=True), window(150, 5.0, silent=True)
    run = Run(adaptive(), lambda at: before(at) if at < 30 else after(at)).until_accepted(1_600)
    assert run.limiter.estimate(run.now).per_second == pytest.approx(30)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [lambda n, t: window(n, t, silent=True), sliding])
def test_without_a_limit_any_more_speed_is_full_within_25_seconds(kind: object) -> None:
    assert callable(kind)
    limited = kind(100, 5.0)
    run = Run(adaptive(), lambda at: limited(at) if at < 30 else OK)
    while run.now < 55:
        run.step()
    before = run.accepted
    while run.now < 56:
        run.step()
    assert run.accepted - before > 0.9 * 64 / 0.06


def test_the_second_wave_of_refusals_is_small_if_the_quota_is_the_same() -> None:
    run = Run(adaptive(), window(1_000, 60, silent=True))
    while run.now < 61:
        run.step()
    refused = run.refused
    run.until_accepted(2_000)
    while run.now < 100:
        run.step()
    probes = 15
    assert run.refused - refused <= 16 + probes
