"""The table at the top of `retry_rules`, row by row."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async import (
    APIError,
    AuthenticationError,
    BackupifyError,
    ConfigurationError,
    ConnectionFailed,
    DecodeError,
    RequestTimeout,
    RetryPolicy,
    TransportError,
)
from backupify_async._transport.error_responses import api_error_type
from backupify_async._transport.retry_rules import (
    NOTHING_DONE,
    FailedSending,
    GiveUp,
    Indeterminate,
    Retry,
    RetryBudget,
    RetryReason,
    Verdict,
    decide,
    full_jitter,
)
from backupify_async._transport.throttling import Refusal
from tests.support.transport_values import lower_bound, upper_bound

POLICY = RetryPolicy(attempts=4, base=0.5, cap=8.0, max_retry_after=120.0, max_throttled=900.0)
ERROR = BackupifyError()
FIRST = FailedSending(error=ERROR, attempts=1, budget=500)
REFUSED = FailedSending(error=ERROR, refusals=1, budget=500, refusal=Refusal(429))
BACKS_OFF = attrs.evolve(REFUSED, refusal=Refusal(429, backs_off=True))

NEVER_SENT = [
    ConnectionFailed("refused", sent=False),
    RequestTimeout("connect", sent=False),
    TransportError("the proxy said no", sent=False),
]
LOST = [RequestTimeout("read"), TransportError("disconnected"), DecodeError("no JSON", "/v1/ping")]
TOO_LARGE = DecodeError("too large", "/v1/ping", gave_up="it would be the same again")


def status(code: int, retry_after: float | None = None, gave_up: str | None = None) -> BackupifyError:
    return api_error_type(code)(code, "GET", "/v1/ping", retry_after=retry_after, gave_up=gave_up)


def verdict(
    error: BackupifyError,
    before: FailedSending = FIRST,
    *,
    repeatable: bool = True,
    policy: RetryPolicy = POLICY,
) -> Verdict:
    """The verdict on an error. If the failure is a refusal, it gets the error's status and Retry-After."""
    refusal = before.refusal
    if refusal is not None and isinstance(error, APIError):
        wait = error.retry_after
        over_cap = (wait or 0.0) > policy.max_retry_after
        refusal = attrs.evolve(refusal, status=error.status, retry_after=wait, over_cap=over_cap)
    return decide(
        attrs.evolve(before, error=error, repeatable=repeatable, refusal=refusal), policy, upper_bound
    )


