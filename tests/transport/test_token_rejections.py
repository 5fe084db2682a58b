"""What follows a 401, decided by the responses that other calls with the same token got, and when."""

import math
from typing import Any

import attrs
import pytest

from backupify_async._transport.token_rejections import Action, Rejections, TokenHistory, Wait, next_action

# The current token, "new", was obtained at 100 s; the call was rejected at 200 s.
SETTLED = TokenHistory(token="new", obtained=100.0, refreshed=100.0, trouble=200.0, probed=199.9)
ONCE = Rejections("new", count=1, first=200.0, last=200.0, total=1, began=200.0)
TWICE = Rejections("new", count=2, first=200.0, last=200.1, total=2, began=200.0)


def verdict(rejections: Rejections, now: float, base: TokenHistory = SETTLED, **known: Any) -> Action | Wait:
    """What a rejected call does.

    Args:
        rejections: Of this call.
        now: The time.
        base: What is known of the token.
        known: Changes to `base`.
    """
    return next_action(attrs.evolve(base, **known), rejections, now)


class TestARefresh:
    def test_a_call_whose_old_token_was_rejected_is_resent_with_the_current_one(self) -> None:
        assert verdict(attrs.evolve(ONCE, token="old"), 200.0) is Action.RESEND

    def test_the_first_token_is_refreshed_at_once(self) -> None:
        assert verdict(ONCE, 200.0, obtained=199.0, refreshed=-math.inf) is Action.REFRESH

    def test_a_token_that_was_accepted_for_a_minute_is_refreshed_at_once(self) -> None:
        assert verdict(ONCE, 200.0) is Action.REFRESH

    @pytest.mark.parametrize(
        ("obtained", "jitter", "due"),
        [
            (199.0, 0.0, 204.0),
            (199.0, 1.5, 205.5),
            (195.0, 0.0, 201.0),
            (150.0, 0.0, 201.0),
            (150.0, 1.0, 202.0),
        ],
    )
    def test_a_new_token_is_refreshed_five_seconds_after_the_last_refresh_and_later_with_jitter(
        self, obtained: float, jitter: float, due: float
    ) -> None:
        known: dict[str, Any] = {"obtained": obtained, "refreshed": obtained, "jitter": jitter, "probed": due}
        assert verdict(ONCE, due - 0.01, **known) == Wait(due, accepted_after=200.0)
        assert verdict(ONCE, due, **known) is Action.REFRESH

    def test_a_refresh_is_later_if_the_last_one_took_long(self) -> None:
        assert verdict(ONCE, 203.9, obtained=150.0, took=3.0, probed=203.9) == Wait(
            204.0, accepted_after=200.0
        )
        assert verdict(ONCE, 204.0, obtained=150.0, took=3.0) is Action.REFRESH


class TestAProbe:
    YOUNG = attrs.evolve(SETTLED, obtained=199.0, refreshed=199.0)

    def test_one_call_probes_the_token_for_all_twice_a_second(self) -> None:
        assert verdict(ONCE, 200.3, base=self.YOUNG, probed=200.0) == Wait(200.5, accepted_after=200.0)
        assert verdict(ONCE, 200.5, base=self.YOUNG, probed=200.0) is Action.PROBE

    def test_all_calls_are_resent_once_one_was_accepted_that_was_sent_after_the_rejection(self) -> None:
        assert verdict(ONCE, 200.2, base=self.YOUNG, accepted=200.01) is Action.RESEND

    @pytest.mark.parametrize("sent_time", [100.0, 199.9, 200.0])
    def test_an_accepted_call_that_was_sent_before_the_rejection_does_not_count(
        self, sent_time: float
    ) -> None:
        assert verdict(ONCE, 200.2, base=self.YOUNG, accepted=sent_time, probed=200.0) == Wait(
            200.5, accepted_after=200.0
        )


