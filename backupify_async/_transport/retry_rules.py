"""What may be tried again, and after how long: pure decisions. `session` carries them out, by tenacity.

| what happened | a request that is safe to repeat | any other |
| --- | --- | --- |
| never sent (no connection) | again | again |
| refused for now (`throttling`) by a 429, 403 or 400 | again, uncounted | again, uncounted |
| refused for now by a 420, or a 503 with Retry-After | again, uncounted | its fate is unknown, uncounted |
| refused for now by another 503 | again, uncounted | its fate is unknown |
| 408, 500, 502 to 504, 520 to 530; sent, and no answer that can be read | again | its fate is unknown |
| a status that proves that nothing was done (`NOTHING_DONE`) | its error | its error |
| any other status; an answer that is too large | its error | its fate is unknown |

A 503 may slow everybody down as a 429 does, but proves nothing: Varnish, as it comes, writes one with
Retry-After for each backend that broke off, also for one that had acted by then.

What failed because the server is down for everybody (`outage`) does not count where it is sent again.

The token endpoint, which is not gated, gets another try after any 5xx: without a token nothing goes on.
"""

from collections.abc import Callable
from enum import Enum
from typing import assert_never

import attrs

from backupify_async.config import RetryPolicy
from backupify_async.errors import APIError, BackupifyError, DecodeError, RequestTimeout, TransportError

# 520 to 530 are Cloudflare's, for an origin that failed or was not reached; 522 and 524 are its time-outs.
_TRANSIENT = frozenset({408, 500, 502, 503, 504, *range(520, 531)})
NOTHING_DONE = frozenset(
    {
        *(400, 401, 403, 404, 405),  # RFC 9110 §15.5.1 to .6: malformed, no right, no such thing or method
        407,  # §15.5.8: from a proxy, which did not pass it on
        *(409, 410, 411, 413, 414, 415),  # §15.5.10 to .16: at odds with its state, gone, not as it takes it
        417,  # §15.5.18: an expectation is judged before the content
        *(421, 422, 426),  # §15.5.20 to .22: not its authority, not processable, another protocol
        *(428, 429, 431),  # RFC 6585 §3 to §5: no precondition, too many requests, too large headers
        451,  # RFC 7725 §3: withheld
    }
)
"""The statuses that prove that a request did nothing. No other status does.

Left out are 402, 412, 416, 418, 423 and 424, which nobody sends here; 406, which Rails answers after it has
acted; 408 and 425, which leave it open (RFC 9110 §15.5.9, RFC 8470 §5.2); and what gateways make up for a
client or a backend that went away: 420, 440, 444, 460, 499.
"""
_TIMED_OUT = frozenset({408, 504, 522, 524})
_RETRY_COST = 5  # botocore's retry quota: 5 a retry, 10 after a time-out, 1 back for an untroubled success
_TIMEOUT_COST = 10
_UNTROUBLED = 1


class RetryReason(Enum):
    """Why a failed request may be sent again."""

    NEVER_SENT = "it never left"
    REFUSED = "the server refused it for now"
    DOWN = "the server is down"
    REPEATABLE = "it is safe to repeat"


@attrs.frozen
class Retry:
    """Send it again, after `delay` seconds, for `cost` tokens of the budget."""

    ground: RetryReason
    delay: float
    cost: int = 0


@attrs.frozen
class GiveUp:
    """Raise its error; `reason` says why it is not sent again, None where that was never in question."""

    reason: str | None = None


@attrs.frozen
class Indeterminate:
    """It may have been acted on, and is not sent again."""


Verdict = Retry | GiveUp | Indeterminate


@attrs.frozen
class History:
    """What a call has met so far.

    Attributes:
        attempts: Sendings that count.
        refusals: Refusals for now, which do not count.
        refused_for: Seconds since the first of them.
        budget: Tokens that all calls of the client have left for retries.
        refused: Whether the last answer refused it for now, as `throttling` says.
        alone: Whether that refusal is its own, and others pass.
        down: Whether it failed because the server is down for everybody.
    """

    attempts: int
    refusals: int
    refused_for: float
    budget: int
    refused: bool = False
    alone: bool = False
    down: bool = False


