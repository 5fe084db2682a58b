"""What a session tells of its work: counts, log lines and events."""

import logging
from datetime import datetime

from backupify_async.errors import BackupifyError
from backupify_async.events import (
    EventHook,
    RequestSent,
    ResponseReceived,
    RetryScheduled,
    Throttled,
    TokenRefreshed,
    tell,
)
from backupify_async.transport.rate import Estimate
from backupify_async.transport.request import Response
from backupify_async.transport.retrying import Call

_LOGGER = logging.getLogger("backupify_async.session")


class Reporter:
    """Counts what happens, logs it, and tells the hook; events are made only where somebody listens."""

    def __init__(self, on_event: EventHook | None) -> None:
        self._on_event = on_event
        self.requests = 0
        """How many requests were sent."""
        self.refused = 0
        """How many were answered 429."""

    def sent(self, call: Call) -> None:
        """A request is about to leave."""
        self.requests += 1
        if self._on_event is not None:
            tell(self._on_event, RequestSent(call.request.method, call.request.path, call.sendings))

    def received(self, call: Call, response: Response, elapsed: float) -> None:
        """An answer came, so many seconds after its request had left."""
        request = call.request
        _LOGGER.debug("%s %s answered %d in %.3f s", request.method, request.path, response.status, elapsed)
        if self._on_event is not None:
            event = ResponseReceived(request.method, request.path, call.sendings, response.status, elapsed)
            tell(self._on_event, event)

    def throttled(self, call: Call, retry_after: float | None, until: datetime, limit: Estimate) -> None:
        """A request was refused for now; nobody sends until then."""
        self.refused += 1
        method, path = call.request.method, call.request.path
        _LOGGER.info("%s %s was refused for now (429)", method, path)
        tell(self._on_event, Throttled(method, path, retry_after, until, limit.source, limit.per_second))

    def retry_scheduled(self, call: Call, delay: float, error: BackupifyError) -> None:
        """A failed request is sent again, so many seconds later."""
        method, path = call.request.method, call.request.path
        _LOGGER.info("%s %s is sent again in %.2f s: %s", method, path, delay, error)
        tell(self._on_event, RetryScheduled(method, path, call.sendings, delay, str(error)))

    def token_renewed(self, expires_in: float | None) -> None:
        """There is a new token, with so many seconds to live."""
        tell(self._on_event, TokenRefreshed(expires_in))
