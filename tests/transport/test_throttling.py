"""Which responses refuse a call for now, and which calls that concerns."""

from collections.abc import Mapping

import pytest

from backupify_async._transport.throttling import (
    RateSignals,
    RecentResponses,
    Refusal,
    RefusalScope,
    Sending,
    asks_to_slow_down,
    concerns_all,
)

SPENT = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "30"}

THROTTLING = b'{"__type": "com.amazon#ThrottlingException", "message": "Rate exceeded"}'


def is_refusal(
    status: int,
    retry_after: float | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    others_pass: bool = False,
) -> bool:
    signals = RateSignals(status, retry_after, headers or {}, body)
    return asks_to_slow_down(signals, 0.0, 120.0, others_pass=others_pass)


class TestWhatAsksToSlowDown:
    @pytest.mark.parametrize("status", [420, 429])
    def test_includes_429_and_420(self, status: int) -> None:
        assert is_refusal(status)

    @pytest.mark.parametrize("retry_after", [0.0, 5.0, 500.0])
    def test_includes_a_503_with_retry_after(self, retry_after: float) -> None:
        assert is_refusal(503, retry_after)

    def test_includes_an_unexplained_503_while_other_calls_are_accepted(self) -> None:
        assert is_refusal(503, others_pass=True)
        assert not is_refusal(503, others_pass=False)

    def test_includes_a_403_with_retry_after_or_a_spent_quota(self) -> None:
        assert is_refusal(403, 60.0)
        assert is_refusal(403, headers=SPENT)

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "30"},
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "121"},
        ],
    )
    def test_includes_no_other_403(self, headers: Mapping[str, str]) -> None:
        assert not is_refusal(403, headers=headers, others_pass=True)

    @pytest.mark.parametrize(
        "body",
        [
            THROTTLING,
            b'{"code": "Throttling"}',
            b'{"Code": "TooManyRequests"}',
            b'{"__type": "TooManyRequestsException:http://internal.amazon.com/"}',
        ],
    )
    def test_includes_a_400_whose_body_names_throttling(self, body: bytes) -> None:
        assert is_refusal(400, body=body)

    @pytest.mark.parametrize(
        "body", [b"", b"Throttling", b'["Throttling"]', b'{"code": 7}', b'{"message": "Throttling"}']
    )
    def test_includes_no_other_400(self, body: bytes) -> None:
        assert not is_refusal(400, body=body, others_pass=True)

    @pytest.mark.parametrize("status", [401, 404, 409, 422, 500, 502, 504, 529])
    def test_includes_no_other_status(self, status: int) -> None:
        assert not is_refusal(status, 5.0, SPENT, THROTTLING, others_pass=True)

    @pytest.mark.parametrize(
        ("status", "retry_after", "all_calls"),
        [(503, None, True), (503, 120.0, True), (503, 121.0, False), (403, 121.0, False), (429, 121.0, True)],
    )
    def test_a_wait_over_the_cap_concerns_all_calls_only_with_a_429(
        self, status: int, retry_after: float | None, all_calls: bool
    ) -> None:
        assert concerns_all(RateSignals(status, retry_after, {}), 120.0) is all_calls


class TestWhetherOtherCallsAreAccepted:
    def test_is_false_before_the_first_one_was_accepted(self) -> None:
        assert not RecentResponses(120.0).others_pass(0.0)

    @pytest.mark.parametrize(
        ("sent_time", "accepted", "others_pass"), [(5, 6, True), (5, 4, True), (5, 3.9, False)]
    )
    def test_is_true_if_one_was_sent_later_or_at_most_a_second_before(
        self, sent_time: float, accepted: float, others_pass: bool
    ) -> None:
        recent = RecentResponses(120.0)
        recent.accepted(accepted)
        assert recent.others_pass(sent_time) is others_pass

    def test_does_not_depend_on_the_order_of_the_responses(self) -> None:
        recent = RecentResponses(120.0)
        recent.accepted(9)
        recent.accepted(1)
        assert recent.others_pass(9)


class TestARefusalOfOneCall:
    @staticmethod
    def after_responses(accepted: list[float], refused: list[float]) -> RecentResponses:
        recent = RecentResponses(120.0)
        for sent_time in accepted:
            recent.accepted(sent_time)
        for sent_time in refused:
            recent.refused(sent_time, "another")
        return recent

    @pytest.mark.parametrize(
        ("accepted", "refused", "own"),
        [
            ([6, 7, 8], [], True),
            ([6, 7], [], False),  # too few accepted
            ([4, 5, 6], [], False),  # sent before the call was refused
            ([6, 7, 8], [4], True),
            ([6, 7, 8], [6], False),  # other calls are refused too
            ([*range(6, 16)], [6], True),  # one refused among ten accepted has its own reason
        ],
    )
    def test_is_its_own_if_other_calls_are_accepted_meanwhile(
        self, accepted: list[float], refused: list[float], own: bool
    ) -> None:
        assert self.after_responses(accepted, refused).is_own(5, "this") is own

    def test_does_not_count_the_call_s_own_refusals(self) -> None:
        recent = self.after_responses([6, 7, 8], [6])
        assert recent.is_own(5, "another")

    def test_does_not_count_old_responses(self) -> None:
        assert self.after_responses([], [6]).is_own(5, "this") is False
        recent = self.after_responses([], [6])
        for sent_time in range(7, 7 + 64):
            recent.accepted(sent_time)
        assert recent.is_own(5, "this")