class TestACallRejectedForItsOwnReason:
    def test_it_is_resent_once(self) -> None:
        assert verdict(ONCE, 200.3, accepted=200.2) is Action.RESEND

    def test_its_second_401_is_raised(self) -> None:
        assert verdict(TWICE, 200.1, accepted=200.05) is Action.RAISE

    def test_a_401_is_not_raised_while_some_nodes_possibly_do_not_know_the_token(self) -> None:
        known: dict[str, Any] = {"obtained": 196.0, "accepted": 200.2}
        assert verdict(TWICE, 200.3, **known) == Wait(200.6)
        assert verdict(TWICE, 200.6, **known) is Action.RESEND
        assert verdict(TWICE, 201.0, **known) is Action.RAISE

    def test_if_one_was_raised_recently_a_probe_is_sent_before_a_refresh(self) -> None:
        assert verdict(ONCE, 200.0, raised=150.0, probed=0.0) is Action.PROBE
        assert verdict(TWICE, 200.1, raised=150.0) is Action.REFRESH
        assert verdict(ONCE, 200.0, raised=139.0) is Action.REFRESH

    def test_after_giving_up_its_second_401_is_raised_if_other_calls_were_accepted_since(self) -> None:
        known: dict[str, Any] = {"given_up": 180.0, "accepted": 190.0, "probed": 200.0}
        assert verdict(TWICE, 200.1, rejected_calls=2, **known) is Action.RAISE
        assert verdict(TWICE, 200.1, rejected_calls=3, **known) is Action.REFRESH


class TestGivingUp:
    YOUNG = attrs.evolve(SETTLED, trouble=185.0, obtained=196.5, refreshed=196.5, jitter=2.0)

    def test_trouble_is_given_up_after_fifteen_seconds_if_no_token_was_ever_accepted(self) -> None:
        assert verdict(TWICE, 199.9, base=self.YOUNG, trouble=185.0, probed=199.9) == Wait(
            200.0, accepted_after=200.0
        )
        assert verdict(TWICE, 200.0, base=self.YOUNG) is Action.GIVE_UP

    def test_trouble_is_given_up_after_twenty_seconds_if_one_was_accepted(self) -> None:
        assert verdict(TWICE, 200.2, base=self.YOUNG, accepted_before=100.0, probed=200.0) == Wait(
            200.5, accepted_after=200.0
        )
        assert verdict(TWICE, 205.0, base=self.YOUNG, accepted_before=100.0) is Action.GIVE_UP

    def test_the_last_token_is_probed_for_three_seconds(self) -> None:
        known: dict[str, Any] = {"obtained": 199.0, "probed": 200.4}
        assert verdict(TWICE, 200.5, base=self.YOUNG, **known) == Wait(200.9, accepted_after=200.0)
        assert verdict(TWICE, 202.0, base=self.YOUNG, **known) is Action.GIVE_UP

    def test_a_call_that_waits_since_before_the_trouble_is_given_up_as_one_of_it(self) -> None:
        slow = attrs.evolve(TWICE, began=180.0)
        assert verdict(slow, 200.2, base=self.YOUNG, trouble=200.0) is Action.GIVE_UP
        assert verdict(slow, 200.2, base=self.YOUNG, trouble=200.0, accepted_before=190.0) == Wait(
            200.4, 200.0
        )

    def test_giving_up_is_remembered_for_a_minute_or_until_a_call_is_accepted(self) -> None:
        assert verdict(ONCE, 200.0, given_up=141.0) is Action.GIVE_UP
        assert verdict(ONCE, 200.0, given_up=140.0) is Action.REFRESH
        assert verdict(ONCE, 200.0, given_up=141.0, accepted=141.1, probed=0.0) is Action.PROBE

    def test_a_refresh_that_returned_the_same_token_is_given_up_once_that_is_settled(self) -> None:
        assert verdict(TWICE, 200.2, unchanged=True, refreshed=200.1) is Action.GIVE_UP

    def test_a_static_token_that_was_never_accepted_is_given_up_at_once(self) -> None:
        assert verdict(ONCE, 200.0, static=True) is Action.GIVE_UP

    def test_a_static_token_that_was_accepted_is_probed_once_more(self) -> None:
        assert verdict(ONCE, 200.0, static=True, accepted=190.0, probed=0.0, raised=190.0) is Action.PROBE
        assert verdict(TWICE, 200.1, static=True, accepted=190.0) is Action.GIVE_UP


