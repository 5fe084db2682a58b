"""The ways in which a server limits its callers, as models: settings, and a meter that is told the time."""

import math
from typing import Any, Protocol

from attrs import Attribute, define, field, frozen
from attrs.validators import ge, in_, instance_of

# Seconds since the epoch are floats 2.4e-7 apart: who comes exactly on time shall not be refused for that.
_ROUNDING = 1e-4


@frozen
class Refusal:
    """A request over the limit.

    Attributes:
        retry_after: the header's whole seconds, or None where none is sent.
        status: the HTTP status.
    """

    retry_after: int | None
    status: int = 429


class Meter(Protocol):
    """The running count of one limit."""

    def take(self, now: float) -> Refusal | None:
        """Count one request that arrives `now` (seconds since the epoch); None lets it pass."""
        ...


class RateLimit(Protocol):
    """The settings of one limit."""

    def meter(self) -> Meter:
        """A count of its own, from the beginning."""
        ...


def _flowing(_: object, attribute: "Attribute[Any]", value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{attribute.name} is a number of requests above 0, not {value!r}")


@frozen
class TokenBucket:
    """So many requests a second over any time, and a burst after a rest; a refused request takes nothing.

    Args:
        per_second: how fast the bucket fills.
        burst: how much it holds; it is full at the start.
        retry_after: whether a refusal says in whole seconds when to come again.
        status: the HTTP status of a refusal: 429, or 503 as nginx has it.

    Raises:
        ValueError: for a rate or a burst that lets nothing pass.
    """

    per_second: float = field(validator=_flowing)
    burst: int = field(default=1, validator=[instance_of(int), ge(1)])
    retry_after: bool = field(default=True, kw_only=True)
    status: int = field(default=429, kw_only=True, validator=in_((429, 503)))

    def meter(self) -> Meter:
        """A full bucket."""
        return _BucketMeter(self, self.burst)


@define
class _BucketMeter:
    limit: TokenBucket
    level: float
    at: float = -math.inf

    def take(self, now: float) -> Refusal | None:
        self.level = min(self.limit.burst, self.level + (now - self.at) * self.limit.per_second)
        self.at = now
        if self.level >= 1 - _ROUNDING:
            self.level -= 1
            return None
        seconds = math.ceil((1 - self.level) / self.limit.per_second)
        return Refusal(max(1, seconds) if self.limit.retry_after else None, self.limit.status)


@frozen
class FixedWindow:
    """So many requests in each window of the clock, as Rack::Attack's `throttle` counts them.

    The windows are aligned to the multiples of the period since the epoch, not to the first request; refused
    requests count too, which changes nothing before the window's end; time is read in whole seconds.

    Args:
        limit: how many requests of one window pass.
        period: the window's length in whole seconds.
        retry_after: whether a refusal says how many seconds are left of the window.
        status: the HTTP status of a refusal: 429, or 503 as nginx has it.

    Raises:
        ValueError: for a limit or a period below one.
        TypeError: for one that is no integer.
    """

    limit: int = field(validator=[instance_of(int), ge(1)])
    period: int = field(validator=[instance_of(int), ge(1)])
    retry_after: bool = field(default=True, kw_only=True)
    status: int = field(default=429, kw_only=True, validator=in_((429, 503)))

    def meter(self) -> Meter:
        """A count of zero."""
        return _WindowMeter(self)


@define
class _WindowMeter:
    limit: FixedWindow
    window: int = -1
    count: int = 0

    def take(self, now: float) -> Refusal | None:
        # Rack::Attack: the count's key is `epoch_time / period`, the header `period - epoch_time % period`.
        window, second = divmod(int(now), self.limit.period)
        if window != self.window:
            self.window, self.count = window, 0
        self.count += 1
        if self.count <= self.limit.limit:
            return None
        return Refusal(self.limit.period - second if self.limit.retry_after else None, self.limit.status)