class TestTheTable:
    @pytest.mark.parametrize("repeatable", [True, False])
    @pytest.mark.parametrize("error", NEVER_SENT)
    def test_a_request_that_was_never_sent_is_retried(self, error: BackupifyError, repeatable: bool) -> None:
        result = verdict(error, repeatable=repeatable)
        assert isinstance(result, Retry)
        assert result.reason is RetryReason.NEVER_SENT

    @pytest.mark.parametrize(
        ("error", "repeatable"),
        [
            (status(429), True),
            (status(429), False),
            (status(429, 3.0), False),
            (status(503, 3.0), True),
            (status(503, 0.0), True),
            (status(503), True),
            (status(420), True),
            (status(403, 3.0), True),
            (status(403, 3.0), False),
            (status(400), False),
        ],
    )
    def test_a_refusal_for_now_is_retried_and_not_counted(
        self, error: BackupifyError, repeatable: bool
    ) -> None:
        result = verdict(error, attrs.evolve(REFUSED, attempts=99, budget=0), repeatable=repeatable)
        assert isinstance(result, Retry)
        assert (result.reason, result.cost) == (RetryReason.REFUSED, 0)

    @pytest.mark.parametrize("code", [420, 503])
    @pytest.mark.parametrize("retry_after", [None, 0.0, 3.0, 500.0])
    def test_a_503_or_420_leaves_any_other_request_in_doubt(
        self, code: int, retry_after: float | None
    ) -> None:
        assert verdict(status(code, retry_after), REFUSED, repeatable=False) == Indeterminate()

    @pytest.mark.parametrize(
        "error", [*LOST, *map(status, (408, 500, 502, 503, 504, 520, 522, 524, 527, 530))]
    )
    def test_a_transient_failure_of_a_repeatable_request_is_retried(self, error: BackupifyError) -> None:
        result = verdict(error)
        assert isinstance(result, Retry)
        assert result.reason is RetryReason.REPEATABLE

    @pytest.mark.parametrize(
        "error", [*LOST, *map(status, (408, 500, 502, 503, 504, 520, 522, 524, 527, 530))]
    )
    def test_a_transient_failure_of_any_other_request_is_in_doubt(self, error: BackupifyError) -> None:
        assert verdict(error, repeatable=False) == Indeterminate()

    def test_a_response_that_is_too_large_is_not_requested_again(self) -> None:
        assert verdict(TOO_LARGE) == GiveUp("it would be the same again")
        assert verdict(TOO_LARGE, repeatable=False) == Indeterminate()

    @pytest.mark.parametrize("error", [*map(status, (501, 505, 507, 599))])
    def test_a_lasting_failure_of_the_server_is_raised_or_in_doubt(self, error: BackupifyError) -> None:
        assert verdict(error) == GiveUp()
        assert verdict(error, repeatable=False) == Indeterminate()

    def test_a_token_request_is_retried_after_any_5xx(self) -> None:
        token = attrs.evolve(FIRST, retries_any_5xx=True)
        assert isinstance(verdict(status(501), token), Retry)
        assert isinstance(verdict(status(404), token), GiveUp)

    @pytest.mark.parametrize("error", [*map(status, (301, 302, 303, 304, 307, 308))])
    def test_a_redirect_does_not_prove_that_nothing_was_done(self, error: BackupifyError) -> None:
        assert verdict(error) == GiveUp()
        assert verdict(error, repeatable=False) == Indeterminate()

    @pytest.mark.parametrize("repeatable", [True, False])
    @pytest.mark.parametrize(
        "error",
        [
            *map(status, (400, 401, 403, 404, 405, 407, 409, 410, 411, 413, 414, 415, 417)),
            *map(status, (421, 422, 426, 428, 431, 451)),
            AuthenticationError("no token"),
            ConfigurationError("no secret"),
        ],
    )
    def test_a_status_that_proves_that_nothing_was_done_is_raised(
        self, error: BackupifyError, repeatable: bool
    ) -> None:
        assert verdict(error, repeatable=repeatable) == GiveUp()

    @pytest.mark.parametrize("code", sorted(set(range(300, 600)) - NOTHING_DONE))
    def test_any_other_status_leaves_the_outcome_in_doubt(self, code: int) -> None:
        assert verdict(status(code), repeatable=False) == Indeterminate()

    @pytest.mark.parametrize(
        "error", [status(429, 3.0, "known"), ConnectionFailed("x", sent=False, gave_up="known")]
    )
    def test_an_error_that_says_why_it_was_given_up_is_raised(self, error: BackupifyError) -> None:
        assert verdict(error) == GiveUp("known")


class TestTheLimits:
    @pytest.mark.parametrize(("attempts", "again"), [(1, True), (3, True), (4, False), (5, False)])
    def test_attempts_are_counted(self, attempts: int, again: bool) -> None:
        result = verdict(status(500), attrs.evolve(FIRST, attempts=attempts))
        assert isinstance(result, Retry) is again

    def test_the_reason_names_the_number_of_attempts(self) -> None:
        assert verdict(status(500), attrs.evolve(FIRST, attempts=4)) == GiveUp("sent 4 times")

    def test_a_single_attempt_gives_no_reason(self) -> None:
        assert verdict(status(500), policy=RetryPolicy(attempts=1)) == GiveUp(None)

    @pytest.mark.parametrize(
        ("error", "cost"),
        [
            (status(500), 5),
            (status(503), 5),
            (TransportError("lost"), 5),
            (ConnectionFailed("refused", sent=False), 5),
            (RequestTimeout("read"), 10),
            (RequestTimeout("connect", sent=False), 10),
            (status(408), 10),
            (status(504), 10),
            (status(522), 10),
            (status(524), 10),
        ],
    )
    def test_a_retry_costs_tokens_of_the_budget(self, error: BackupifyError, cost: int) -> None:
        enough = verdict(error, attrs.evolve(FIRST, budget=cost))
        assert isinstance(enough, Retry)
        assert enough.cost == cost
        spent = GiveUp("the client's retry budget is spent")
        assert verdict(error, attrs.evolve(FIRST, budget=cost - 1)) == spent

    @pytest.mark.parametrize("code", [429, 503])
    def test_a_retry_after_over_the_cap_is_raised_and_named(self, code: int) -> None:
        result = verdict(status(code, 120.5), REFUSED)
        assert result == GiveUp("Retry-After 120.5 s is over max_retry_after=120 s")

    @pytest.mark.parametrize("code", [429, 503])
    def test_a_retry_after_at_the_cap_is_waited_out(self, code: int) -> None:
        assert isinstance(verdict(status(code, 120.0), REFUSED), Retry)

    @pytest.mark.parametrize(
        ("refused_for", "retry_after", "again"),
        [(900.0, None, True), (900.1, None, False), (890.0, 10.0, True), (890.0, 10.1, False)],
    )
    def test_a_refused_call_is_retried_for_max_throttled_seconds(
        self, refused_for: float, retry_after: float | None, again: bool
    ) -> None:
        result = verdict(status(429, retry_after), attrs.evolve(REFUSED, refused_for=refused_for))
        assert isinstance(result, Retry) is again

    def test_max_throttled_is_named(self) -> None:
        result = verdict(status(429), attrs.evolve(REFUSED, refused_for=901.0))
        assert result == GiveUp("refused for 901 s, and max_throttled=900 s")


