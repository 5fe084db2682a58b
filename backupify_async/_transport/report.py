"""What a session tells of its work: counts, log lines and events."""

import asyncio
import logging
import math
from collections.abc import Callable
from datetime import datetime

from backupify_async._transport.call_state import CallState
from backupify_async._transport.rate import Estimate
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

_APART = 1.0  # seconds between two looks at what is believed
_MATTERS = 0.2  # of a rate: less is no change


class Reporter:
    """Counts what happens, logs it, and tells the hook; events are made only where somebody listens.

    Args:
        on_event: The hook, or None.
        statistics: What is going on now.
    """

    def __init__(self, on_event: EventHook | None, statistics: Callable[[], Statistics]) -> None:
        self._teller = None if on_event is None else Teller(on_event, statistics)
        self.requests = 0
        """How many requests were sent."""
        self.refused = 0
        """How many were refused for now."""

    def sent(self, call: CallState) -> None:
        """A request is about to leave."""
        self.requests += 1
        if self._teller is not None:
            self._teller.sent(call)

    def received(self, call: CallState, response: Response, elapsed: float) -> None:
        """An answer came, so many seconds after its request had left."""
        if _LOGGER.isEnabledFor(logging.DEBUG):  # or the arguments alone cost as much as asking
            method, path = call.request.method, call.request.path
            _LOGGER.debug("%s %s answered %d in %.3f s", method, path, response.status, elapsed)
        if self._teller is not None:
            self._teller.received(call, response, elapsed)

    def throttled(self, call: CallState, retry_after: float | None, until: datetime, limit: Estimate) -> None:
        """A request was refused for now; nobody sends until then."""
        self.refused += 1
        _LOGGER.info("%s %s was refused for now", call.request.method, call.request.path)
        if self._teller is not None:
            self._teller.throttled(call, retry_after, until, limit)

    def retry_scheduled(self, call: CallState, delay: float, error: BackupifyError) -> None:
        """A failed request is sent again, so many seconds later."""
        method, path = call.request.method, call.request.path
        _LOGGER.info("%s %s is sent again in %.2f s: %s", method, path, delay, error)
        if self._teller is not None:
            self._teller.retry_scheduled(call, delay, error)

    def close(self) -> None:
        """Stop the timer that looks at the limit; events that calls cause are still told."""
        if self._teller is not None:
            self._teller.close()

    def token_renewed(self, expires_in: float | None) -> None:
        """There is a new token, with so many seconds to live."""
        if self._teller is not None:
            self._teller.token_renewed(expires_in)


class Teller:
    """Tells a hook of what `Reporter` is told of.

    Args:
        hook: The hook.
        statistics: What is going on now.
    """

    def __init__(self, hook: EventHook, statistics: Callable[[], Statistics]) -> None:
        self._hook = hook
        self._limit = LimitWatch(hook, statistics)

    def close(self) -> None:
        """Look at nothing more."""
        self._limit.close()

    def sent(self, call: CallState) -> None:
        """A request is about to leave."""
        self._limit.stir()
        emit(self._hook, RequestSent(call.request.method, call.request.path, call.sendings))

    def received(self, call: CallState, response: Response, elapsed: float) -> None:
        """An answer came, so many seconds after its request had left."""
        self._limit.stir()
        method, path = call.request.method, call.request.path
        emit(self._hook, ResponseReceived(method, path, call.sendings, response.status, elapsed))

    def throttled(self, call: CallState, retry_after: float | None, until: datetime, limit: Estimate) -> None:
        """A request was refused for now; nobody sends until then."""
        method, path = call.request.method, call.request.path
        emit(self._hook, Throttled(method, path, retry_after, until, limit.source, limit.per_second))
        self._limit.refused()

    def retry_scheduled(self, call: CallState, delay: float, error: BackupifyError) -> None:
        """A failed request is sent again, so many seconds later."""
        method, path = call.request.method, call.request.path
        emit(self._hook, RetryScheduled(method, path, call.sendings, delay, str(error)))

    def token_renewed(self, expires_in: float | None) -> None:
        """There is a new token, with so many seconds to live."""
        emit(self._hook, TokenRefreshed(expires_in))


class LimitWatch:
    """Tells a hook where what is believed of the limit changes enough to matter.

    It looks at each refusal, and once behind whatever is sent and answered: what comes of an answer is known
    only once all have heard it, and some changes need no answer. Where no call goes, it does nothing.

    Args:
        hook: The hook.
        statistics: What is going on now.
    """

    def __init__(self, hook: EventHook, statistics: Callable[[], Statistics]) -> None:
        self._hook = hook
        self._statistics = statistics
        self._told = LimitChanged(LimitSource.NONE, None, SpeedReason.NOT_LIMITED, None)
        self._looked_at = self._told_at = self._refused_at = -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def stir(self) -> None:
        """Something may change; it is looked at once a second at the most."""
        if self._timer is None and not self._closed:
            loop = asyncio.get_running_loop()
            when = max(loop.time(), self._looked_at + _APART)
            self._timer = loop.call_at(when, self._look, loop)

    def refused(self) -> None:
        """What is believed has changed, most likely."""
        loop = asyncio.get_running_loop()
        if loop.time() >= max(self._told_at, self._refused_at) + _APART:
            self._refused_at = loop.time()
            self._stop_timer()
            self._look(loop)

    def close(self) -> None:
        """Look at nothing more."""
        self._closed = True
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._looked_at, self._timer = loop.time(), None
        now = self._statistics()
        believed = LimitChanged(now.limit_source, now.limit_per_second, now.speed_reason, now.paused_until)
        if _matters(self._told, believed):
            self._told, self._told_at = believed, self._looked_at
            emit(self._hook, believed)


def _matters(told: LimitChanged, believed: LimitChanged) -> bool:
    if (told.limit_source, told.speed_reason) != (believed.limit_source, believed.speed_reason):
        return True
    before, rate = told.limit_per_second or 0.0, believed.limit_per_second or 0.0
    return abs(rate - before) > _MATTERS * before
