"""Whether a failed request is sent again, and after how long. `retry_loop` carries that out.

| what happened | a repeatable request | any other |
| --- | --- | --- |
| never sent (no connection) | retry | retry |
| refused for now (`throttling`) by a 429, 403 or 400 | retry, not counted | retry, not counted |
| refused for now by a 420, or a 503 with Retry-After | retry, not counted | in doubt, not counted |
| refused for now by another 503 | retry, not counted | in doubt |
| 408, 500, 502 to 504, 520 to 530; sent, and no readable response | retry | in doubt |
| a status that proves that nothing was done (`NOTHING_DONE`) | its error | its error |
| any other status; a response that is too large | its error | in doubt |

A 503 can slow all calls down as a 429 does, but proves nothing: Varnish by default sends one with Retry-After
for each backend that closed the connection, even where that backend had acted.

A failure because the server is down for all calls (`outage`) does not count where the request is retried.

A token request is retried after any 5xx: without a token no call can go on.
"""

from collections.abc import Callable
from enum import Enum
from typing import assert_never

import attrs

from backupify_async._transport.throttling import Refusal
from backupify_async.config import RetryPolicy
from backupify_async.errors import APIError, BackupifyError, DecodeError, RequestTimeout, TransportError

# 520 to 530 are Cloudflare's, for an origin that failed or was not reached; 522 and 524 are its time-outs.
_TRANSIENT = frozenset({408, 500, 502, 503, 504, *range(520, 531)})
NOTHING_DONE = frozenset(
    {
        *(400, 401, 403, 404, 405),  # RFC 9110 §15.5.1 to .6: malformed, no right, not found, wrong method
        407,  # §15.5.8: from a proxy, which did not forward it
        *(409, 410, 411, 413, 414, 415),  # §15.5.10 to .16: in conflict with its state, gone, not acceptable
        417,  # §15.5.18: an expectation is judged before the content
        *(421, 422, 426),  # §15.5.20 to .22: not its authority, not processable, another protocol
        *(428, 429, 431),  # RFC 6585 §3 to §5: no precondition, too many requests, too large headers
        451,  # RFC 7725 §3: withheld
    }
)
"""The statuses that prove that a request did nothing. No other status does.

Not included are 402, 412, 416, 418, 423 and 424, which no server sends here; 406, which Rails sends after it
has acted; 408 and 425, which leave it open (RFC 9110 §15.5.9, RFC 8470 §5.2); and the statuses that gateways
make up for a client or a backend that closed the connection: 420, 440, 444, 460, 499.
"""
_TIMED_OUT = frozenset({408, 504, 522, 524})
# botocore's retry quota: 5 for a retry, 10 after a time-out, 1 back for a success at the first attempt.
_RETRY_COST = 5
_TIMEOUT_COST = 10
_FIRST_TIME_SUCCESS = 1


class RetryReason(Enum):
    """Why a failed request can be sent again."""

    NEVER_SENT = "it was never sent"
    REFUSED = "the server refused it for now"
    DOWN = "the server is down"
    REPEATABLE = "it is repeatable"


@attrs.frozen
class Retry:
    """Send the request again.

    Attributes:
        reason: Why that is safe.
        delay: Seconds to wait before.
        cost: Tokens to take from the budget.
    """

    reason: RetryReason
    delay: float
    cost: int = 0


@attrs.frozen
class GiveUp:
    """Raise the error of the last sending.

    Attributes:
        reason: Why the request is not retried; None where a retry was never in question.
        at_limit: Whether a limit of the retry policy was reached. Otherwise the kind of failure rules a retry
            out.
    """

    reason: str | None = None
    at_limit: bool = attrs.field(default=False, eq=False)


@attrs.frozen
class Indeterminate:
    """The server may have acted on the request, which is not sent again."""


Verdict = Retry | GiveUp | Indeterminate


@attrs.frozen(kw_only=True)
class FailedSending:
    """A failed sending, with what its call has met so far, this failure included.

    Attributes:
        error: How the sending failed.
        repeatable: Whether the request is repeatable.
        attempts: How many sendings failed and count.
        refusals: How many sendings were refused for now, which do not count.
        refused_for: Seconds since the first refusal.
        refusal: The refusal for now, where this sending met one that does not count; else None.
        server_down: Whether the sending failed because the server is down for all calls.
        retries_any_5xx: Whether any 5xx is retried.
        budget: Tokens that remain to the client for retries.
    """

    error: BackupifyError
    repeatable: bool = True
    attempts: int = 0
    refusals: int = 0
    refused_for: float = 0.0
    refusal: Refusal | None = None
    server_down: bool = False
    retries_any_5xx: bool = False
    budget: int


