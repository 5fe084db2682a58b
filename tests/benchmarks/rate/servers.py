"""Servers that limit their callers: each the few lines that decide, without I/O and without a clock.

A model answers two questions: when may the next call pass, and what changes once it has? From these follow
its answer to a call, its Retry-After, and the time of the omniscient client (`ideal`). The times that it is
asked about never go back.
"""

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable

import attrs

Headers = dict[str, str]
Rounding = Callable[[float], int]
"""How a server makes whole seconds of a Retry-After: `math.ceil` or `math.floor`."""

LOST = 0
"""Stands for the status of an answer that never came: nobody listened."""

_ALMOST = 1e-9


def told_to_wait(headers: Headers) -> float | None:
    """The seconds of a Retry-After, or None."""
    return float(headers["Retry-After"]) if "Retry-After" in headers else None


@attrs.define
class Server(ABC):
    """A server that refuses what comes too fast.

    Attributes:
        retry_after: How it rounds the Retry-After of its refusals; None: it says nothing but its status.
        status: Of its refusals.
    """

    retry_after: Rounding | None = attrs.field(default=None, kw_only=True)
    status: int = attrs.field(default=429, kw_only=True)

    @abstractmethod
    def free_at(self, now: float) -> float:
        """`now` where a call may pass; else a time before which none may: ask again then."""

    @abstractmethod
    def take(self, now: float) -> None:
        """Let a call pass."""

    @abstractmethod
    def limit(self, now: float) -> float:
        """Calls per second that it lets pass in the long run, for the plot and for scores."""

    def averaged_over(self) -> float:
        """Seconds over which its limit is to be averaged, where it is not even."""
        return 0.0

    def refuse(self, now: float) -> None:  # noqa: B027 - most servers do not count what they refuse
        """Count a refused call."""

    def headers(self, now: float) -> Headers:
        """What each answer says of the limit."""
        return {}

    def considerate(self) -> "Server":
        """The same server as it meets a client that knows all, and so leaves other clients their calls."""
        return self

    def ask(self, now: float, call: int = 0) -> tuple[int, Headers]:
        """Answer a call with a status and headers.

        Args:
            now: When it comes.
            call: Which one it is, by a number that it keeps when it is sent again.
        """
        free = self.free_at(now)
        if free <= now:
            self.take(now)
            return 200, self.headers(now)
        return self.refusal(now, free)

    def refusal(self, now: float, free: float) -> tuple[int, Headers]:
        """Refuse a call, which may pass at the time `free`."""
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
    """The generic cell rate algorithm: `due` is when an even sender would be next (ITU-T I.371)."""

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
    tells: bool = False
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
        if not self.tells:
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
    """A server on whose limit another client draws too, at the times `others`.

    The other client is refused like anybody; but a client that knows all leaves it its calls (`considerate`).
    """

    server: TokenBucket
    others: deque[float]
    _they_come_first: bool = False

    def free_at(self, now: float) -> float:
        while self.others and self.others[0] <= now:
            when = self.others.popleft()
            if self.server.free_at(when) <= when or self._they_come_first:
                self.server.take(when)
        return self.server.free_at(now)

    def take(self, now: float) -> None:
        self.server.take(now)

    def limit(self, now: float) -> float:
        theirs = sum(now <= when < now + 1 for when in self.others)
        return self.server.limit(now) - theirs

    def considerate(self) -> Server:
        return attrs.evolve(self, they_come_first=True)


@attrs.define
class Both(Server):
    """Two limits at once; a call passes if both let it, and then counts in both."""

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
