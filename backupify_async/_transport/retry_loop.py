"""Sends failed calls again, as `retry_rules` decides. tenacity runs the loop."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

import attrs

from backupify_async._transport.call_state import CallState
from backupify_async._transport.request import DeliveryUnknown
from backupify_async._transport.retry_rules import (
    FailedSending,
    GiveUp,
    Indeterminate,
    Retry,
    RetryBudget,
    Verdict,
    decide,
)
from backupify_async._transport.transport import Response
from backupify_async.errors import APIError, BackupifyError, DecodeError, TransportError

_SUSPECTS = 256  # failures that are remembered


@attrs.frozen
class _Suspect:
    """A failure that counted, and may turn out to belong to an outage: its cost, and when it was sent."""

    call: CallState
    cost: int
    sent_time: float


class Retrying:
    """Retries calls until they succeed, or must not or need not be retried.

    Args:
        budget: The tokens that all retries of the client share.
        now: A monotonic clock, seconds.
        on_retry: Called with each retry: the call, the delay in seconds, and the failure.
    """

    def __init__(
        self,
        budget: int,
        now: Callable[[], float],
        on_retry: Callable[[CallState, float, BackupifyError], None],
    ) -> None:
        # Not at the top, where it would slow down the import of the package. Not at the first failure, which
        # can be that no file can be opened, or come long after the files of this process were replaced.
        from tenacity import AsyncRetrying  # noqa: PLC0415

        from backupify_async._transport.retry_strategies import RetryStrategies, retry_after_failure  # noqa: PLC0415

        self._tenacity = AsyncRetrying
        self._strategies = RetryStrategies
        self._retry_after_failure = retry_after_failure
        self._now = now
        self._on_retry = on_retry
        self.budget = RetryBudget(budget)
        self._suspects: deque[_Suspect] = deque(maxlen=_SUSPECTS)
        self.retried = 0
        """How many sendings repeated a failed one; those refused for now are counted as refused."""

    async def run(self, call: CallState, attempt: Callable[[], Awaitable[Response]]) -> Response:
        """Attempt a call. The first attempt runs without tenacity, which costs a tenth of a request.

        Raises:
            DeliveryUnknown: The request is not repeatable, was sent, and got no clear response.
            BackupifyError: The last failure, which says why the request was not retried.
        """
        try:
            response = await attempt()
        except BackupifyError as error:
            response = await self.go_on(call, attempt, error)
        self.budget.succeeded(call.last_cost)
        return response

    async def go_on(
        self, call: CallState, attempt: Callable[[], Awaitable[Response]], error: BackupifyError
    ) -> Response:
        """Retry a call after its first failure, for as long as that is safe and may help.

        Raises:
            DeliveryUnknown, BackupifyError: As for `run`.
        """
        if call.sent_at is None:
            raise error  # no token, or the gate is closed: nothing was sent
        strategies = self._strategies(partial(self._judge, call), partial(self._schedule, call))
        retrying = self._tenacity(
            retry=strategies.retry,
            stop=strategies.stop,
            wait=strategies.wait,
            before_sleep=strategies.before_sleep,
            sleep=asyncio.sleep,
            reraise=True,
        )
        try:
            return await self._retry_after_failure(retrying, attempt, error)
        except BackupifyError as last:
            if isinstance(strategies.verdict, Indeterminate) and call.sent_at is not None:
                raise DeliveryUnknown(call.sent_at, last) from last
            raise

    def _judge(self, call: CallState, error: BackupifyError) -> Verdict:
        """Count a failure, and decide whether the call goes on."""
        if call.sent_at is None:
            return GiveUp()  # no token, or the gate is closed: nothing was sent
        call.require_not_cancelled()
        call.answered = call.answered or not isinstance(error, TransportError) or error.sent
        call.distrusts = isinstance(error, DecodeError)
        if call.down:
            pass  # it costs nothing
        elif call.refusal is not None:
            call.refusals += 1
        else:
            call.attempts += 1
        verdict = self._decide(call, error, repeatable=call.request.repeatable)
        if call.suspect and call.refusal is None:
            cost = verdict.cost if isinstance(verdict, Retry) else 0
            self._suspects.append(_Suspect(call, cost, call.sent_time))
        return verdict

    def _decide(self, call: CallState, error: BackupifyError, *, repeatable: bool) -> Verdict:
        failure = FailedSending(
            error=error,
            repeatable=repeatable,
            attempts=call.attempts,
            refusals=call.refusals,
            refused_for=0.0 if call.refused_since is None else self._now() - call.refused_since,
            refusal=call.refusal,
            server_down=call.down,
            retries_any_5xx=call.retries_any_5xx,
            budget=self.budget.remaining,
        )
        verdict = decide(failure, call.options.retry, random.uniform)
        if isinstance(verdict, GiveUp) and isinstance(error, APIError | TransportError | DecodeError):
            error.gave_up = verdict.reason
        return verdict

    def _schedule(self, call: CallState, verdict: Retry, error: BackupifyError) -> None:
        """Pay for a retry, and report it."""
        call.sent_at = None
        call.last_cost = verdict.cost
        self.budget.spend(verdict.cost)
        self.retried += call.refusal is None
        self._on_retry(call, verdict.delay, error)

    def again(self, call: CallState, error: BackupifyError) -> Retry | GiveUp:
        """Decide whether a call whose delivery was in doubt is sent again, now that it certainly did nothing.

        That counts as one more of its attempts, and is paid for from the same budget.

        Args:
            call: The call.
            error: How its last sending failed, already counted.
        """
        verdict = self._decide(call, error, repeatable=True)
        if isinstance(verdict, Retry):
            self._schedule(call, verdict, error)
        call.sent_at = None
        return GiveUp() if isinstance(verdict, Indeterminate) else verdict

    def refund_outage(self) -> None:
        """Refund what the failures that revealed an outage have cost their calls."""
        for suspect in self._suspects:
            suspect.call.attempts -= 1
            suspect.call.last_cost = 0
            self.budget.refund(suspect.cost)
        self._suspects.clear()

    def on_success(self, sent_time: float) -> None:
        """Record that the server responded to a call: those sent before it failed for another reason."""
        if self._suspects:
            kept = [suspect for suspect in self._suspects if suspect.sent_time > sent_time]
            self._suspects = deque(kept, maxlen=_SUSPECTS)
