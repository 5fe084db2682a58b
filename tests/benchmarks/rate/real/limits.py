"""What a throttle allows: the shortest time in which a number of calls can be accepted."""

from bisect import bisect_right
from collections.abc import Callable

Limit = Callable[[int, float], float]
"""Seconds for this number of calls, of which the first is sent at this time since the epoch."""
_MORE_THAN_ANY = 10**7  # calls


def most(limit: Limit, began: float, seconds: float) -> int:
    """How many calls a limit allows in a time.

    Args:
        limit: What is allowed.
        began: When the first call is sent, in seconds since the epoch.
        seconds: The time.
    """
    return bisect_right(range(1, _MORE_THAN_ANY), seconds, key=lambda calls: limit(calls, began))


def bucket(rate: float, burst: int) -> Limit:
    """`burst` calls at once, and `rate` a second."""
    return lambda calls, _began: max(0.0, (calls - burst) / rate)


def both(first: Limit, second: Limit) -> Limit:
    """Two limits at once."""
    return lambda calls, began: max(first(calls, began), second(calls, began))


def windows(quota: int, period: float, *, aligned: bool = False) -> Limit:
    """`quota` calls in each `period` seconds.

    Args:
        quota: Calls in a window.
        period: Seconds.
        aligned: Whether windows begin at multiples of the period since the epoch, and not with a call.
    """

    def least(calls: int, began: float) -> float:
        windows_before = max(0, calls - 1) // quota
        elapsed = began % period if aligned else 0.0
        return max(0.0, windows_before * period - elapsed)

    return least


def rolling(quota: int, period: float) -> Limit:
    """`quota` calls in any `period` seconds, counted as the present window and a part of the one before."""
    return lambda calls, _began: 0.0 if calls <= quota else calls * period / quota


def in_flight(max_concurrency: int, service: float) -> Limit:
    """At most `max_concurrency` calls at once, each of which takes `service` seconds."""
    return lambda calls, _began: calls * service / max_concurrency
