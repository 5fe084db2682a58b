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
    """A response of a server; `LOST` is a call without a response, `UNUSED` one that was not sent."""

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


class SimulatedLimiter(Protocol):
    """The methods of a limiter, or of a part of one, that a run calls."""

    def earliest(self, now: float, in_flight: int) -> float: ...
    def on_send(self, now: float) -> Ticket: ...
    def on_cancel(self, now: float, ticket: Ticket) -> None: ...
    def on_no_response(self, now: float, ticket: Ticket) -> None: ...
    def on_response(self, ticket: Ticket, observation: Observation) -> None: ...


def respond(  # noqa: PLR0917 - the parts of a response
    limiter: SimulatedLimiter,
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
    """The limiter of a client with these settings."""
    return AdaptiveLimiter(RateLimit(per_second, burst), RetryPolicy(), max_concurrency)


@attrs.define
class Run:
    """A run of calls: when each was sent, and what the response was."""

    limiter: SimulatedLimiter
    server: Server
    max_concurrency: int = 64
    now: float = 0.0
    sent: list[float] = attrs.field(factory=list)
    responses: list[tuple[float, float, Reply]] = attrs.field(factory=list)
    most_in_flight: int = 0
    accepted: int = 0
    _in_flight: list[tuple[float, int, Ticket, Reply]] = attrs.field(factory=list)

    @property
    def refused(self) -> int:
        """How many calls were refused with 429."""
        return sum(reply.status == 429 for _, _, reply in self.responses)

    def until_accepted(self, count: int, at_most: float = math.inf) -> "Run":
        """Continue until this many calls are accepted, or the time is over."""
        while self.accepted < count and self.now < at_most:
            self.step()
        return self

    def step(self) -> None:
        """The next event: a call is sent, or a response arrives."""
        in_flight = len(self._in_flight)
        when = self.limiter.earliest(self.now, in_flight) if in_flight < self.max_concurrency else math.inf
        response_at = self._in_flight[0][0] if self._in_flight else math.inf
        assert min(when, response_at) < math.inf, "all calls wait for ever"
        if when <= self.now:
            self._send()
        elif when < response_at:
            self.now = when
        else:
            self._arrive()

    def rest(self, seconds: float) -> "Run":
        """Let all responses arrive, and let time pass without calls."""
        until = self.now + seconds
        while self._in_flight:
            self._arrive()
        self.now = max(self.now, until)
        return self

    def _send(self) -> None:
        ticket = self.limiter.on_send(self.now)
        reply = self.server(self.now + 0.03)
        heapq.heappush(self._in_flight, (self.now + reply.takes, len(self.sent), ticket, reply))
        self.sent.append(self.now)
        self.most_in_flight = max(self.most_in_flight, len(self._in_flight))

    def _arrive(self) -> None:
        self.now, _, ticket, reply = heapq.heappop(self._in_flight)
        if reply is UNUSED:
            self.limiter.on_cancel(self.now, ticket)
        elif reply is LOST:
            self.limiter.on_no_response(self.now, ticket)
        else:
            respond(self.limiter, self.now, ticket, reply.status, reply.retry_after, reply.headers)
            self.responses.append((self.now, ticket.sent_time, reply))
            self.accepted += reply.status == 200


def bucket(per_second: float, burst: float, *, whole_seconds: bool = False) -> Server:
    """A bucket that fills evenly; silent, or with a Retry-After that is rounded up."""
    level, since = burst, 0.0

    def respond_at(at: float) -> Reply:
        nonlocal level, since
        level, since = min(burst, level + (at - since) * per_second), at
        if level >= 1:
            level -= 1
            return OK
        return Reply(429, float(math.ceil((1 - level) / per_second))) if whole_seconds else REFUSED

    return respond_at


def window(quota: int, period: float, *, silent: bool = False, headers: bool = False) -> Server:
    """A quota of calls in each period; the periods begin at time 0."""
    count, index = 0, -1

    def respond_at(at: float) -> Reply:
        nonlocal count, index
        if int(at // period) > index:
            index, count = int(at // period), 0
        count += 1
        remaining = (index + 1) * period - at
        quota_headers = (
            {"RateLimit": f'"default";r={max(0, quota - count)};t={math.ceil(remaining)}'} if headers else {}
        )
        if count <= quota:
            return Reply(200, None, quota_headers)
        return Reply(429, None if silent else float(math.ceil(remaining)), quota_headers)

    return respond_at


def sliding(quota: int, period: float) -> Server:
    """A quota of calls in the last `period` seconds at any time, with a Retry-After that is rounded up."""
    log: deque[float] = deque()

    def respond_at(at: float) -> Reply:
        while log and log[0] <= at - period:
            log.popleft()
        if len(log) < quota:
            log.append(at)
            return OK
        return Reply(429, float(math.ceil(log[0] + period - at)))

    return respond_at


SERVERS: dict[str, Callable[[], Server]] = {
    "none": lambda: lambda at: OK,
    "bucket": lambda: bucket(60, 10),
    "bucket, Retry-After": lambda: bucket(60, 10, whole_seconds=True),
    "window": lambda: window(140, 2.0),
    "silent window": lambda: window(140, 2.0, silent=True),
    "headers": lambda: window(300, 5.0, headers=True),
    "sliding": lambda: sliding(300, 10),
}
"""Servers by name: what each does to one call after the other."""
