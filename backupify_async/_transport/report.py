"""What a session reports of its work: counts, log lines and events."""

import asyncio
import logging
import math
from collections.abc import Callable
from datetime import datetime

from backupify_async._transport.call_state import CallState
from backupify_async._transport.gate import Gate
from backupify_async._transport.outage import Outage
from backupify_async._transport.rate import Estimate, Limiter
from backupify_async._transport.retry_loop import Retrying
from backupify_async._transport.transport import Response
from backupify_async.errors import BackupifyError
from backupify_async.events import (
    EventHook,
    LimitChanged,
    RequestSent,
    ResponseReceived,
    RetryScheduled,
    Throttled,
    TokenRefreshed,
    emit,
)
from backupify_async.statistics import LimitSource, SpeedReason, Statistics

_LOGGER = logging.getLogger("backupify_async.session")

_CHECK_EVERY = 1.0  # seconds
_SMALLEST_CHANGE = 0.2  # of a rate


class Reporter:
    """Counts what happens, logs it and calls the hook. Events are made only for a hook.

    The events of a call go to the hook in its options, which is the client's where it has none of its own.

    Args:
        on_event: The client's hook, or None.
        statistics: Returns what is going on now.
    """

    def __init__(self, on_event: EventHook | None, statistics: Callable[[], Statistics]) -> None:
        self._hook = on_event
        self._limit = None if on_event is None else LimitWatch(on_event, statistics)
        self.requests = 0
        """How many requests were sent."""
        self.refused = 0
        """How many requests were refused for now."""

    def sent(self, call: CallState) -> None:
        """A request is about to be sent."""
        self.requests += 1
        hook = call.options.on_event
        if hook is None:
            return
        if self._limit is not None:
            self._limit.stir()
        emit(hook, RequestSent(call.request.method, call.request.path, call.sendings))

    def received(self, call: CallState, response: Response, elapsed: float) -> None:
        """A response came, `elapsed` seconds after its request was sent."""
        request, hook = call.request, call.options.on_event
        if _LOGGER.isEnabledFor(logging.DEBUG):  # the arguments cost as much as this check
            _LOGGER.debug(
                "%s %s answered %d in %.3f s", request.method, request.path, response.status, elapsed
            )
        if hook is None:
            return
        if self._limit is not None:
            self._limit.stir()
        emit(hook, ResponseReceived(request.method, request.path, call.sendings, response.status, elapsed))

    def throttled(self, call: CallState, retry_after: float | None, until: datetime, limit: Estimate) -> None:
        """A request was refused for now; no call is sent before `until`."""
        self.refused += 1
        method, path = call.request.method, call.request.path
        _LOGGER.info("%s %s was refused for now", method, path)
        hook = call.options.on_event
        if hook is not None:
            emit(hook, Throttled(method, path, retry_after, until, limit.source, limit.per_second))
        if self._limit is not None:
            self._limit.refused()

    def retry_scheduled(self, call: CallState, delay: float, error: BackupifyError) -> None:
        """A failed request is retried after `delay` seconds."""
        method, path = call.request.method, call.request.path
        _LOGGER.info("%s %s is retried in %.2f s: %s", method, path, delay, error)
        hook = call.options.on_event
        if hook is not None:
            emit(hook, RetryScheduled(method, path, call.sendings, delay, str(error)))

    def token_renewed(self, expires_in: float | None) -> None:
        """There is a new token, which expires in `expires_in` seconds."""
        if self._hook is not None:
            emit(self._hook, TokenRefreshed(expires_in))

    def statistics_of(
        self,
        gate: Gate,
        limiter: Limiter,
        outage: Outage,
        retrying: Retrying,
        *,
        now: float,
        utc: Callable[[float], datetime],
    ) -> Statistics:
        """What is going on now in the session of these parts."""
        estimate, paused_until, down_since = limiter.estimate(now), limiter.paused_until, outage.down_since
        return Statistics(
            in_flight=gate.in_flight,
            waiting=gate.waiting,
            paused_until=utc(paused_until) if paused_until > now else None,
            requests=self.requests,
            refused=self.refused,
            retried=retrying.retried,
            budget_left=retrying.budget.remaining,
            limit_source=estimate.source,
            limit_per_second=estimate.per_second,
            down_since=None if down_since is None else utc(down_since),
            speed_reason=estimate.reason if down_since is None else SpeedReason.DOWN,
        )

    def close(self) -> None:
        """Stop the timer that checks the limit; calls still cause events."""
        if self._limit is not None:
            self._limit.close()


class LimitWatch:
    """Calls a hook when the estimate of the limit changes noticeably.

    It checks at each refusal, and after requests and responses, once a second at most: the effect of a
    response is known only when all parts have handled it, and some changes need no response. While there are
    no calls, it does nothing.

    Args:
        hook: The hook.
        statistics: Takes the current statistics.
    """

    def __init__(self, hook: EventHook, statistics: Callable[[], Statistics]) -> None:
        self._hook = hook
        self._statistics = statistics
        self._emitted = LimitChanged(LimitSource.NONE, None, SpeedReason.NOT_LIMITED, None)
        self._checked_at = self._emitted_at = self._refused_at = -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def stir(self) -> None:
        """The estimate can change: check it soon, once a second at most."""
        if self._timer is None and not self._closed:
            loop = asyncio.get_running_loop()
            when = max(loop.time(), self._checked_at + _CHECK_EVERY)
            self._timer = loop.call_at(when, self._check, loop)

    def refused(self) -> None:
        """A refusal has most likely changed the estimate: check it now."""
        loop = asyncio.get_running_loop()
        if loop.time() >= max(self._emitted_at, self._refused_at) + _CHECK_EVERY:
            self._refused_at = loop.time()
            self._stop_timer()
            self._check(loop)

    def close(self) -> None:
        """Stop the checks."""
        self._closed = True
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        self._checked_at, self._timer = loop.time(), None
        now = self._statistics()
        current = LimitChanged(now.limit_source, now.limit_per_second, now.speed_reason, now.paused_until)
        if _differs(self._emitted, current):
            self._emitted, self._emitted_at = current, self._checked_at
            emit(self._hook, current)


def _differs(before: LimitChanged, current: LimitChanged) -> bool:
    if (before.limit_source, before.speed_reason) != (current.limit_source, current.speed_reason):
        return True
    old, new = before.limit_per_second or 0.0, current.limit_per_second or 0.0
    return abs(new - old) > _SMALLEST_CHANGE * old
