"""A quota that is announced, and may be a lie."""

import email.utils
import math
from collections.abc import Callable

import pytest

from backupify_async._transport.rate.headers import Quota
from backupify_async._transport.rate.quota_tracker import QuotaTracker
from tests.support.rate_simulation import OK, Reply, Run, Server, adaptive, window


def leave(subject: QuotaTracker, now: float, count: int) -> int:
    """How many of `count` calls may leave now, while earlier ones are in flight."""
    for gone in range(count):
        if subject.earliest(now, gone) > now:
            return gone
        subject.on_send()
    return count


def announced(remaining: float, reset: float, others: int = 0) -> QuotaTracker:
    """One that was told so by a call that left at 10 and came back at 10.1."""
    subject = QuotaTracker()
    subject.on_send()
    subject.on_success(10.1, 10.0, Quota(remaining, reset), others)
    return subject


class TestWhatRemains:
    def test_before_the_first_announcement_all_calls_are_sent(self) -> None:
        assert leave(QuotaTracker(), 0.0, 100) == 100

    def test_as_many_are_sent_as_remain(self) -> None:
        assert leave(announced(7, 5), 10.1, 100) == 7

    def test_with_none_remaining_nothing_is_sent_until_the_reset(self) -> None:
        assert announced(0, 5).earliest(10.1, 0) == pytest.approx(15.1)

    def test_responses_in_flight_are_waited_for(self) -> None:
        assert announced(0, 5).earliest(10.1, 1) == math.inf

    def test_calls_in_flight_are_assumed_not_to_be_counted(self) -> None:
        assert leave(announced(7, 5, others=3), 10.1, 100) == 4

    def test_a_late_response_does_not_restore_what_was_used(self) -> None:
        subject = announced(2, 5)
        subject.on_success(10.2, 9.9, Quota(6, 5), 0)
        assert leave(subject, 10.2, 100) == 2

    def test_a_cancelled_call_is_not_counted(self) -> None:
        subject = announced(1, 5)
        subject.on_send()
        subject.on_cancel()
        assert leave(subject, 10.1, 100) == 1


class TestTheReset:
    def test_one_call_is_sent_first_and_its_response_says_what_there_is(self) -> None:
        subject = announced(0, 5)
        assert leave(subject, 15.1, 100) == 1
        subject.on_success(15.2, 15.1, Quota(49, 5), 0)
        assert leave(subject, 15.2, 100) == 49

    def test_a_first_call_without_a_response_does_not_block(self) -> None:
        subject = announced(0, 5)
        assert leave(subject, 15.1, 1) == 1
        assert subject.earliest(16.0, 1) == math.inf
        assert subject.earliest(16.0, 0) <= 16.0

    def test_responses_narrow_it(self) -> None:
        subject = announced(5, 5)
        subject.on_success(10.6, 10.3, Quota(0, 5), 0)
        assert subject.earliest(10.6, 0) == pytest.approx(15.1)

    def test_a_refusal_with_zero_proves_that_it_is_rounded_down(self) -> None:
        subject = announced(0, 5)
        assert leave(subject, 15.1, 1) == 1
        subject.on_refusal(15.2, 15.1, Quota(0, 0), None)
        assert subject.earliest(15.2, 0) == pytest.approx(16.2)

    def test_a_longer_retry_after_wins(self) -> None:
        subject = announced(0, 5)
        subject.on_refusal(10.3, 10.2, Quota(0, 5), 30.0)
        assert subject.earliest(10.3, 0) >= 39.2


