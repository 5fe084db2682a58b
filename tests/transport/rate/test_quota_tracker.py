"""The quota that headers announce, which can be false."""

import email.utils
import math
from collections.abc import Callable

import pytest

from backupify_async._transport.rate.headers import Quota
from backupify_async._transport.rate.quota_tracker import QuotaTracker
from tests.support.rate_simulation import OK, Reply, Run, Server, adaptive, window


def send_many(subject: QuotaTracker, now: float, count: int) -> int:
    """Send up to `count` calls now, as far as the tracker permits; they stay in flight.

    Returns:
        How many were sent.
    """
    for sent in range(count):
        if subject.earliest(now, sent) > now:
            return sent
        subject.on_send()
    return count


def tracker_after(remaining: float, reset: float, others: int = 0) -> QuotaTracker:
    """A tracker after one announcement, by a request sent at 10 and its response received at 10.1."""
    subject = QuotaTracker()
    subject.on_send()
    subject.on_success(10.1, 10.0, Quota(remaining, reset), others)
    return subject


class TestWhatRemains:
    def test_before_the_first_announcement_all_calls_are_sent(self) -> None:
        assert send_many(QuotaTracker(), 0.0, 100) == 100

    def test_as_many_are_sent_as_remain(self) -> None:
        assert send_many(tracker_after(7, 5), 10.1, 100) == 7

    def test_with_none_remaining_nothing_is_sent_until_the_reset(self) -> None:
        assert tracker_after(0, 5).earliest(10.1, 0) == pytest.approx(15.1)

    def test_with_none_remaining_the_calls_in_flight_are_waited_for(self) -> None:
        assert tracker_after(0, 5).earliest(10.1, 1) == math.inf

    def test_calls_in_flight_are_assumed_not_to_be_counted_yet(self) -> None:
        assert send_many(tracker_after(7, 5, others=3), 10.1, 100) == 4

    def test_a_late_response_does_not_restore_what_was_used(self) -> None:
        subject = tracker_after(2, 5)
        subject.on_success(10.2, 9.9, Quota(6, 5), 0)
        assert send_many(subject, 10.2, 100) == 2

    def test_a_cancelled_call_is_not_counted(self) -> None:
        subject = tracker_after(1, 5)
        subject.on_send()
        subject.on_cancel()
        assert send_many(subject, 10.1, 100) == 1


class TestTheReset:
    def test_is_followed_by_one_call_whose_response_says_what_remains(self) -> None:
        subject = tracker_after(0, 5)
        assert send_many(subject, 15.1, 100) == 1
        subject.on_success(15.2, 15.1, Quota(49, 5), 0)
        assert send_many(subject, 15.2, 100) == 49

    def test_is_followed_by_another_call_if_the_first_gets_no_response(self) -> None:
        subject = tracker_after(0, 5)
        assert send_many(subject, 15.1, 1) == 1
        assert subject.earliest(16.0, 1) == math.inf
        assert subject.earliest(16.0, 0) <= 16.0

    def test_is_narrowed_by_further_responses(self) -> None:
        subject = tracker_after(5, 5)
        subject.on_success(10.6, 10.3, Quota(0, 5), 0)
        assert subject.earliest(10.6, 0) == pytest.approx(15.1)

    def test_of_zero_in_a_refusal_proves_that_it_is_rounded_down(self) -> None:
        subject = tracker_after(0, 5)
        assert send_many(subject, 15.1, 1) == 1
        subject.on_refusal(15.2, 15.1, Quota(0, 0), None)
        assert subject.earliest(15.2, 0) == pytest.approx(16.2)

    def test_is_later_if_a_retry_after_is_longer(self) -> None:
        subject = tracker_after(0, 5)
        subject.on_refusal(10.3, 10.2, Quota(0, 5), 30.0)
        assert subject.earliest(10.3, 0) >= 39.2


