"""Makes the events that a client's hook is told of."""

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


class Teller:
    """Tells a hook of what `Reporter` is told of."""

    def __init__(self, hook: EventHook) -> None:
        self._hook = hook

    def sent(self, call: Call) -> None:
        """A request is about to leave."""
        tell(self._hook, RequestSent(call.request.method, call.request.path, call.sendings))

    def received(self, call: Call, response: Response, elapsed: float) -> None:
        """An answer came, so many seconds after its request had left."""
        method, path = call.request.method, call.request.path
        tell(self._hook, ResponseReceived(method, path, call.sendings, response.status, elapsed))

    def throttled(self, call: Call, retry_after: float | None, until: datetime, limit: Estimate) -> None:
        """A request was refused for now; nobody sends until then."""
        method, path = call.request.method, call.request.path
        tell(self._hook, Throttled(method, path, retry_after, until, limit.source, limit.per_second))

    def retry_scheduled(self, call: Call, delay: float, error: BackupifyError) -> None:
        """A failed request is sent again, so many seconds later."""
        method, path = call.request.method, call.request.path
        tell(self._hook, RetryScheduled(method, path, call.sendings, delay, str(error)))

    def token_renewed(self, expires_in: float | None) -> None:
        """There is a new token, with so many seconds to live."""
        tell(self._hook, TokenRefreshed(expires_in))
