"""What a 401 means: decided by what other calls met with the same token, and when these had left."""

import math
from typing import Any

import attrs
import pytest

from backupify_async._transport.token_trust import Complaint, Step, Trust, Wait, judge

# The current token, "new", came at 100 s; the call was refused at 200 s.
SETTLED = Trust(token="new", obtained=100.0, renewed=100.0, trouble=200.0, tried=199.9)
ONCE = Complaint("new", times=1, first=200.0, at=200.0, total=1, began=200.0)
TWICE = Complaint("new", times=2, first=200.0, at=200.1, total=2, began=200.0)


def verdict(complaint: Complaint, now: float, base: Trust = SETTLED, **known: Any) -> Step | Wait:
    """What becomes of a call, given what is known of the token beside that."""
    return judge(attrs.evolve(base, **known), complaint, now)


class TestAnotherToken:
    def test_a_newer_one_is_tried_at_once(self) -> None:
        assert verdict(attrs.evolve(ONCE, token="old"), 200.0) is Step.REPLAY

    def test_the_first_one_is_renewed_at_once(self) -> None:
        assert verdict(ONCE, 200.0, obtained=199.0, renewed=-math.inf) is Step.RENEW

    def test_one_that_was_good_for_a_minute_is_renewed_at_once(self) -> None:
        assert verdict(ONCE, 200.0) is Step.RENEW

    @pytest.mark.parametrize(
        ("obtained", "spread", "due"),
        [
            (199.0, 0.0, 204.0),
            (199.0, 1.5, 205.5),
            (195.0, 0.0, 201.0),
            (150.0, 0.0, 201.0),
            (150.0, 1.0, 202.0),
        ],
    )
    def test_a_young_one_is_renewed_five_seconds_after_the_last_and_leaves_another_client_its_window(
        self, obtained: float, spread: float, due: float
    ) -> None:
        known: dict[str, Any] = {"obtained": obtained, "renewed": obtained, "spread": spread, "tried": due}
        assert verdict(ONCE, due - 0.01, **known) == Wait(due, passed=200.0)
        assert verdict(ONCE, due, **known) is Step.RENEW

    def test_the_window_is_longer_where_it_takes_long_to_get_a_token(self) -> None:
        assert verdict(ONCE, 203.9, obtained=150.0, took=3.0, tried=203.9) == Wait(204.0, passed=200.0)
        assert verdict(ONCE, 204.0, obtained=150.0, took=3.0) is Step.RENEW


class TestATrial:
    YOUNG = attrs.evolve(SETTLED, obtained=199.0, renewed=199.0)

    def test_one_call_tries_the_token_for_all_twice_a_second(self) -> None:
        assert verdict(ONCE, 200.3, base=self.YOUNG, tried=200.0) == Wait(200.5, passed=200.0)
        assert verdict(ONCE, 200.5, base=self.YOUNG, tried=200.0) is Step.TRY

    def test_all_go_once_a_call_has_passed_that_left_after_the_refusal(self) -> None:
        assert verdict(ONCE, 200.2, base=self.YOUNG, passed=200.01) is Step.REPLAY

    @pytest.mark.parametrize("left", [100.0, 199.9, 200.0])
    def test_one_that_left_before_it_says_nothing(self, left: float) -> None:
        assert verdict(ONCE, 200.2, base=self.YOUNG, passed=left, tried=200.0) == Wait(200.5, passed=200.0)


class TestACallsOwn:
    def test_one_replay_comes_first(self) -> None:
        assert verdict(ONCE, 200.3, passed=200.2) is Step.REPLAY

    def test_then_it_is_raised(self) -> None:
        assert verdict(TWICE, 200.1, passed=200.05) is Step.OWN

    def test_not_of_a_token_that_some_nodes_may_not_know_yet(self) -> None:
        known: dict[str, Any] = {"obtained": 196.0, "passed": 200.2}
        assert verdict(TWICE, 200.3, **known) == Wait(200.6)
        assert verdict(TWICE, 200.6, **known) is Step.REPLAY
        assert verdict(TWICE, 201.0, **known) is Step.OWN

    def test_where_some_were_found_a_trial_comes_before_a_renewal(self) -> None:
        assert verdict(ONCE, 200.0, owned=150.0, tried=0.0) is Step.TRY
        assert verdict(TWICE, 200.1, owned=150.0) is Step.RENEW
        assert verdict(ONCE, 200.0, owned=139.0) is Step.RENEW

    def test_one_that_was_given_up_makes_the_next_ones_short_where_others_passed_since(self) -> None:
        known: dict[str, Any] = {"given_up": 180.0, "passed": 190.0, "tried": 200.0}
        assert verdict(TWICE, 200.1, refused=2, **known) is Step.OWN
        assert verdict(TWICE, 200.1, refused=3, **known) is Step.RENEW


