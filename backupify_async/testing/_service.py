"""From a request to a reply, faults and all: the server's one decision, made at once and without I/O."""

import itertools
import random
import threading
from enum import Enum
from heapq import heappop, heappush
from typing import assert_never

from attrs import evolve, frozen

from backupify_async.testing._answers import Answer, Asked, error_answer
from backupify_async.testing._faults import Fault, FaultBook, FaultKind
from backupify_async.testing._handlers import ServerContext, act
from backupify_async.testing._limits import Meter

_OPEN = frozenset({"token", "ping", None})
_REFUSED = {
    "good": None,
    "expired": error_answer(401, "The access token expired"),
    "unknown": error_answer(401, "The access token is invalid"),
}
_NOTHING = Answer(0)


class Delivery(Enum):
    """How a reply is to be brought to the client."""

    WHOLE = "whole"
    TRUNCATED = "truncated"
    LOST = "lost"
    HANGING = "hanging"


@frozen
class Reply:
    """What is to be sent, and how.

    Attributes:
        answer: what there would be to send, also where it is not to arrive.
        delivery: how it is sent.
        fault: what the request met, or None.
    """

    answer: Answer
    delivery: Delivery = Delivery.WHOLE
    fault: Fault | None = None

    @property
    def status(self) -> int | None:
        """The status that is sent, or None where no answer is."""
        return None if self.delivery in (Delivery.LOST, Delivery.HANGING) else self.answer.status


class Service:
    """The order of things: first the rate limit, then the token, then the faults, then what was asked.

    The rate limit is one count for all that comes in: Rack::Attack stands in front of the application and
    usually counts by address, so that `/oauth/token`, `/v1/ping` and unknown paths count like everything
    else.

    Args:
        desk: the state and the settings.
        rng: decides about faults with a probability.
    """

    def __init__(self, desk: ServerContext, rng: random.Random) -> None:
        limit = desk.settings.rate_limit
        self.faults = FaultBook(desk.settings.faults, rng)
        self._desk = desk
        self._late: list[tuple[float, int, Asked]] = []
        self._order = itertools.count()
        self._catching_up = threading.Lock()
        self._meter: Meter | None = None if limit is None else limit.meter()

    def reply(self, asked: Asked) -> Reply:
        """Decide about one request, and do what it asks for.

        Args:
            asked: the request.

        Returns:
            What is to be sent.
        """
        refused = self._throttled(asked) or self._unauthorized(asked)
        if refused is not None:
            return Reply(refused)
        self.catch_up(asked.at)
        fault = self.faults.meet(asked)
        if fault is None:
            return Reply(act(self._desk, asked))
        if fault.late:
            heappush(self._late, (asked.at + fault.late, next(self._order), asked))
        elif fault.kind is FaultKind.REPEAT:
            act(self._desk, asked)
        return _spoilt(fault, act(self._desk, asked) if fault.after_acting and not fault.late else _NOTHING)

    def catch_up(self, now: float) -> None:
        """Do what a fault has put off until `now`, or before, in seconds since the epoch."""
        if not self._late:
            return
        with self._catching_up:  # whoever asks the server for its triggers may do so from another thread
            while self._late and self._late[0][0] <= now:
                when, _, asked = heappop(self._late)
                act(self._desk, evolve(asked, at=when))

    def _throttled(self, asked: Asked) -> Answer | None:
        refusal = None if self._meter is None else self._meter.take(asked.at)
        if refusal is None:
            return None
        headers = {"Content-Type": "text/plain"}
        if refusal.retry_after is not None:
            headers["retry-after"] = str(refusal.retry_after)
        return Answer(refusal.status, b"Retry later\n", headers)

    def _unauthorized(self, asked: Asked) -> Answer | None:
        if asked.operation in _OPEN:
            return None
        return _REFUSED[self._desk.tokens.verdict(asked.token, asked.at)]


def _spoilt(fault: Fault, truth: Answer) -> Reply:
    match fault.kind:
        case FaultKind.ANSWER:
            return Reply(fault.canned or truth, fault=fault)
        case FaultKind.REPEAT:
            return Reply(truth, fault=fault)
        case FaultKind.LOSE_ANSWER:
            return Reply(truth, Delivery.LOST, fault)
        case FaultKind.HANG:
            return Reply(truth, Delivery.HANGING, fault)
        case FaultKind.TRUNCATE:
            return Reply(truth, Delivery.TRUNCATED, fault)
        case FaultKind.GARBAGE:
            body = truth.body[: len(truth.body) // 2] if fault.canned is None else fault.canned.body
            return Reply(evolve(truth, body=body, headers={**truth.headers, **fault.headers}), fault=fault)
        case FaultKind.WRONG_LINK:
            return Reply(evolve(truth, headers={**truth.headers, **fault.headers}), fault=fault)
    assert_never(fault.kind)
