"""A limiter and a server, without a loop: time goes from event to event."""

import heapq
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

import attrs

from backupify_async import RateLimit, RetryPolicy
from backupify_async._transport.rate import Observation, Ticket
from backupify_async._transport.rate.adaptive import AdaptiveLimiter
from backupify_async._transport.rate.headers import read_quota


@attrs.frozen
class Reply:
    """What a server says; `LOST` is a call that the network lost, `UNUSED` one that never left."""

    status: int
    retry_after: float | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    takes: float = 0.06


Server = Callable[[float], Reply]
LEARNING = RateLimit(None, adaptive=True)
OK = Reply(200)
REFUSED = Reply(429)
LOST = Reply(0)
UNUSED = Reply(-1)


class Says(Protocol):
    """What a run asks of a limiter, or of a part of one."""

    def earliest(self, now: float, in_flight: int) -> float: ...
    def on_send(self, now: float) -> Ticket: ...
    def on_cancel(self, now: float, ticket: Ticket) -> None: ...
    def on_no_response(self, now: float, ticket: Ticket) -> None: ...
    def on_response(self, ticket: Ticket, observation: Observation) -> None: ...


def respond(  # noqa: PLR0917 - as a response has them
    limiter: Says,
    now: float,
    ticket: Ticket,
    status: int,
    retry_after: float | None,
    headers: Mapping[str, str],
) -> None:
    """Report a response that arrives now, as the gate does."""
    quota = read_quota(headers, time.time())
    over_cap = (retry_after or 0.0) > RetryPolicy().max_retry_after
    observation = Observation(ticket.sent_time, now, status, retry_after, quota, over_cap)
    limiter.on_response(ticket, observation)


def adaptive(per_second: float | None = None, burst: int = 10, max_concurrency: int = 64) -> AdaptiveLimiter:
    """A limiter as a client has it."""
    return AdaptiveLimiter(RateLimit(per_second, burst), RetryPolicy(), max_concurrency)


@attrs.define
class Run:
    """What a run came to: who left when, and what came of it."""

    limiter: Says
    server: Server
    max_concurrency: int = 64
    now: float = 0.0
    sent: list[float] = attrs.field(factory=list)
    answers: list[tuple[float, float, Reply]] = attrs.field(factory=list)
    most_in_flight: int = 0
    accepted: int = 0
    _under_way: list[tuple[float, int, Ticket, Reply]] = attrs.field(factory=list)

    @property
    def refused(self) -> int:
        """How many calls were refused for now."""
        return sum(reply.status == 429 for _, _, reply in self.answers)

    def until_accepted(self, count: int, at_most: float = math.inf) -> "Run":
        """Go on until this number of calls was accepted, or the time is over."""
        while self.accepted < count and self.now < at_most:
            self.step()
        return self

    def step(self) -> None:
        """The next event: a call leaves, or an answer comes."""
        flying = len(self._under_way)
        when = self.limiter.earliest(self.now, flying) if flying < self.max_concurrency else math.inf
        answer_at = self._under_way[0][0] if self._under_way else math.inf
        assert min(when, answer_at) < math.inf, "everybody waits for ever"
        if when <= self.now:
            self._leave()
        elif when < answer_at:
            self.now = when
        else:
            self._arrive()

    def rest(self, seconds: float) -> "Run":
        """Let all answers come, and time pass in which nobody has work."""
        until = self.now + seconds
        while self._under_way:
            self._arrive()
        self.now = max(self.now, until)
        return self

    def _leave(self) -> None:
        ticket = self.limiter.on_send(self.now)
        reply = self.server(self.now + 0.03)
        heapq.heappush(self._under_way, (self.now + reply.takes, len(self.sent), ticket, reply))
        self.sent.append(self.now)
        self.most_in_flight = max(self.most_in_flight, len(self._under_way))

    def _arrive(self) -> None:
        self.now, _, ticket, reply = heapq.heappop(self._under_way)
        if reply is UNUSED:
            self.limiter.on_cancel(self.now, ticket)
        elif reply is LOST:
            self.limiter.on_no_response(self.now, ticket)
        else:
            respond(self.limiter, self.now, ticket, reply.status, reply.retry_after, reply.headers)
            self.answers.append((self.now, ticket.sent_time, reply))
            self.accepted += reply.status == 200


def bucket(per_second: float, burst: float, *, whole_seconds: bool = False) -> Server:
    """A bucket that fills evenly; silent, or with a Retry-After that is rounded up."""
    level, since = burst, 0.0

    def answer(at: float) -> Reply:
        nonlocal level, since
        level, since = min(burst, level + (at - since) * per_second), at
        if level >= 1:
            level -= 1
            return OK
        return Reply(429, float(math.ceil((1 - level) / per_second))) if whole_seconds else REFUSED

    return answer


def window(quota: int, period: float, *, silent: bool = False, headers: bool = False) -> Server:
    """So many calls in each period, counted from time 0."""
    count, index = 0, -1

    def answer(at: float) -> Reply:
        nonlocal count, index
        if int(at // period) > index:
            index, count = int(at // period), 0
        count += 1
        left = (index + 1) * period - at
        said = {"RateLimit": f'"default";r={max(0, quota - count)};t={math.ceil(left)}'} if headers else {}
        if count <= quota:
            return Reply(200, None, said)
        return Reply(429, None if silent else float(math.ceil(left)), said)

    return answer


def sliding(quota: int, period: float) -> Server:
    """So many calls in each stretch of time, with a Retry-After that is rounded up."""
    log: deque[float] = deque()

    def answer(at: float) -> Reply:
        while log and log[0] <= at - period:
            log.popleft()
        if len(log) < quota:
            log.append(at)
            return OK
        return Reply(429, float(math.ceil(log[0] + period - at)))

    return answer