def decide(
    error: BackupifyError,
    history: History,
    policy: RetryPolicy,
    *,
    repeatable: bool,
    gated: bool,
    uniform: Callable[[float, float], float],
) -> Verdict:
    """What becomes of a call whose last sending failed.

    Args:
        error: How it failed.
        history: What the call has met so far, this failure included.
        policy: The limits.
        repeatable: Whether the request is safe to repeat.
        gated: Whether the request passes the gate, where the limiter makes it wait after a 429.
        uniform: Draws a number between two others: the jitter.
    """
    ground = _ground(error, refused=history.refused, repeatable=repeatable, gated=gated)
    match ground:
        case GiveUp() | Indeterminate():
            return ground
        case _ if history.down:
            return Retry(RetryReason.DOWN, 0.0)  # the gate is where it waits
        case RetryReason.REFUSED:
            return _wait_out(error, history, policy, gated=gated, uniform=uniform)
        case RetryReason.NEVER_SENT | RetryReason.REPEATABLE | RetryReason.DOWN:
            return _back_off(ground, error, history, policy, uniform)
        case _:
            assert_never(ground)


def _ground(
    error: BackupifyError, *, refused: bool, repeatable: bool, gated: bool
) -> RetryReason | GiveUp | Indeterminate:
    again = RetryReason.REPEATABLE if repeatable else Indeterminate()
    match error:
        case APIError(gave_up=str(reason)) | TransportError(gave_up=str(reason)):
            return GiveUp(reason)
        case DecodeError(gave_up=str(reason)) if repeatable:
            return GiveUp(reason)
        case APIError(status=status) if refused:
            return RetryReason.REFUSED if repeatable or status in NOTHING_DONE else Indeterminate()
        case APIError(status=status):
            if status in _TRANSIENT or (status >= 500 and not gated):
                return again
            return GiveUp() if repeatable or status in NOTHING_DONE else Indeterminate()
        case TransportError(sent=False):
            return RetryReason.NEVER_SENT
        case TransportError() | DecodeError():  # half an answer may be whole the next time
            return again
        case _:
            return GiveUp()


def _wait_out(
    error: BackupifyError,
    history: History,
    policy: RetryPolicy,
    *,
    gated: bool,
    uniform: Callable[[float, float], float],
) -> Verdict:
    assert isinstance(error, APIError)  # noqa: S101 - only an answer refuses
    asked = error.retry_after or 0.0
    if asked > policy.max_retry_after:
        return GiveUp(f"Retry-After {asked:g} s is over max_retry_after={policy.max_retry_after:g} s")
    if history.refused_for + asked > policy.max_throttled:
        return GiveUp(
            f"refused for {history.refused_for:.0f} s, and max_throttled={policy.max_throttled:g} s"
        )
    if history.alone or not gated:
        return Retry(RetryReason.REFUSED, max(asked, full_jitter(history.refusals, policy, uniform)))
    return Retry(RetryReason.REFUSED, asked)  # and then it waits at the gate, like everybody


def _back_off(
    ground: RetryReason,
    error: BackupifyError,
    history: History,
    policy: RetryPolicy,
    uniform: Callable[[float, float], float],
) -> Verdict:
    if history.attempts >= policy.attempts:
        how = "tried" if ground is RetryReason.NEVER_SENT else "sent"
        return GiveUp(f"{how} {history.attempts} times" if history.attempts > 1 else None)
    timed_out = isinstance(error, RequestTimeout) or (
        isinstance(error, APIError) and error.status in _TIMED_OUT
    )
    cost = _TIMEOUT_COST if timed_out else _RETRY_COST
    if cost > history.budget:
        return GiveUp("the client's retry budget is spent")
    return Retry(ground, full_jitter(history.attempts, policy, uniform), cost)


def full_jitter(failures: int, policy: RetryPolicy, uniform: Callable[[float, float], float]) -> float:
    """Seconds to back off after the n-th failure: anything up to a doubling bound ("full jitter").

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    return uniform(0.0, min(policy.cap, policy.base * 2.0 ** min(failures - 1, 60)))


@attrs.define
class RetryBudget:
    """Tokens that all calls of a client share for their retries: a token bucket that success refills."""

    capacity: int
    remaining: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.remaining = self.capacity

    def spend(self, cost: int) -> None:
        """Pay for a retry."""
        self.remaining -= cost

    def succeeded(self, last_cost: int) -> None:
        """A call came through: give back what its last retry cost, or a little where it needed none."""
        self.earn(last_cost or _UNTROUBLED)

    def earn(self, tokens: int) -> None:
        """Give tokens back, up to the capacity."""
        self.remaining = min(self.capacity, self.remaining + tokens)