class TestTheHistory:
    def reject(self, history: TokenHistory, at: float, rejections: Rejections | None = None) -> Rejections:
        rejections = rejections or Rejections()
        rejections.add("new", at)
        history.on_rejection(rejections)
        return rejections

    def test_trouble_begins_with_the_first_rejection_after_the_last_accepted_call(self) -> None:
        history = TokenHistory(token="new", accepted=10.0)
        for at in (20.0, 21.0, 22.0):
            self.reject(history, at)
        assert (history.trouble, history.rejected_calls) == (20.0, 3)
        history.accepted = 21.5
        self.reject(history, 23.0)
        assert (history.trouble, history.rejected_calls) == (23.0, 1)

    def test_trouble_goes_on_with_the_next_token(self) -> None:
        history = TokenHistory(token="old")
        self.reject(history, 20.0)
        history.on_token("new", 21.0, 0.0)
        self.reject(history, 22.0)
        assert history.trouble == 20.0

    def test_trouble_is_over_after_five_seconds_without_a_rejection(self) -> None:
        history = TokenHistory(token="new")
        self.reject(history, 20.0)
        self.reject(history, 25.1)
        assert history.trouble == 25.1

    def test_trouble_that_was_given_up_a_minute_ago_is_over(self) -> None:
        history = TokenHistory(token="new")
        for at in (20.0, 24.0, 28.0):
            self.reject(history, at)
        assert history.give_up(30.0)
        assert not history.give_up(31.0)
        self.reject(history, 89.9)
        assert history.trouble == 20.0
        self.reject(history, 90.0)
        assert history.trouble == 90.0

    def test_a_call_that_is_rejected_twice_is_counted_once(self) -> None:
        history = TokenHistory(token="new")
        one = self.reject(history, 20.0)
        self.reject(history, 20.5, one)
        assert history.rejected_calls == 1

    def test_begins_anew_with_a_new_token_and_not_with_the_same_one(self) -> None:
        history = TokenHistory(token="old", obtained=1.0, accepted=10.0, probed=11.0)
        history.on_token("old", 20.0, 0.5)
        assert (history.obtained, history.accepted, history.unchanged, history.refreshed) == (
            1.0,
            10.0,
            True,
            20.0,
        )
        history.on_token("new", 30.0, 0.5)
        assert (history.obtained, history.accepted, history.ever_accepted) == (30.0, -math.inf, 10.0)
        assert (history.unchanged, history.refreshed, history.jitter) == (False, 30.0, 0.5)

    def test_does_not_count_the_first_token_as_a_refresh(self) -> None:
        history = TokenHistory()
        history.on_token("new", 5.0, 0.0)
        assert history.refreshed == -math.inf

    @pytest.mark.parametrize(
        ("rejected", "accepted", "until"),
        [
            (10, -math.inf, 160.0),
            (10, 50.0, 160.0),
            (9, -math.inf, None),
            (10, 50.1, None),
            (10, 101.0, None),
        ],
    )
    def test_is_hopeless_once_ten_calls_were_rejected_and_none_accepted_for_a_minute(
        self, rejected: int, accepted: float, until: float | None
    ) -> None:
        history = TokenHistory(token="new", rejected_calls=rejected, accepted=accepted, given_up=100.0)
        assert history.hopeless_until(110.0) == until
        assert history.hopeless_until(160.0) is None

    def test_no_repr_shows_a_token(self) -> None:
        assert "s3cret" not in f"{TokenHistory(token='s3cret')} {Rejections('s3cret')}"
