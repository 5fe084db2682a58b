"""Simulated servers with a limit, without I/O and without a clock.

A server decides two things: when the next call can be accepted, and what changes once it is. From these
follow its response to a call, its Retry-After, and the time of the omniscient client (`ideal`). Times never
go back.
"""

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable

import attrs

Headers = dict[str, str]
Rounding = Callable[[float], int]
"""How a server rounds a Retry-After to whole seconds: `math.ceil` or `math.floor`."""

LOST = 0
"""The status of a call without a response: the connection was refused."""

_ALMOST = 1e-9


def retry_after_in(headers: Headers) -> float | None:
    """The seconds of a Retry-After, or None."""
    return float(headers["Retry-After"]) if "Retry-After" in headers else None


@attrs.define
class Server(ABC):
    """A server that refuses calls above its limit.

    Attributes:
        retry_after: How it rounds the Retry-After of its refusals; None: it sends none.
        status: The status of its refusals.
    """

    retry_after: Rounding | None = attrs.field(default=None, kw_only=True)
    status: int = attrs.field(default=429, kw_only=True)

    @abstractmethod
    def free_at(self, now: float) -> float:
        """`now` if a call is accepted; else a time before which none is, at which to check again."""

    @abstractmethod
    def take(self, now: float) -> None:
        """Count an accepted call."""

    @abstractmethod
    def limit(self, now: float) -> float:
        """Calls a second that it accepts in the long run, for the plot and for scores."""

    def averaged_over(self) -> float:
        """Seconds over which its limit is an average; 0 for an even limit."""
        return 0.0

    def refuse(self, now: float) -> None:  # noqa: B027 - most servers do not count what they refuse
        """Count a refused call."""

    def headers(self, now: float) -> Headers:
        """What each response says about the limit."""
        return {}

    def considerate(self) -> "Server":
        """The same server for the omniscient client, which leaves other clients their calls."""
        return self

    def respond(self, now: float, call: int = 0) -> tuple[int, Headers]:
        """Respond to a call with a status and headers.

        Args:
            now: When it arrives.
            call: Its number, which it keeps when it is sent again.
        """
        free = self.free_at(now)
        if free <= now:
            self.take(now)
            return 200, self.headers(now)
        return self.refusal(now, free)

    def refusal(self, now: float, free: float) -> tuple[int, Headers]:
        """Refuse a call that would be accepted at the time `free`."""
        headers = self.headers(now)
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after(free - now))
        self.refuse(now)
        return self.status, headers


@attrs.define
class TokenBucket(Server):
    """`burst` tokens, refilled at `rate` a second; `changes` are (time, new rate)."""

    rate: float
    burst: float
    changes: deque[tuple[float, float]] = attrs.field(factory=deque)
    _tokens: float = attrs.field(init=False)
    _counted: float = attrs.field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self._tokens = self.burst

    def free_at(self, now: float) -> float:
        while self.changes and self.changes[0][0] <= now:
            when, rate = self.changes.popleft()
            self._refill(when)
            self.rate = rate
        self._refill(now)
        if self._tokens >= 1 - _ALMOST:
            return now
        free = now + (1 - self._tokens) / self.rate
        return min(free, self.changes[0][0]) if self.changes else free

    def take(self, now: float) -> None:
        self._tokens -= 1

    def limit(self, now: float) -> float:
        return next((rate for when, rate in reversed(self.changes) if when <= now), self.rate)

    def _refill(self, now: float) -> None:
        self._tokens = min(self.burst, self._tokens + (now - self._counted) * self.rate)
        self._counted = now


@attrs.define
class Gcra(Server):
    """The generic cell rate algorithm (ITU-T I.371): `due` is when an even sender would send next."""

    rate: float
    burst: int
    _due: float = attrs.field(init=False, default=0.0)

    def free_at(self, now: float) -> float:
        return max(now, self._due - (self.burst - 1) / self.rate)

    def take(self, now: float) -> None:
        self._due = max(now, self._due) + 1 / self.rate

    def limit(self, now: float) -> float:
        return self.rate


@attrs.define
class FixedWindow(Server):
    """`quota` calls in each `period`; the first window began `phase` seconds before time 0."""

    quota: int
    period: float
    phase: float = 0.0
    announces: bool = False
    _used: int = attrs.field(init=False, default=0)
    _end: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._end = self.period - self.phase

    def free_at(self, now: float) -> float:
        while self._end <= now:
            self._end += self.period
            self._used = 0
        return now if self._used < self.quota else self._end

    def take(self, now: float) -> None:
        self._used += 1

    def headers(self, now: float) -> Headers:
        if not self.announces:
            return {}
        return {
            "X-RateLimit-Limit": str(self.quota),
            "X-RateLimit-Remaining": str(self.quota - self._used),
            "X-RateLimit-Reset": str(math.ceil(self._end - now)),
        }

    def limit(self, now: float) -> float:
        return self.quota / self.period

    def averaged_over(self) -> float:
        return self.period


@attrs.define
class SlidingLog(Server):
    """`quota` calls in any `period`; with `punishes`, refused calls count too."""

    quota: int
    period: float
    punishes: bool = False
    _log: deque[float] = attrs.field(init=False, factory=deque)

    def free_at(self, now: float) -> float:
        while self._log and self._log[0] + self.period <= now:
            self._log.popleft()
        return now if len(self._log) < self.quota else self._log[-self.quota] + self.period

    def take(self, now: float) -> None:
        self._log.append(now)

    def refuse(self, now: float) -> None:
        if self.punishes:
            self._log.append(now)

    def limit(self, now: float) -> float:
        return self.quota / self.period

    def averaged_over(self) -> float:
        return self.period


@attrs.define
class Shared(Server):
    """A server whose limit another client shares, which sends calls at the times `others`.

    The other client is refused like any other. The omniscient client leaves it its calls (`considerate`).
    """

    server: TokenBucket
    others: deque[float]
    _others_first: bool = False

    def free_at(self, now: float) -> float:
        while self.others and self.others[0] <= now:
            when = self.others.popleft()
            if self.server.free_at(when) <= when or self._others_first:
                self.server.take(when)
        return self.server.free_at(now)

    def take(self, now: float) -> None:
        self.server.take(now)

    def limit(self, now: float) -> float:
        others = sum(now <= at < now + 1 for at in self.others)
        return self.server.limit(now) - others

    def considerate(self) -> Server:
        return attrs.evolve(self, others_first=True)


@attrs.define
class Both(Server):
    """Two limits at once. A call is accepted if both permit it, and then counts in both."""

    first: Server
    second: Server

    def free_at(self, now: float) -> float:
        return max(self.first.free_at(now), self.second.free_at(now))

    def take(self, now: float) -> None:
        self.first.take(now)
        self.second.take(now)

    def limit(self, now: float) -> float:
        return min(self.first.limit(now), self.second.limit(now))

    def averaged_over(self) -> float:
        return max(self.first.averaged_over(), self.second.averaged_over())