class TestAFalseQuota:
    def test_is_ignored_after_three_refusals_although_calls_remain(self) -> None:
        subject = tracker_after(5, 5)
        for number in range(3):
            assert subject.in_use, number
            subject.on_refusal(10.2, 10.1, Quota(5, 5), None)
        assert not subject.in_use
        assert subject.earliest(10.2, 64) == -math.inf

    def test_is_taken_for_spent_after_one_refusal_although_calls_remain(self) -> None:
        subject = tracker_after(5, 5)
        subject.on_refusal(10.2, 10.1, Quota(5, 5), None)
        assert subject.earliest(10.2, 0) == pytest.approx(15.1)

    def test_once_is_made_up_for_by_one_window_as_announced(self) -> None:
        subject, at = tracker_after(5, 5), 10.0
        for false in (True, True, False, True, False):
            if false:
                subject.on_refusal(at + 0.2, at + 0.1, Quota(5, 5), None)
            else:
                send_many(subject, at + 0.2, 5)
            at = subject.earliest(at + 0.2, 0)
            assert send_many(subject, at, 1) == 1
            subject.on_success(at + 0.1, at, Quota(4, 5), 0)
        assert subject.in_use

    def test_of_zero_at_all_times_is_found_out_by_one_more_call(self) -> None:
        run = Run(adaptive(), lambda at: Reply(200, None, {"RateLimit": '"x";r=0;t=20'}))
        run.until_accepted(2_000, at_most=600)
        assert run.accepted == 2_000

    def test_is_not_suspected_if_it_is_truly_one_call(self) -> None:
        run = Run(adaptive(), window(1, 5.0, headers=True))
        run.until_accepted(100, at_most=700)
        assert (run.accepted, run.refused < 20) == (100, True)

    @pytest.mark.parametrize("reset", ["-5", "nan", "1e10", "10000000000", "1000000000", "0", "30000"])
    def test_with_an_invalid_reset_stops_no_call(self, reset: str) -> None:
        headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
        run = Run(adaptive(), lambda at: Reply(200, None, headers)).until_accepted(2_000, at_most=60)
        assert run.accepted == 2_000

    def test_is_forgotten_if_it_is_announced_no_longer(self) -> None:
        count = 0

        def server(at: float) -> Reply:
            nonlocal count
            count += 1
            return Reply(200, None, {"RateLimit": f'"x";r={200 - count};t=5'}) if count < 50 else OK

        run = Run(adaptive(), server).until_accepted(3_000, at_most=30)
        assert run.accepted == 3_000

    def test_is_not_proven_by_one_more_call_without_a_response(self) -> None:
        subject = tracker_after(0, 5)
        now = 15.1
        for _ in range(2):
            assert send_many(subject, now, 1) == 1
            subject.on_success(now + 0.1, now, Quota(0, 5), 0)
            now += 5.1
        subject.on_send()  # one more than announced, which gets no response
        assert send_many(subject, now + 5, 1) == 1
        subject.on_success(now + 5.1, now + 5, Quota(0, 5), 0)
        assert subject.in_use


def by_epoch(
    quota: int, period: float, rounding: Callable[[float], int], *, follows_the_clock: bool
) -> Server:
    """Windows that announce their end in whole seconds. They follow the clock, or begin with a call."""
    end, count = -math.inf, 0

    def server(at: float) -> Reply:
        nonlocal end, count
        clock = 1_800_000_000.37 + at
        if clock >= end:
            end = (math.floor(clock / period) + 1) * period if follows_the_clock else clock + period
            count = 0
        count += 1
        headers = {
            "X-RateLimit-Remaining": str(max(0, quota - count)),
            "X-RateLimit-Reset": str(rounding(end)),
            "Date": email.utils.formatdate(math.floor(clock), usegmt=True),
        }
        return Reply(200 if count <= quota else 429, None, headers)

    return server


def tracker_of_clock_windows() -> QuotaTracker:
    """A tracker of windows of 5 s, which end up to a second before whole seconds. One began at 15."""
    subject = QuotaTracker()
    subject.on_success(10.0, 10.0, Quota(0, 5.0, 1005.0, rounding=1.0), 0)
    assert send_many(subject, 15.0, 1) == 1
    subject.on_success(15.0, 15.0, Quota(0, 5.0, 1010.0, rounding=1.0), 0)
    return subject


class TestAResetByTheClock:
    @pytest.mark.slow
    @pytest.mark.parametrize("follows_the_clock", [True, False], ids=["the clock", "the first call"])
    @pytest.mark.parametrize("rounding", [math.ceil, math.floor])
    @pytest.mark.parametrize(("quota", "period"), [(300, 5.0), (140, 2.0)])
    def test_in_whole_seconds_loses_little_of_a_window(
        self, quota: int, period: float, rounding: Callable[[float], int], follows_the_clock: bool
    ) -> None:
        server = by_epoch(quota, period, rounding, follows_the_clock=follows_the_clock)
        run = Run(adaptive(), server).until_accepted(20 * quota)
        began, refused = run.now, run.refused
        run.until_accepted(run.accepted + 20 * quota)
        assert run.now - began < 1.05 * 20 * period
        assert run.refused - refused <= 10

    def test_is_scouted_in_the_middle_of_the_second_in_which_a_window_can_end(self) -> None:
        subject = tracker_of_clock_windows()
        assert subject.earliest(15.0, 0) == pytest.approx(19.5)

    def test_is_scouted_again_in_the_middle_of_the_rest_of_that_second(self) -> None:
        subject = tracker_of_clock_windows()
        assert send_many(subject, 19.5, 1) == 1
        subject.on_refusal(19.5, 19.5, Quota(0, 0.5, 1010.0, rounding=1.0), None)
        assert subject.earliest(19.5, 0) == pytest.approx(19.75)
