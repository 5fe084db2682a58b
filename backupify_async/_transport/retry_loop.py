"""Carries out what `retry` decides, by tenacity."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from backupify_async._transport.request import DeliveryUnknown, Request, Response
from backupify_async._transport.retry_rules import (
    GiveUp,
    History,
    Indeterminate,
    Retry,
    RetryBudget,
    Verdict,
    decide,
)
from backupify_async.config import RetryPolicy
from backupify_async.errors import APIError, BackupifyError, DecodeError, TransportError

if TYPE_CHECKING:
    from tenacity import RetryCallState


_SUSPECTS = 256  # failures that are remembered


@attrs.define
class CallState:
    """What one call has met so far.

    Attributes:
        request: What it asks.
        gated: Whether it passes the gate; the request for a token does not.
        before_send: Told of each sending before it leaves, once the gate has let it pass; None for nobody.
        began: When it counts as begun at the gate, as `priority.begin_call` says; 0 before it is sent.
        sent_at: When the sending left whose fate is open, UTC; None while there is none.
        sent_time: The same by the loop's clock, in seconds.
        answered: Whether an earlier sending surely reached the server.
        sendings: How often it was sent.
        attempts: How many of these failed and count.
        refused: Whether the last answer refused it for now.
        alone: Whether that refusal is its own, and others pass.
        down: Whether its last sending failed because the server is down for everybody.
        suspect: Whether it failed as if the server were down, which is not known yet.
        refusals: How many did, which do not count.
        refused_since: The time of the first refusal, by the monotonic clock; None before.
        last_cost: What the last retry took from the budget.
        status: The status of the last answer whose head came and whose body did not.
        distrusts: Whether it is sent over a new connection: the last answer may have been another request's.
    """

    request: Request
    gated: bool = True
    before_send: Callable[[], Awaitable[None]] | None = None
    began: int = 0
    sent_at: datetime | None = None
    sent_time: float = 0.0
    answered: bool = False
    sendings: int = 0
    attempts: int = 0
    refused: bool = False
    alone: bool = False
    down: bool = False
    suspect: bool = False
    refusals: int = 0
    refused_since: float | None = None
    last_cost: int = 0
    status: int | None = None
    distrusts: bool = False

    @property
    def may_have_arrived(self) -> bool:
        """Whether the server may have seen the request at all."""
        return self.answered or self.sent_at is not None


@attrs.frozen
class _Suspect:
    """A failure that counted, and may turn out to be the server's being down: what it cost, when it left."""

    call: CallState
    cost: int
    sent_time: float