class TestGivingUp:
    YOUNG = attrs.evolve(SETTLED, trouble=185.0, obtained=196.5, renewed=196.5, spread=2.0)

    def test_fifteen_seconds_where_no_token_ever_passed(self) -> None:
        assert verdict(TWICE, 199.9, base=self.YOUNG, trouble=185.0, tried=199.9) == Wait(200.0, passed=200.0)
        assert verdict(TWICE, 200.0, base=self.YOUNG) is Step.GIVE_UP

    def test_twenty_where_one_did(self) -> None:
        assert verdict(TWICE, 200.2, base=self.YOUNG, passed_before=100.0, tried=200.0) == Wait(
            200.5, passed=200.0
        )
        assert verdict(TWICE, 205.0, base=self.YOUNG, passed_before=100.0) is Step.GIVE_UP

    def test_the_last_token_has_three_seconds(self) -> None:
        known: dict[str, Any] = {"obtained": 199.0, "tried": 200.4}
        assert verdict(TWICE, 200.5, base=self.YOUNG, **known) == Wait(200.9, passed=200.0)
        assert verdict(TWICE, 202.0, base=self.YOUNG, **known) is Step.GIVE_UP

    def test_a_call_that_waits_sees_no_new_trouble_in_one_that_goes_on(self) -> None:
        slow = attrs.evolve(TWICE, began=180.0)
        assert verdict(slow, 200.2, base=self.YOUNG, trouble=200.0) is Step.GIVE_UP
        assert verdict(slow, 200.2, base=self.YOUNG, trouble=200.0, passed_before=190.0) == Wait(200.4, 200.0)

    def test_it_is_remembered_for_a_minute_until_something_passes(self) -> None:
        assert verdict(ONCE, 200.0, given_up=141.0) is Step.GIVE_UP
        assert verdict(ONCE, 200.0, given_up=140.0) is Step.RENEW
        assert verdict(ONCE, 200.0, given_up=141.0, passed=141.1, tried=0.0) is Step.TRY

    def test_the_same_token_again_is_given_up_once_it_is_settled(self) -> None:
        assert verdict(TWICE, 200.2, same_again=True, renewed=200.1) is Step.GIVE_UP

    def test_a_fixed_one_that_never_passed_is_given_up_at_once(self) -> None:
        assert verdict(ONCE, 200.0, fixed=True) is Step.GIVE_UP

    def test_a_fixed_one_that_passed_is_tried_once_more(self) -> None:
        assert verdict(ONCE, 200.0, fixed=True, passed=190.0, tried=0.0, owned=190.0) is Step.TRY
        assert verdict(TWICE, 200.1, fixed=True, passed=190.0) is Step.GIVE_UP


class TestWhatIsKnown:
    def refused(self, trust: Trust, at: float, complaint: Complaint | None = None) -> Complaint:
        complaint = complaint or Complaint()
        complaint.refused("new", at)
        trust.complained(complaint)
        return complaint

    def test_a_trouble_begins_with_the_first_refusal_since_the_last_that_passed(self) -> None:
        trust = Trust(token="new", passed=10.0)
        for at in (20.0, 21.0, 22.0):
            self.refused(trust, at)
        assert (trust.trouble, trust.refused) == (20.0, 3)
        trust.passed = 21.5
        self.refused(trust, 23.0)
        assert (trust.trouble, trust.refused) == (23.0, 1)

    def test_it_goes_on_with_the_next_token(self) -> None:
        trust = Trust(token="old")
        self.refused(trust, 20.0)
        trust.came("new", 21.0, 0.0)
        self.refused(trust, 22.0)
        assert trust.trouble == 20.0

    def test_one_that_nobody_saw_the_end_of_is_over_after_five_quiet_seconds(self) -> None:
        trust = Trust(token="new")
        self.refused(trust, 20.0)
        self.refused(trust, 25.1)
        assert trust.trouble == 25.1

    def test_one_that_was_given_up_a_minute_ago_is_over(self) -> None:
        trust = Trust(token="new")
        for at in (20.0, 24.0, 28.0):
            self.refused(trust, at)
        assert trust.remember(30.0)
        assert not trust.remember(31.0)
        self.refused(trust, 89.9)
        assert trust.trouble == 20.0
        self.refused(trust, 90.0)
        assert trust.trouble == 90.0

    def test_calls_are_counted_and_not_their_refusals(self) -> None:
        trust = Trust(token="new")
        one = self.refused(trust, 20.0)
        self.refused(trust, 20.5, one)
        assert trust.refused == 1

    def test_a_new_token_has_its_own_story_and_the_same_again_has_not(self) -> None:
        trust = Trust(token="old", obtained=1.0, passed=10.0, tried=11.0)
        trust.came("old", 20.0, 0.5)
        assert (trust.obtained, trust.passed, trust.same_again, trust.renewed) == (1.0, 10.0, True, 20.0)
        trust.came("new", 30.0, 0.5)
        assert (trust.obtained, trust.passed, trust.passed_ever) == (30.0, -math.inf, 10.0)
        assert (trust.same_again, trust.renewed, trust.spread) == (False, 30.0, 0.5)

    def test_the_first_is_no_renewal(self) -> None:
        trust = Trust()
        trust.came("new", 5.0, 0.0)
        assert trust.renewed == -math.inf

    @pytest.mark.parametrize(
        ("refused", "passed", "until"),
        [
            (10, -math.inf, 160.0),
            (10, 50.0, 160.0),
            (9, -math.inf, None),
            (10, 50.1, None),
            (10, 101.0, None),
        ],
    )
    def test_no_call_needs_to_be_sent_once_ten_were_refused_and_none_passed_for_a_minute(
        self, refused: int, passed: float, until: float | None
    ) -> None:
        trust = Trust(token="new", refused=refused, passed=passed, given_up=100.0)
        assert trust.hopeless(110.0) == until
        assert trust.hopeless(160.0) is None

    def test_none_shows_a_token(self) -> None:
        assert "s3cret" not in f"{Trust(token='s3cret')} {Complaint('s3cret')}"