class TestLies:
    def test_three_refusals_although_calls_remain_are_enough(self) -> None:
        subject = announced(5, 5)
        for number in range(3):
            assert subject.in_use, number
            subject.on_refusal(10.2, 10.1, Quota(5, 5), None)
        assert not subject.in_use
        assert subject.earliest(10.2, 64) == -math.inf

    def test_one_refusal_although_calls_remain_waits_for_the_reset(self) -> None:
        subject = announced(5, 5)
        subject.on_refusal(10.2, 10.1, Quota(5, 5), None)
        assert subject.earliest(10.2, 0) == pytest.approx(15.1)

    def test_a_window_without_a_lie_makes_up_for_one(self) -> None:
        subject, at = announced(5, 5), 10.0
        for lies in (True, True, False, True, False):
            if lies:
                subject.on_refusal(at + 0.2, at + 0.1, Quota(5, 5), None)
            else:
                leave(subject, at + 0.2, 5)
            at = subject.earliest(at + 0.2, 0)
            assert leave(subject, at, 1) == 1
            subject.on_success(at + 0.1, at, Quota(4, 5), 0)
        assert subject.in_use

    def test_a_remaining_that_is_always_zero_is_found_out_by_one_more_call(self) -> None:
        run = Run(adaptive(), lambda at: Reply(200, None, {"RateLimit": '"x";r=0;t=20'}))
        run.until_accepted(2_000, at_most=600)
        assert run.accepted == 2_000

    def test_a_true_quota_of_one_call_is_still_followed(self) -> None:
        run = Run(adaptive(), window(1, 5.0, headers=True))
        run.until_accepted(100, at_most=700)
        assert (run.accepted, run.refused < 20) == (100, True)

    @pytest.mark.parametrize("reset", ["-5", "nan", "1e10", "10000000000", "1000000000", "0", "30000"])
    def test_an_invalid_reset_stops_nothing(self, reset: str) -> None:
        said = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
        run = Run(adaptive(), lambda at: Reply(200, None, said)).until_accepted(2_000, at_most=60)
        assert run.accepted == 2_000

    def test_a_server_that_stops_announcing_is_not_slowed(self) -> None:
        count = 0

        def falls_silent(at: float) -> Reply:
            nonlocal count
            count += 1
            return Reply(200, None, {"RateLimit": f'"x";r={200 - count};t=5'}) if count < 50 else OK

        run = Run(adaptive(), falls_silent).until_accepted(3_000, at_most=30)
        assert run.accepted == 3_000

    def test_one_more_call_without_a_response_proves_no_lie(self) -> None:
        subject = announced(0, 5)
        now = 15.1
        for _ in range(2):
            assert leave(subject, now, 1) == 1
            subject.on_success(now + 0.1, now, Quota(0, 5), 0)
            now += 5.1
        subject.on_send()  # one more than announced, which never comes back
        assert leave(subject, now + 5, 1) == 1
        subject.on_success(now + 5.1, now + 5, Quota(0, 5), 0)
        assert subject.in_use


def by_epoch(
    quota: int, period: float, rounding: Callable[[float], int], *, follows_the_clock: bool
) -> Server:
    """Windows whose ends are told in whole seconds; they follow the clock, or begin with a call."""
    end, count = -math.inf, 0

    def answer(at: float) -> Reply:
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

    return answer


def known_by_the_clock() -> QuotaTracker:
    """One whose windows of 5 s end at whole seconds, or up to one earlier; the present one began at 15."""
    subject = QuotaTracker()
    subject.on_success(10.0, 10.0, Quota(0, 5.0, 1005.0, rounding=1.0), 0)
    assert leave(subject, 15.0, 1) == 1
    subject.on_success(15.0, 15.0, Quota(0, 5.0, 1010.0, rounding=1.0), 0)
    return subject


class TestAResetByTheClock:
    @pytest.mark.slow
    @pytest.mark.parametrize("follows_the_clock", [True, False], ids=["the clock", "the first call"])
    @pytest.mark.parametrize("rounding", [math.ceil, math.floor])
    @pytest.mark.parametrize(("quota", "period"), [(300, 5.0), (140, 2.0)])
    def test_little_of_a_window_is_lost_to_whole_seconds(
        self, quota: int, period: float, rounding: Callable[[float], int], follows_the_clock: bool
    ) -> None:
        server = by_epoch(quota, period, rounding, follows_the_clock=follows_the_clock)
        run = Run(adaptive(), server).until_accepted(20 * quota)
        began, refused = run.now, run.refused
        run.until_accepted(run.accepted + 20 * quota)
        assert run.now - began < 1.05 * 20 * period
        assert run.refused - refused <= 10

    def test_the_scout_is_sent_in_the_middle_of_the_second_in_which_a_window_can_end(self) -> None:
        subject = known_by_the_clock()
        assert subject.earliest(15.0, 0) == pytest.approx(19.5)

    def test_a_refused_scout_is_followed_by_one_in_the_middle_of_the_rest(self) -> None:
        subject = known_by_the_clock()
        assert leave(subject, 19.5, 1) == 1
        subject.on_refusal(19.5, 19.5, Quota(0, 0.5, 1010.0, rounding=1.0), None)
        assert subject.earliest(19.5, 0) == pytest.approx(19.75)
