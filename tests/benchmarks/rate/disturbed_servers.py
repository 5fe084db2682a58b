"""Servers with disturbances: a spent store at the start, outages, changes of the limit, stray refusals."""

import copy
import math
from collections import deque
from collections.abc import Callable, Sequence

import attrs

from tests.benchmarks.rate.servers import LOST, Headers, Rounding, Server


def empty(server: Server, debt: float = 0.0) -> Server:
    """Spend a server's store at time 0, and for buckets also `debt` seconds of their rate."""
    _spend(server, math.inf)
    for _ in range(round(debt * server.limit(0.0))):
        server.take(0.0)
    return server


def half_spent(server: Server) -> Server:
    """Spend half of a server's store at time 0."""
    _spend(server, _spend(copy.deepcopy(server), math.inf) // 2)
    return server


def _spend(server: Server, most: float) -> int:
    spent = 0
    while spent < most and server.free_at(0.0) <= 0.0:
        server.take(0.0)
        spent += 1
    return spent


@attrs.define
class Unlimited(Server):
    """A server that accepts all calls."""

    def free_at(self, now: float) -> float:
        return now

    def take(self, now: float) -> None:
        """Nothing changes."""

    def limit(self, now: float) -> float:
        return math.inf


@attrs.define
class InFlight(Server):
    """A server that works on at most `most` calls at once, each for `seconds`."""

    most: int
    seconds: float
    _ends: deque[float] = attrs.field(init=False, factory=deque)

    def free_at(self, now: float) -> float:
        while self._ends and self._ends[0] <= now:
            self._ends.popleft()
        return now if len(self._ends) < self.most else self._ends[0]

    def take(self, now: float) -> None:
        self._ends.append(now + self.seconds)

    def limit(self, now: float) -> float:
        return self.most / self.seconds


@attrs.frozen
class Outage:
    """A time in which no call is accepted or counted.

    Attributes:
        begin: In seconds.
        end: In seconds.
        status: The status of each response; `LOST`: the connection is refused.
        retry_after: As `Server.retry_after`.
    """

    begin: float
    end: float
    status: int = 429
    retry_after: Rounding | None = None


@attrs.define
class Scheduled(Server):
    """One server after another, with outages.

    Attributes:
        servers: Each with the time at which it replaces the one before; the first at 0. The store of a new
            one is full, as after a restart.
        outages: In the order of time.
    """

    servers: deque[tuple[float, Server]]
    outages: Sequence[Outage] = ()

    def free_at(self, now: float) -> float:
        outage = self._outage(now)
        if outage is not None:
            return outage.end
        free = self._current(now).free_at(now)
        return min(free, self.servers[1][0]) if len(self.servers) > 1 else free

    def take(self, now: float) -> None:
        self._current(now).take(now)

    def headers(self, now: float) -> Headers:
        return self._current(now).headers(now)

    def respond(self, now: float, call: int = 0) -> tuple[int, Headers]:
        outage = self._outage(now)
        if outage is None:
            return self._current(now).respond(now, call)
        if outage.retry_after is None or outage.status == LOST:
            return outage.status, {}
        return outage.status, {"Retry-After": str(outage.retry_after(outage.end - now))}

    def limit(self, now: float) -> float:
        return 0.0 if self._outage(now) is not None else self._current(now).limit(now)

    def averaged_over(self) -> float:
        return max(server.averaged_over() for _, server in self.servers)

    def _outage(self, now: float) -> Outage | None:
        return next((outage for outage in self.outages if outage.begin <= now < outage.end), None)

    def _current(self, now: float) -> Server:
        while len(self.servers) > 1 and self.servers[1][0] <= now:
            self.servers.popleft()
        return self.servers[0][1]


@attrs.define
class StrayRefusals(Server):
    """A server that refuses some calls although the limit permits them.

    Attributes:
        server: The server that responds to the others.
        strays: Whether a request is refused, by its own number from 1 on and the number of its call.
        refused_at: When it refused such calls.
    """

    server: Server
    strays: Callable[[int, int], bool]
    refused_at: list[float] = attrs.field(init=False, factory=list)
    _requests: int = attrs.field(init=False, default=0)

    def free_at(self, now: float) -> float:
        return self.server.free_at(now)

    def take(self, now: float) -> None:
        self.server.take(now)

    def respond(self, now: float, call: int = 0) -> tuple[int, Headers]:
        self._requests += 1
        if self.strays(self._requests, call):
            self.refused_at.append(now)
            return self.status, {}
        return self.server.respond(now, call)

    def limit(self, now: float) -> float:
        return self.server.limit(now)

    def averaged_over(self) -> float:
        return self.server.averaged_over()
