"""A member's own limiter while no limit is met."""

from backupify_async._shared.record import Rules
from backupify_async._transport.rate.group_limiter import GroupLimiter

_GROWTH = 1.25  # a second


class FreeLimiter(GroupLimiter):
    """Starts with a member's share of what one client has in flight.

    So the first refusals of a whole group are as few as those of one client. Each member can have more in
    flight only with time: who is not refused for some seconds needs no such care.

    Args:
        rules: The settings.
        max_concurrency: How many requests this client can have in flight.
    """

    def __init__(self, rules: Rules, max_concurrency: int) -> None:
        super().__init__(rules.limit, rules.retry, max_concurrency)
        self._capacity = max_concurrency
        self._members = 1
        self._joined_at: float | None = None

    def share(self, now: float, members: int) -> None:
        """Take notice of how many members there are now."""
        self._joined_at = now if self._joined_at is None else self._joined_at
        most = self._capacity / members * _GROWTH ** min(60.0, now - self._joined_at)
        self.resize(max(1, int(min(self._capacity, most))))
        if members != self._members:
            self.scale_start(self._members / members)
            self._members = members