def classify(
    status: int,
    retry_after: float | None = None,
    *,
    recent: RecentResponses | None = None,
    refused_since: float | None = None,
    repeatable: bool = True,
    passed_gate: bool = True,
) -> Refusal | None:
    """The verdict on the response to a request that was sent at 5."""
    signals = RateSignals(status, retry_after, {})
    sending = Sending("this", 5, refused_since, repeatable, passed_gate)
    return (recent or RecentResponses(120.0)).classify(signals, sending, 0.0)


def with_accepted(*sent_times: float) -> RecentResponses:
    recent = RecentResponses(120.0)
    for sent_time in sent_times:
        recent.accepted(sent_time)
    return recent


class TestTheVerdict:
    @pytest.mark.parametrize("status", [200, 404, 500, 503])
    def test_a_response_that_does_not_ask_to_slow_down_is_no_refusal(self, status: int) -> None:
        assert classify(status) is None

    @pytest.mark.parametrize("status", [429, 420])
    def test_a_429_or_420_concerns_all_calls_and_says_how_long_it_asks_to_wait(self, status: int) -> None:
        assert classify(status, 7.0) == Refusal(status, 7.0)

    def test_a_wait_over_the_cap_is_marked_once_for_limiter_and_retry(self) -> None:
        assert classify(429, 120.0) == Refusal(429, 120.0)
        assert classify(429, 120.5) == Refusal(429, 120.5, over_cap=True)

    def test_a_503_over_the_cap_pauses_no_other_call(self) -> None:
        assert classify(503, 121.0) == Refusal(503, 121.0, RefusalScope.UNCLEAR, over_cap=True)

    def test_a_single_unexplained_503_while_others_are_accepted_pauses_no_other_call(self) -> None:
        assert classify(503, recent=with_accepted(5)) == Refusal(503, None, RefusalScope.UNCLEAR)

    def test_an_unexplained_503_counts_as_a_failure_of_a_request_that_is_not_repeatable(self) -> None:
        refusal = classify(503, recent=with_accepted(5), repeatable=False)
        assert refusal == Refusal(503, None, RefusalScope.UNCLEAR, counts=True)

    def test_a_call_that_is_refused_again_while_others_are_accepted_backs_off_alone(self) -> None:
        refusal = classify(429, 3.0, recent=with_accepted(2, 3, 4), refused_since=1)
        assert refusal == Refusal(429, 3.0, RefusalScope.OWN, backs_off=True)

    def test_an_unexplained_503_of_that_call_alone_counts_as_a_failure(self) -> None:
        refusal = classify(503, recent=with_accepted(2, 3, 4), refused_since=1)
        assert refusal == Refusal(503, None, RefusalScope.OWN, counts=True, backs_off=True)

    def test_the_refusal_of_a_token_request_concerns_all_calls_and_it_backs_off_alone(self) -> None:
        recent = with_accepted(2, 3, 4)
        assert classify(429, recent=recent, refused_since=1, passed_gate=False) == Refusal(
            429, backs_off=True
        )

    def test_four_unexplained_503s_in_a_row_show_a_limit_for_all_calls(self) -> None:
        recent = with_accepted(5)
        scopes = [refusal and refusal.scope for refusal in (classify(503, recent=recent) for _ in range(4))]
        assert scopes == [*[RefusalScope.UNCLEAR] * 3, RefusalScope.ALL_CALLS]


class TestAnUnexplained503:
    @staticmethod
    def add_responses(recent: RecentResponses, count: int, every: int) -> None:
        """Add responses of which one in `every` is a 503."""
        for number in range(1, count + 1):
            if number % every:
                recent.accepted(float(number))
            else:
                recent.refused(float(number), object(), unexplained=True)

    @pytest.mark.parametrize(("refused", "limit"), [(1, False), (3, False), (4, True), (10, True)])
    def test_shows_a_limit_if_four_of_the_latest_ten_responses_were_refusals(
        self, refused: int, limit: bool
    ) -> None:
        recent = RecentResponses(120.0)
        self.add_responses(recent, 20, every=100)
        self.add_responses(recent, refused, every=1)
        assert recent.shows_a_limit is limit

    @pytest.mark.parametrize(("every", "limit"), [(6, True), (8, False)])
    def test_shows_a_limit_if_many_of_the_responses_were_503(self, every: int, limit: bool) -> None:
        recent = RecentResponses(120.0)
        self.add_responses(recent, 64, every)
        assert recent.shows_a_limit is limit

    def test_still_shows_a_limit_if_slowing_down_helps(self) -> None:
        recent = RecentResponses(120.0)
        self.add_responses(recent, 64, every=1)
        self.add_responses(recent, 2_000, every=100)
        assert recent.shows_a_limit

    def test_shows_no_limit_if_slowing_down_does_not_help(self) -> None:
        recent = RecentResponses(120.0)
        self.add_responses(recent, 64, every=5)
        self.add_responses(recent, 400, every=20)
        assert not recent.shows_a_limit