class TestTheWait:
    def test_a_429_without_retry_after_waits_at_the_gate_only(self) -> None:
        assert verdict(status(429), REFUSED) == Retry(RetryReason.REFUSED, 0.0)

    def test_a_429_with_retry_after_waits_before_the_gate(self) -> None:
        assert verdict(status(429, 3.0), REFUSED) == Retry(RetryReason.REFUSED, 3.0)

    def test_a_call_that_is_refused_alone_backs_off(self) -> None:
        many = attrs.evolve(BACKS_OFF, refusals=3)
        assert verdict(status(429), many) == Retry(RetryReason.REFUSED, 2.0)
        assert verdict(status(429, 3.0), many) == Retry(RetryReason.REFUSED, 3.0)

    def test_a_429_to_a_token_request_is_waited_out_without_the_gate(self) -> None:
        assert verdict(status(429, 3.0), BACKS_OFF) == Retry(RetryReason.REFUSED, 3.0)

    def test_a_503_waits_as_a_429_does(self) -> None:
        assert verdict(status(503, 3.0), REFUSED) == Retry(RetryReason.REFUSED, 3.0)
        assert verdict(status(503), REFUSED) == Retry(RetryReason.REFUSED, 0.0)
        assert verdict(status(503, 3.0), BACKS_OFF) == Retry(RetryReason.REFUSED, 3.0)

    def test_a_token_request_backs_off_if_the_refusal_has_no_retry_after(self) -> None:
        many = attrs.evolve(BACKS_OFF, refusals=3)
        assert verdict(status(503, 0.0), many) == Retry(RetryReason.REFUSED, 2.0)
        assert verdict(status(429), many) == Retry(RetryReason.REFUSED, 2.0)

    @pytest.mark.parametrize(
        ("failures", "bound"), [(1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 8), (5000, 8)]
    )
    def test_the_bound_of_the_jitter_doubles_up_to_the_cap(self, failures: int, bound: float) -> None:
        assert full_jitter(failures, POLICY, upper_bound) == bound
        assert full_jitter(failures, POLICY, lower_bound) == 0.0

    def test_the_back_off_grows_with_the_attempts(self) -> None:
        assert verdict(status(500), attrs.evolve(FIRST, attempts=3)) == Retry(RetryReason.REPEATABLE, 2.0, 5)


class TestTheBudget:
    def test_it_begins_full(self) -> None:
        assert RetryBudget(500).remaining == 500

    def test_a_success_at_the_first_attempt_refunds_one_token(self) -> None:
        budget = RetryBudget(500)
        budget.spend(10)
        budget.succeeded(0)
        assert budget.remaining == 491

    def test_a_success_after_a_retry_refunds_the_cost_of_the_last_one(self) -> None:
        budget = RetryBudget(500)
        budget.spend(10)
        budget.succeeded(5)
        assert budget.remaining == 495

    @given(st.integers(0, 50), st.lists(st.sampled_from([0, 5, 10])), st.lists(st.sampled_from([5, 10])))
    def test_it_is_never_more_than_full(self, size: int, earned: list[int], spent: list[int]) -> None:
        budget = RetryBudget(size)
        for cost in spent:
            budget.spend(cost)
        for cost in earned:
            budget.succeeded(cost)
        assert budget.remaining <= size
