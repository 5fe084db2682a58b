"""Rate limits of servers: settings, and counters that get the time as an argument."""

import math
from typing import Any, Protocol

from attrs import Attribute, define, field, frozen
from attrs.validators import ge, in_, instance_of

# Floats of seconds since the epoch are 2.4e-7 apart: a request exactly on time must not be refused for that.
_ROUNDING = 1e-4


@frozen
class LimitExceeded:
    """A request over the limit.

    Attributes:
        retry_after: The Retry-After header in seconds; None without one.
        status: The HTTP status.
    """

    retry_after: int | None
    status: int = 429


class LimitCounter(Protocol):
    """The state of one limit."""

    def take(self, now: float) -> LimitExceeded | None:
        """Count a request at `now` (seconds since the epoch); None means that it is accepted."""
        ...


class ServerLimit(Protocol):
    """The settings of one limit."""

    def counter(self) -> LimitCounter:
        """A new counter."""
        ...


def _positive(_: object, attribute: "Attribute[Any]", value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{attribute.name} must be a number of requests above 0, not {value!r}")


@frozen
class TokenBucket:
    """A token bucket: a steady rate, with a burst after an idle time. A refused request takes no token.

    Args:
        per_second: The tokens that are added per second.
        burst: The capacity. The bucket is full at the start.
        retry_after: Whether a refusal has a Retry-After header, in whole seconds.
        status: The HTTP status of a refusal: 429, or 503 as nginx sends it.

    Raises:
        ValueError: The rate or the burst accepts no request.
    """

    per_second: float = field(validator=_positive)
    burst: int = field(default=1, validator=[instance_of(int), ge(1)])
    retry_after: bool = field(default=True, kw_only=True)
    status: int = field(default=429, kw_only=True, validator=in_((429, 503)))

    def counter(self) -> LimitCounter:
        """A full bucket."""
        return _BucketCounter(self, self.burst)


@define
class _BucketCounter:
    limit: TokenBucket
    level: float
    at: float = -math.inf

    def take(self, now: float) -> LimitExceeded | None:
        self.level = min(self.limit.burst, self.level + (now - self.at) * self.limit.per_second)
        self.at = now
        if self.level >= 1 - _ROUNDING:
            self.level -= 1
            return None
        seconds = math.ceil((1 - self.level) / self.limit.per_second)
        return LimitExceeded(max(1, seconds) if self.limit.retry_after else None, self.limit.status)


@frozen
class FixedWindow:
    """A fixed window, as in the `throttle` of Rack::Attack.

    Windows start at multiples of the period since the epoch, not at the first request. Refused requests count
    too, which changes nothing before the end of the window. Time is read in whole seconds.

    Args:
        limit: The number of requests per window.
        period: The length of a window, in whole seconds.
        retry_after: Whether a refusal has a Retry-After header with the remaining seconds of the window.
        status: The HTTP status of a refusal: 429, or 503 as nginx sends it.

    Raises:
        ValueError: The limit or the period is less than 1.
        TypeError: The limit or the period is not an integer.
    """

    limit: int = field(validator=[instance_of(int), ge(1)])
    period: int = field(validator=[instance_of(int), ge(1)])
    retry_after: bool = field(default=True, kw_only=True)
    status: int = field(default=429, kw_only=True, validator=in_((429, 503)))

    def counter(self) -> LimitCounter:
        """A count of zero."""
        return _WindowCounter(self)


@define
class _WindowCounter:
    limit: FixedWindow
    window: int = -1
    count: int = 0

    def take(self, now: float) -> LimitExceeded | None:
        # Rack::Attack: the count's key is `epoch_time / period`, the header `period - epoch_time % period`.
        window, second = divmod(int(now), self.limit.period)
        if window != self.window:
            self.window, self.count = window, 0
        self.count += 1
        if self.count <= self.limit.limit:
            return None
        return LimitExceeded(
            self.limit.period - second if self.limit.retry_after else None, self.limit.status
        )
