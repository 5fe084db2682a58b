"""The present rate of requests."""

from collections import deque

_SPAN = 10.0  # seconds that count as the present
_SPACING = 0.5  # seconds between two counts that are kept
_MIN_SECONDS = 0.1  # a shorter time says nothing about a rate


class SendRate:
    """Requests per second, from a running count.

    Args:
        started: When counting began, in seconds.
    """

    def __init__(self, started: float) -> None:
        self._counts = deque([(started, 0)])

    def at(self, now: float, requests: int) -> float:
        """Requests per second in the last ten seconds, or since the start where that is shorter.

        Args:
            now: The time in seconds; never earlier than before.
            requests: The number of requests sent until now.
        """
        counts = self._counts
        while len(counts) > 1 and counts[1][0] <= now - _SPAN:
            counts.popleft()
        since, before = counts[0]
        if now - counts[-1][0] >= _SPACING:
            counts.append((now, requests))
        return (requests - before) / max(now - since, _MIN_SECONDS)
