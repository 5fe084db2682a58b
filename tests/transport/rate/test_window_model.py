"""Windows that a Retry-After tells of: exact times, no loop."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async._transport.rate.headers import TimeInterval, wait_end
from backupify_async._transport.rate.window_model import WindowModel
from tests.support.rate_simulation import OK, Reply, Run, adaptive, bucket, window

times = st.floats(0, 1e4)


def take(subject: WindowModel, now: float, count: int) -> int:
    """How many of `count` calls may leave now, each accepted at once."""
    for gone in range(count):
        if subject.earliest(now, 0) > now:
            return gone
        subject.on_send()
        subject.on_success(now, now)
    return count


def opening(subject: WindowModel, now: float) -> float:
    """When all may go again, once all answers are in; one probe may go before."""
    subject.earliest(now, 0)
    return subject.blocked_until


def accept(subject: WindowModel, now: float, count: int) -> None:
    for _ in range(count):
        subject.on_send()
        subject.on_success(now + 0.1, now)


def opened(retry_after: float, accepted: int) -> WindowModel:
    """One that waited after a refusal; behind the opening so many were accepted, and one more is out."""
    subject = WindowModel()
    subject.on_send()
    subject.on_refusal(10.1, 10.0, retry_after)
    opening = 10.1 + retry_after
    assert subject.earliest(opening, 0) <= opening
    accept(subject, opening, accepted)
    subject.on_send()
    return subject


def known(quota: int = 2) -> WindowModel:
    """One that knows of windows of 5 seconds, of which the next begins at 20; the last is spent."""
    subject = opened(4.9, quota)
    subject.on_refusal(15.7, 15.5, 4.45)
    assert opening(subject, 15.7) == 20.0
    return subject


class TestIntervals:
    def test_whole_seconds_are_taken_to_be_rounded_up(self) -> None:
        assert wait_end(10.5, 10.0, 5.0, rounded_down=False) == TimeInterval(14.0, 15.5)

    def test_or_down_where_that_was_proven(self) -> None:
        assert wait_end(10.5, 10.0, 5.0, rounded_down=True) == TimeInterval(15.0, 16.5)

    def test_a_fraction_is_exact(self) -> None:
        assert wait_end(10.5, 10.0, 2.5, rounded_down=False) == TimeInterval(12.5, 13.0)

    def test_two_have_an_intersection(self) -> None:
        assert TimeInterval(1, 5).intersect(TimeInterval(3, 9)) == TimeInterval(3, 5)

    def test_two_disjoint_ones_have_none(self) -> None:
        assert TimeInterval(1, 2).intersect(TimeInterval(3, 9)) is None

    @given(times, st.floats(0, 2), st.integers(0, 100), st.floats(0, 1), st.booleans())
    def test_the_true_end_is_inside(
        self, sent_time: float, taken: float, whole: int, at: float, rounded_down: bool
    ) -> None:
        end = sent_time + at * taken + whole + (0.5 if rounded_down else -0.5)
        span = wait_end(sent_time + taken, sent_time, float(whole), rounded_down=rounded_down)
        assert span.low - 1e-6 <= end <= span.high + 1e-6


class TestTheFirstRefusal:
    def test_before_it_all_calls_are_sent(self) -> None:
        assert take(WindowModel(), 0.0, 1_000) == 1_000

    def test_closes_until_the_latest_end(self) -> None:
        subject = WindowModel()
        subject.on_send()
        subject.on_refusal(10.1, 10.0, 5.0)
        assert opening(subject, 10.1) == pytest.approx(15.1)

    def test_waits_for_calls_in_flight(self) -> None:
        subject = WindowModel()
        subject.on_send()
        subject.on_refusal(10.1, 10.0, 5.0)
        assert subject.earliest(20.0, 1) == math.inf

    def test_more_of_them_narrow_the_end(self) -> None:
        subject = WindowModel()
        for sent_time, now in ((10.0, 10.4), (10.2, 10.3), (10.3, 10.5)):
            subject.on_send()
            subject.on_refusal(now, sent_time, 5.0)
        assert opening(subject, 10.5) == pytest.approx(15.3)

    def test_one_that_contradicts_wins(self) -> None:
        subject = WindowModel()
        for retry_after in (5.0, 50.0):
            subject.on_send()
            subject.on_refusal(10.1, 10.0, retry_after)
        assert opening(subject, 10.1) == pytest.approx(60.1)

    def test_zero_proves_that_it_is_rounded_down(self) -> None:
        subject = WindowModel()
        for retry_after in (0.0, 3.0):
            subject.on_send()
            subject.on_refusal(10.1, 10.0, retry_after)
        assert opening(subject, 10.1) == pytest.approx(14.1)


class TestThePeriod:
    def test_is_the_nice_number_between_two_ends(self) -> None:
        assert known(2).rate == 2 / 5

    def test_is_never_shorter_than_a_retry_after(self) -> None:
        subject = opened(25.0, 4)
        subject.on_refusal(36.1, 36.0, 29.0)
        subject.earliest(36.1, 0)
        assert subject.rate == 4 / 30

    @pytest.mark.parametrize(("quota", "period"), [(7, 2), (140, 2), (60, 60), (30, 10), (100, 15), (1, 5)])
    def test_of_a_server_is_found(self, quota: int, period: float) -> None:
        run = Run(adaptive(), window(quota, period)).until_accepted(6 * quota)
        assert run.limiter.estimate(run.now).per_second == pytest.approx(quota / period)  # type: ignore[attr-defined]

    def test_the_first_observed_window_ends_at_its_refusal(self) -> None:
        subject = opened(3.0, 50)
        assert subject.concerns(17.6, 17.5, 1.0)  # 5 s behind an opening between 12 and 13.1
        assert not subject.concerns(15.6, 15.5, 1.0)  # nothing ends there

    def test_of_another_length_voids_the_quota(self) -> None:
        subject = known(2)
        assert take(subject, 20.0, 1) == 1
        subject.on_send()
        subject.on_refusal(20.2, 20.1, 57.0)
        assert subject.rate is None

    def test_the_count_of_several_windows_is_not_a_quota(self) -> None:
        run = Run(adaptive(), window(140, 2)).until_accepted(3_000)
        assert run.limiter.estimate(run.now).per_second == pytest.approx(70)  # type: ignore[attr-defined]

    def test_scouts_refused_after_its_end_show_that_there_is_none(self) -> None:
        subject = known(2)
        for at in (20.0, 23.0):
            assert not subject.no_window
            assert subject.earliest(at, 0) <= at
            subject.on_send()
            subject.on_refusal(at + 0.1, at + 0.05, 2.3)
        assert subject.no_window


class TestAWindowThatBeginsWithACall:
    @pytest.mark.parametrize("rounding", [math.ceil, math.floor])
    def test_is_used_fully_with_hardly_a_refusal(self, rounding: Callable[[float], int]) -> None:
        end, count = -math.inf, 0

        def answer(at: float) -> Reply:
            nonlocal end, count
            if at >= end:
                end, count = at + 5, 0
            count += 1
            return OK if count <= 300 else Reply(429, float(rounding(end - at)), takes=0.003)

        run = Run(adaptive(), answer).until_accepted(900)
        began, refused = run.now, run.refused
        run.until_accepted(3_900)
        assert run.now - began < 1.03 * 50
        assert run.refused - refused <= 15


class TestTheQuota:
    def test_when_it_is_spent_nothing_is_sent(self) -> None:
        subject = known(2)
        assert take(subject, 20.0, 10) == 2
        assert subject.earliest(20.0, 2) == 25.0

    def test_a_cancelled_call_is_not_counted(self) -> None:
        subject = known(2)
        assert take(subject, 20.0, 2) == 2
        subject.on_cancel()
        assert take(subject, 20.0, 10) == 1

    def test_a_window_that_ended_unspent_is_followed_by_a_whole_one(self) -> None:
        subject = known(2)
        assert take(subject, 20.0, 1) == 1
        assert take(subject, 26.0, 10) == 2

    def test_hours_of_rest_do_not_lose_the_phase(self) -> None:
        subject = known(2)
        assert take(subject, 20.0, 2) == 2
        assert take(subject, 7_203.0, 3) == 3  # the third is asked
        subject.on_refusal(7_203.1, 7_203.0, 2.0)
        assert subject.earliest(7_203.1, 0) == pytest.approx(7_205.0)

    def test_every_twelve_seconds_one_more_call_is_sent(self) -> None:
        subject = known(2)
        asked = []
        for at in (20.0, 25.0, 30.0, 35.0):
            asked.append(take(subject, at, 3) - 2)
            if asked[-1]:
                subject.on_refusal(at + 0.1, at, 4.9)
        assert asked == [0, 0, 1, 0]

    def test_while_more_are_accepted_their_number_doubles_in_the_same_window(self) -> None:
        subject = known(2)
        assert take(subject, 42.0, 3) == 3
        assert subject.earliest(42.1, 1) == math.inf
        for step, more in enumerate((2, 4, 8)):
            assert take(subject, 42.2 + step / 10, more) == more
            assert subject.earliest(42.2 + step / 10, 1) == math.inf

    def test_what_was_accepted_until_its_end_is_doubled_in_the_next(self) -> None:
        subject = known(2)
        assert take(subject, 42.0, 3) == 3  # one is asked
        assert take(subject, 44.9, 2) == 2  # and two more
        assert take(subject, 50.0, 5 + 4) == 5 + 4
        assert subject.earliest(50.0, 1) == math.inf

    def test_one_that_rose_is_what_a_window_held(self) -> None:
        subject = known(2)
        take(subject, 42.0, 3)
        take(subject, 42.2, 2)
        subject.on_refusal(42.4, 42.2, 2.6)
        assert subject.earliest(42.4, 0) == pytest.approx(45.0)
        assert subject.rate == 4 / 5

    def test_one_more_call_refused_keeps_it(self) -> None:
        subject = known(2)
        take(subject, 40.0, 3)
        subject.on_refusal(40.2, 40.0, 4.9)
        assert subject.earliest(40.2, 0) == pytest.approx(45.0)
        assert subject.rate == 2 / 5

    def test_a_spent_quota_costs_no_more_refusals_than_five_a_minute(self) -> None:
        run = Run(adaptive(), window(50, 5.0)).until_accepted(200)
        before, since = run.refused, run.now
        run.until_accepted(1_400)
        assert run.refused - before <= 5 * (run.now - since) / 60


def dip(subject: WindowModel, at: float) -> None:
    """A window that begins `at` and holds one call."""
    assert take(subject, at, 2) == 2
    subject.on_refusal(at + 0.2, at, 4.9)
    assert opening(subject, at + 0.2) == pytest.approx(at + 5)


class TestDips:
    def test_one_is_forgiven(self) -> None:
        subject = known(2)
        dip(subject, 20.0)
        assert subject.rate == 2 / 5

    def test_two_are_a_smaller_quota(self) -> None:
        subject = known(2)
        dip(subject, 20.0)
        dip(subject, 25.0)
        assert subject.rate == 1 / 5

    def test_a_server_whose_quota_fell_is_followed(self) -> None:
        many, few = window(60, 5.0), window(20, 5.0)
        run = Run(adaptive(), lambda at: many(at) if at < 30 else few(at)).until_accepted(600)
        assert run.limiter.estimate(run.now).per_second == pytest.approx(4, abs=0.3)  # type: ignore[attr-defined]

    def test_a_server_whose_quota_rose_is_followed_within_a_thousand_calls(self) -> None:
        few, many = window(5, 2.0), window(100, 2.0)
        run = Run(adaptive(), lambda at: few(at) if at < 20 else many(at)).until_accepted(1_050)
        assert run.limiter.estimate(run.now).per_second >= 25  # type: ignore[attr-defined]


class TestACollapse:
    """Windows that hold almost nothing for a while must not leave a quota of one behind for ever."""

    @pytest.mark.parametrize("period", [2, 5, 60])
    def test_of_the_server_is_forgotten_once_it_is_over(self, period: float) -> None:
        healthy, begin, end = window(100, period), 3 * period, 10 * period
        run = Run(adaptive(), lambda at: Reply(429, 2.0) if begin <= at < end else healthy(at))
        while run.now < end:
            run.step()
        before = run.accepted
        run.until_accepted(before + 2_000, at_most=run.now + 60 * period)  # 20 would be ideal
        assert run.accepted == before + 2_000

    @pytest.mark.parametrize("period", [2, 5, 60])
    def test_that_another_client_made_is_forgotten_once_it_is_over(self, period: float) -> None:
        healthy, taken = window(100, period), window(1, period)
        run = Run(adaptive(), lambda at: (taken if 4 <= at / period < 8 else healthy)(at))
        while run.now < 8 * period:
            run.step()
        before = run.accepted
        run.until_accepted(before + 2_000, at_most=run.now + 60 * period)
        assert run.accepted == before + 2_000


def wide() -> WindowModel:
    """One of 5 seconds whose next window begins between 19 and 20."""
    subject = opened(5.0, 3)
    subject.on_refusal(16.0, 15.9, 4.0)
    return subject


class TestScouts:
    def test_are_sent_in_the_middle_of_a_wide_opening(self) -> None:
        assert opening(wide(), 16.0) == pytest.approx(19.5)

    def test_the_other_calls_wait_for_its_response(self) -> None:
        subject = wide()
        subject.earliest(16.0, 0)
        subject.earliest(19.5, 0)
        subject.on_send()
        assert subject.earliest(19.5, 1) == math.inf

    def test_after_it_no_more_are_in_flight_than_twice_what_was_accepted(self) -> None:
        subject = known(100)
        subject.earliest(20.0, 0)
        for _ in range(3):
            subject.on_send()
        for accepted in range(3):
            subject.on_success(20.1, 20.0)
            assert subject.earliest(20.1, 2 * accepted + 2) <= 20.1
            assert subject.earliest(20.1, 2 * accepted + 3) == math.inf

    def test_one_accepted_opens_the_window(self) -> None:
        subject = wide()
        subject.earliest(16.0, 0)
        take(subject, 19.5, 1)
        assert take(subject, 19.6, 10) == 2

    def test_one_refused_narrows_the_opening_of_the_same_window(self) -> None:
        subject = wide()
        subject.earliest(16.0, 0)
        subject.earliest(19.5, 0)
        subject.on_send()
        subject.on_refusal(19.6, 19.5, 1.0)
        assert subject.earliest(19.6, 0) == pytest.approx(20.0)
        assert subject.rate == 3 / 5

    def test_one_without_a_response_is_followed_by_another(self) -> None:
        subject = wide()
        subject.earliest(16.0, 0)
        subject.earliest(19.5, 0)
        subject.on_send()
        assert subject.earliest(19.9, 1) == math.inf
        assert subject.earliest(19.9, 0) <= 19.9


def doubted() -> WindowModel:
    """One that saw its first refusal, which asks for 5 seconds: nothing shows yet that they are true."""
    subject = WindowModel()
    subject.on_send()
    subject.on_refusal(10.1, 10.0, 5.0)
    return subject


class TestProbes:
    """Whether a pause that was not predicted is one for all."""

    def test_one_call_is_sent_a_second_later_and_the_others_wait_for_the_end(self) -> None:
        subject = doubted()
        assert subject.earliest(10.1, 0) == pytest.approx(11.1)
        subject.on_send()
        assert subject.earliest(11.1, 1) == subject.earliest(12.0, 0) == pytest.approx(15.1)

    def test_one_refused_confirms_the_pause(self) -> None:
        subject = doubted()
        subject.earliest(10.1, 0)
        subject.on_send()
        subject.on_refusal(11.3, 11.2, 4.0)
        assert not subject.per_call
        assert subject.earliest(11.3, 0) == pytest.approx(15.1)

    @pytest.mark.parametrize("answered_at", [11.3, 15.3])
    def test_one_accepted_refutes_it_even_if_its_response_is_late(self, answered_at: float) -> None:
        subject = doubted()
        subject.earliest(10.1, 0)
        subject.on_send()
        subject.earliest(15.1, 0)
        subject.on_success(answered_at, 11.2)
        assert subject.per_call

    def test_a_call_sent_before_the_refusal_arrived_refutes_nothing(self) -> None:
        subject = doubted()
        subject.earliest(10.1, 0)
        subject.on_success(10.3, 10.05)
        assert not subject.per_call

    def test_none_is_sent_if_the_quota_came_out_as_predicted(self) -> None:
        subject = known(2)
        take(subject, 40.0, 3)
        subject.on_refusal(40.2, 40.0, 4.9)
        assert subject.earliest(40.2, 0) == pytest.approx(45.0)

    def test_none_is_sent_if_the_end_is_too_near(self) -> None:
        subject = WindowModel()
        subject.on_send()
        subject.on_refusal(10.1, 10.0, 1.0)
        assert subject.earliest(10.1, 0) == pytest.approx(11.1)


class TestASlowBucket:
    def test_a_call_in_five_seconds_is_a_window_of_one(self) -> None:
        run = Run(adaptive(), bucket(0.2, 1, whole_seconds=True)).until_accepted(60)
        assert run.now <= 330
