"""Makes the events that a client's hook is told of."""

import asyncio
import math
from collections.abc import Callable
from datetime import datetime

from backupify_async._transport.rate import Estimate
from backupify_async._transport.request import Response
from backupify_async._transport.retry_loop import Call
from backupify_async.errors import BackupifyError
from backupify_async.events import (
    EventHook,
    LimitChanged,
    RequestSent,
    ResponseReceived,
    RetryScheduled,
    Throttled,
    TokenRefreshed,
    tell,
)
from backupify_async.statistics import LimitSource, SpeedReason, Statistics

_APART = 1.0  # seconds between two looks at what is believed
_MATTERS = 0.2  # of a rate: less is no change


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

    def sent(self, call: Call) -> None:
        """A request is about to leave."""
        self._limit.stir()
        tell(self._hook, RequestSent(call.request.method, call.request.path, call.sendings))

    def received(self, call: Call, response: Response, elapsed: float) -> None:
        """An answer came, so many seconds after its request had left."""
        self._limit.stir()
        method, path = call.request.method, call.request.path
        tell(self._hook, ResponseReceived(method, path, call.sendings, response.status, elapsed))

    def throttled(self, call: Call, retry_after: float | None, until: datetime, limit: Estimate) -> None:
        """A request was refused for now; nobody sends until then."""
        method, path = call.request.method, call.request.path
        tell(self._hook, Throttled(method, path, retry_after, until, limit.source, limit.per_second))
        self._limit.refused()

    def retry_scheduled(self, call: Call, delay: float, error: BackupifyError) -> None:
        """A failed request is sent again, so many seconds later."""
        method, path = call.request.method, call.request.path
        tell(self._hook, RetryScheduled(method, path, call.sendings, delay, str(error)))

    def token_renewed(self, expires_in: float | None) -> None:
        """There is a new token, with so many seconds to live."""
        tell(self._hook, TokenRefreshed(expires_in))


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
            tell(self._hook, believed)


def _matters(told: LimitChanged, believed: LimitChanged) -> bool:
    if (told.limit_source, told.speed_reason) != (believed.limit_source, believed.speed_reason):
        return True
    before, rate = told.limit_per_second or 0.0, believed.limit_per_second or 0.0
    return abs(rate - before) > _MATTERS * before
