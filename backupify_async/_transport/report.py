"""What a session tells of its work: counts, log lines and events."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from backupify_async._transport.rate import Estimate
from backupify_async._transport.request import Response
from backupify_async._transport.retry_loop import Call
from backupify_async.errors import BackupifyError
from backupify_async.statistics import Statistics

if TYPE_CHECKING:
    from backupify_async._transport.telling import Teller
    from backupify_async.events import EventHook

_LOGGER = logging.getLogger("backupify_async.session")


class Reporter:
    """Counts what happens, logs it, and tells the hook; events are made only where somebody listens.

    Args:
        on_event: The hook, or None.
        statistics: What is going on now.
    """

    def __init__(self, on_event: "EventHook | None", statistics: Callable[[], Statistics]) -> None:
        self._teller = None if on_event is None else _teller(on_event, statistics)
        self.requests = 0
        """How many requests were sent."""
        self.refused = 0
        """How many were refused for now."""

    def sent(self, call: Call) -> None:
        """A request is about to leave."""
        self.requests += 1
        if self._teller is not None:
            self._teller.sent(call)

    def received(self, call: Call, response: Response, elapsed: float) -> None:
        """An answer came, so many seconds after its request had left."""
        if _LOGGER.isEnabledFor(logging.DEBUG):  # or the arguments alone cost as much as asking
            method, path = call.request.method, call.request.path
            _LOGGER.debug("%s %s answered %d in %.3f s", method, path, response.status, elapsed)
        if self._teller is not None:
            self._teller.received(call, response, elapsed)

    def throttled(self, call: Call, retry_after: float | None, until: datetime, limit: Estimate) -> None:
        """A request was refused for now; nobody sends until then."""
        self.refused += 1
        _LOGGER.info("%s %s was refused for now", call.request.method, call.request.path)
        if self._teller is not None:
            self._teller.throttled(call, retry_after, until, limit)

    def retry_scheduled(self, call: Call, delay: float, error: BackupifyError) -> None:
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


def _teller(hook: "EventHook", statistics: Callable[[], Statistics]) -> "Teller":
    from backupify_async._transport.telling import Teller  # noqa: PLC0415 - few programs listen

    return Teller(hook, statistics)
