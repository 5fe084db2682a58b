"""From a request to a reply, with its faults: all decisions of the server, without I/O."""

import itertools
import random
import threading
from enum import Enum
from heapq import heappop, heappush
from typing import assert_never

from attrs import evolve, frozen

from backupify_async.testing._context import ServerContext
from backupify_async.testing._faults import Fault, FaultInjector, FaultKind
from backupify_async.testing._limits import LimitCounter
from backupify_async.testing._messages import Request, Response, error_response
from backupify_async.testing._operations import perform

_OPEN = frozenset({"token", "ping", None})
_REFUSED = {
    "good": None,
    "expired": error_response(401, "The access token expired"),
    "unknown": error_response(401, "The access token is invalid"),
}
_NOTHING = Response(0)


class Delivery(Enum):
    """How a reply is delivered."""

    WHOLE = "whole"
    TRUNCATED = "truncated"
    LOST = "lost"
    HANGING = "hanging"


@frozen
class Reply:
    """A response, and how it is delivered.

    Attributes:
        response: The response, also where none is delivered.
        delivery: How it is delivered.
        fault: The fault that was applied, or None.
    """

    response: Response
    delivery: Delivery = Delivery.WHOLE
    fault: Fault | None = None

    @property
    def status(self) -> int | None:
        """The status that is sent; None where no response is."""
        return None if self.delivery in (Delivery.LOST, Delivery.HANGING) else self.response.status


class Service:
    """Decides in this order: rate limit, token, faults, operation.

    The rate limit counts all requests together: Rack::Attack runs before the application and usually counts
    by address, so `/oauth/token`, `/v1/ping` and unknown paths count too.

    Args:
        context: The state and the settings.
        rng: For faults with a probability.
    """

    def __init__(self, context: ServerContext, rng: random.Random) -> None:
        limit = context.settings.rate_limit
        self.faults = FaultInjector(context.settings.faults, rng)
        self._context = context
        self._late: list[tuple[float, int, Request]] = []
        self._order = itertools.count()
        self._late_lock = threading.Lock()
        self._counter: LimitCounter | None = None if limit is None else limit.counter()

    def reply(self, request: Request) -> Reply:
        """Decide on one request, and perform its operation.

        Args:
            request: The request.

        Returns:
            The reply to deliver.
        """
        refused = self._throttled(request) or self._unauthorized(request)
        if refused is not None:
            return Reply(refused)
        self.catch_up(request.at)
        fault = self.faults.match(request)
        if fault is None:
            return Reply(perform(self._context, request))
        if fault.late:
            heappush(self._late, (request.at + fault.late, next(self._order), request))
        elif fault.kind is FaultKind.REPEAT:
            perform(self._context, request)
        return _faulty(
            fault, perform(self._context, request) if fault.after_acting and not fault.late else _NOTHING
        )

    def catch_up(self, now: float) -> None:
        """Perform the operations that faults delayed until `now` (seconds since the epoch) or before."""
        if not self._late:
            return
        with self._late_lock:  # a test can read the triggers from another thread
            while self._late and self._late[0][0] <= now:
                when, _, request = heappop(self._late)
                perform(self._context, evolve(request, at=when))

    def _throttled(self, request: Request) -> Response | None:
        refusal = None if self._counter is None else self._counter.take(request.at)
        if refusal is None:
            return None
        headers = {"Content-Type": "text/plain"}
        if refusal.retry_after is not None:
            headers["retry-after"] = str(refusal.retry_after)
        return Response(refusal.status, b"Retry later\n", headers)

    def _unauthorized(self, request: Request) -> Response | None:
        if request.operation in _OPEN:
            return None
        return _REFUSED[self._context.tokens.check(request.token, request.at)]


def _faulty(fault: Fault, correct: Response) -> Reply:
    match fault.kind:
        case FaultKind.ANSWER:
            return Reply(fault.canned or correct, fault=fault)
        case FaultKind.REPEAT:
            return Reply(correct, fault=fault)
        case FaultKind.LOSE_RESPONSE:
            return Reply(correct, Delivery.LOST, fault)
        case FaultKind.HANG:
            return Reply(correct, Delivery.HANGING, fault)
        case FaultKind.TRUNCATE:
            return Reply(correct, Delivery.TRUNCATED, fault)
        case FaultKind.GARBAGE:
            body = correct.body[: len(correct.body) // 2] if fault.canned is None else fault.canned.body
            return Reply(
                evolve(correct, body=body, headers={**correct.headers, **fault.headers}), fault=fault
            )
        case FaultKind.WRONG_LINK:
            return Reply(evolve(correct, headers={**correct.headers, **fault.headers}), fault=fault)
    assert_never(fault.kind)