def decide(failure: FailedSending, policy: RetryPolicy, uniform: Callable[[float, float], float]) -> Verdict:
    """Decide whether a call goes on after a failed sending.

    Args:
        failure: The failed sending.
        policy: The limits.
        uniform: Draws a number between two others: the jitter.
    """
    reason = _retry_reason(failure)
    match reason:
        case GiveUp() | Indeterminate():
            return reason
        case _ if failure.server_down:
            return Retry(RetryReason.DOWN, 0.0)  # it waits at the gate
        case RetryReason.REFUSED:
            assert failure.refusal is not None  # noqa: S101 - that is the reason
            return _wait_out(failure.refusal, failure, policy, uniform)
        case RetryReason.NEVER_SENT | RetryReason.REPEATABLE | RetryReason.DOWN:
            return _back_off(reason, failure, policy, uniform)
        case _:
            assert_never(reason)


def _retry_reason(failure: FailedSending) -> RetryReason | GiveUp | Indeterminate:
    repeatable = failure.repeatable
    again = RetryReason.REPEATABLE if repeatable else Indeterminate()
    match failure.error:
        case APIError(gave_up=str(reason)) | TransportError(gave_up=str(reason)):
            return GiveUp(reason)
        case DecodeError(gave_up=str(reason)) if repeatable:
            return GiveUp(reason)
        case APIError(status=status) if failure.refusal is not None:
            return RetryReason.REFUSED if repeatable or status in NOTHING_DONE else Indeterminate()
        case APIError(status=status):
            if status in _TRANSIENT or (status >= 500 and failure.retries_any_5xx):
                return again
            return GiveUp() if repeatable or status in NOTHING_DONE else Indeterminate()
        case TransportError(sent=False):
            return RetryReason.NEVER_SENT
        case TransportError() | DecodeError():  # half a response may be whole the next time
            return again
        case _:
            return GiveUp()


def _wait_out(
    refusal: Refusal, failure: FailedSending, policy: RetryPolicy, uniform: Callable[[float, float], float]
) -> Verdict:
    asked = refusal.retry_after or 0.0
    if refusal.over_cap:
        reason = f"Retry-After {asked:g} s is over max_retry_after={policy.max_retry_after:g} s"
        return GiveUp(reason, at_limit=True)
    if failure.refused_for + asked > policy.max_throttled:
        reason = f"refused for {failure.refused_for:.0f} s, and max_throttled={policy.max_throttled:g} s"
        return GiveUp(reason, at_limit=True)
    if refusal.backs_off:
        return Retry(RetryReason.REFUSED, max(asked, full_jitter(failure.refusals, policy, uniform)))
    return Retry(RetryReason.REFUSED, asked)  # after that it waits at the gate, as all calls do


def _back_off(
    reason: RetryReason, failure: FailedSending, policy: RetryPolicy, uniform: Callable[[float, float], float]
) -> Verdict:
    attempts, error = failure.attempts, failure.error
    if attempts >= policy.attempts:
        verb = "tried" if reason is RetryReason.NEVER_SENT else "sent"
        return GiveUp(f"{verb} {attempts} times" if attempts > 1 else None, at_limit=True)
    timed_out = isinstance(error, RequestTimeout) or (
        isinstance(error, APIError) and error.status in _TIMED_OUT
    )
    cost = _TIMEOUT_COST if timed_out else _RETRY_COST
    if cost > failure.budget:
        return GiveUp("the client's retry budget is spent", at_limit=True)
    return Retry(reason, full_jitter(attempts, policy, uniform), cost)


def full_jitter(failures: int, policy: RetryPolicy, uniform: Callable[[float, float], float]) -> float:
    """Seconds to back off after the n-th failure: anything up to a doubling bound ("full jitter").

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    return uniform(0.0, min(policy.cap, policy.base * 2.0 ** min(failures - 1, 60)))


@attrs.define
class RetryBudget:
    """Tokens that all calls of a client share for their retries: a token bucket that successes refill."""

    capacity: int
    remaining: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.remaining = self.capacity

    def spend(self, cost: int) -> None:
        """Pay for a retry."""
        self.remaining -= cost

    def succeeded(self, last_cost: int) -> None:
        """Refund what the last retry of a successful call cost, or a little where it needed none."""
        self.refund(last_cost or _FIRST_TIME_SUCCESS)

    def refund(self, tokens: int) -> None:
        """Put tokens back, up to the capacity."""
        self.remaining = min(self.capacity, self.remaining + tokens)
