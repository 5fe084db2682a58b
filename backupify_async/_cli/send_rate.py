"""How fast calls leave at present."""

from collections import deque

_SPAN = 10.0  # seconds that count as the present
_APART = 0.5  # seconds between two counts that are kept
_SHORTEST = 0.1  # seconds: what was counted in less tells nothing of a speed


class Speed:
    """Calls a second, from what was counted at the beginning and since.

    Args:
        began: When counting began, in seconds.
    """

    def __init__(self, began: float) -> None:
        self._counts = deque([(began, 0)])

    def now(self, at: float, requests: int) -> float:
        """Calls a second in the last ten seconds, or since the beginning where that is shorter.

        Args:
            at: The time, in seconds; never less than before.
            requests: How many have left by then.
        """
        counts = self._counts
        while len(counts) > 1 and counts[1][0] <= at - _SPAN:
            counts.popleft()
        since, before = counts[0]
        if at - counts[-1][0] >= _APART:
            counts.append((at, requests))
        return (requests - before) / max(at - since, _SHORTEST)