class Retrying:
    """Attempts calls until they succeed, or must not or need not be tried again.

    Args:
        policy: The limits.
        now: A monotonic clock, seconds.
        on_retry: Told of each retry: the call, the delay in seconds, and the failure.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        now: Callable[[], float],
        on_retry: Callable[[CallState, float, BackupifyError], None],
    ) -> None:
        # Not above, where it would make the import of the package slower; nor at the first failure, which may
        # be that no file can be opened any more, or come long after the files of this process were replaced.
        from tenacity import AsyncRetrying  # noqa: PLC0415

        self._tenacity = AsyncRetrying
        self._policy = policy
        self._now = now
        self._on_retry = on_retry
        self.budget = RetryBudget(policy.budget)
        self._suspects: deque[_Suspect] = deque(maxlen=_SUSPECTS)
        self.retried = 0
        """How many sendings repeated a failed one; those refused for now are counted as refused."""

    async def run(self, call: CallState, attempt: Callable[[], Awaitable[Response]]) -> Response:
        """Attempt a call. The first attempt runs bare: tenacity costs a success a tenth of a request.

        Raises:
            FateUnknown: The request is not repeatable, left, and got no clear answer.
            BackupifyError: The last failure, which says why it was not tried again.
        """
        try:
            response = await attempt()
        except BackupifyError as error:
            response = await self.go_on(call, attempt, error)
        self.budget.succeeded(call.last_cost)
        return response

    async def go_on(
        self, call: CallState, attempt: Callable[[], Awaitable[Response]], first: BackupifyError
    ) -> Response:
        """Attempt a call again, after its first failure, for as long as that is safe and may help."""
        if call.sent_at is None:
            raise first  # no token, or a closed gate: there is nothing to repeat
        failures = [first]
        verdict: Verdict = GiveUp()

        async def next_attempt() -> Response:
            if failures:
                raise failures.pop()  # tenacity judges the failure already at hand like any other
            return await attempt()

        def goes_on(state: "RetryCallState") -> bool:
            nonlocal verdict
            error = state.outcome.exception() if state.outcome is not None else None
            if isinstance(error, BackupifyError):
                verdict = self._judge(call, error)
                return isinstance(verdict, Retry)
            return False

        def delay(_state: "RetryCallState") -> float:
            return verdict.delay if isinstance(verdict, Retry) else 0.0

        retrying = self._tenacity(retry=goes_on, wait=delay, sleep=asyncio.sleep, reraise=True)
        try:
            return await retrying(next_attempt)
        except BackupifyError as error:
            if isinstance(verdict, Indeterminate) and call.sent_at is not None:
                raise DeliveryUnknown(call.sent_at, error) from error
            raise

    def _judge(self, call: CallState, error: BackupifyError) -> Verdict:
        if call.sent_at is None:
            return GiveUp()  # no token, or a closed gate: there is nothing to repeat
        call.answered = call.answered or not isinstance(error, TransportError) or error.sent
        call.distrusts = isinstance(error, DecodeError)
        now = self._now()
        if call.down:
            pass  # it costs nothing
        elif call.refused:
            call.refusals += 1
        else:
            call.attempts += 1
        verdict = self._decide(call, error, now, repeatable=call.request.repeatable)
        if call.suspect and not call.refused:
            cost = verdict.cost if isinstance(verdict, Retry) else 0
            self._suspects.append(_Suspect(call, cost, call.sent_time))
        return verdict

    def give_back(self) -> None:
        """The server is down: give back what its failures have cost the calls that revealed it."""
        for suspect in self._suspects:
            suspect.call.attempts -= 1
            suspect.call.last_cost = 0
            self.budget.earn(suspect.cost)
        self._suspects.clear()

    def passed(self, sent_time: float) -> None:
        """The server answered a call that left then: what had left before failed for another reason."""
        if self._suspects:
            kept = [suspect for suspect in self._suspects if suspect.sent_time > sent_time]
            self._suspects = deque(kept, maxlen=_SUSPECTS)

    def again(self, call: CallState, error: BackupifyError) -> Retry | GiveUp:
        """Whether a call is sent again whose fate was unknown, now that its last sending surely did nothing.

        It would be one more of the same attempts, and is paid for from the same budget.

        Args:
            call: What it has met so far.
            error: How its last sending failed, counted already.
        """
        verdict = self._decide(call, error, self._now(), repeatable=True)
        call.sent_at = None
        return GiveUp() if isinstance(verdict, Indeterminate) else verdict

    def _decide(self, call: CallState, error: BackupifyError, now: float, *, repeatable: bool) -> Verdict:
        history = History(
            call.attempts,
            call.refusals,
            0.0 if call.refused_since is None else now - call.refused_since,
            self.budget.remaining,
            call.refused,
            call.alone,
            call.down,
        )
        verdict = decide(
            error, history, self._policy, repeatable=repeatable, gated=call.gated, uniform=random.uniform
        )
        if isinstance(verdict, Retry):
            call.sent_at = None
            call.last_cost = verdict.cost
            self.budget.spend(verdict.cost)
            self.retried += not call.refused
            self._on_retry(call, verdict.delay, error)
        elif isinstance(verdict, GiveUp) and isinstance(error, APIError | TransportError | DecodeError):
            error.gave_up = verdict.reason
        return verdict
