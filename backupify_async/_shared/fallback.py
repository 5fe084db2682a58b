"""What a member does while the store is away."""

from backupify_async._shared.other_clock import OtherClock
from backupify_async._shared.record import Rules
from backupify_async._transport.rate.adaptive import AdaptiveLimiter
from backupify_async._transport.rate.group_limiter import GroupLimiter
from backupify_async._transport.rate.limiter import Limiter
from backupify_async.config import RateLimit

_PART = 0.9  # of the last rate
_SLOWEST = 0.1  # calls a second


def fallback(
    limiter: GroupLimiter, clocks: tuple[float, float], rules: Rules, members: int, max_concurrency: int
) -> Limiter:
    """A limiter that sends at one member's share of the last rate.

    It knows what the group has learned: without that it would have to find its share anew.

    Args:
        limiter: The group's limiter as it was last read.
        clocks: The loop's time, and how many seconds the group's is ahead of it.
        rules: The settings.
        members: Among how many members the rate is shared.
        max_concurrency: How many requests this client can have in flight.
    """
    now, ahead = clocks
    share = _PART / members
    rates = [rate for rate in (limiter.estimate(now + ahead).per_second, rules.limit.per_second) if rate]
    ceiling = RateLimit(max(_SLOWEST, min(rates) * share), burst=1) if rates else RateLimit(None)
    capacity = max(1, min(max_concurrency, int(limiter.cap * share)))
    return OtherClock(AdaptiveLimiter.from_state(limiter.state(), ceiling, rules.retry, capacity), ahead)
