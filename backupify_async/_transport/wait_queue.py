"""A line of calls that wait: the oldest first, and of one age in the order in which they came."""

import asyncio
import heapq
import itertools

from backupify_async._transport.rate import Ticket

_FEW = 64  # given-up turns that are not worth a sweep


class WaitQueue:
    """Calls that wait for their turns; to come and to go costs O(log n)."""

    def __init__(self) -> None:
        self._turns: list[tuple[int, int, asyncio.Future[Ticket], bool]] = []
        self._arrivals = itertools.count()
        self.waiting = 0
        """How many wait; one that was cancelled counts until its task has run."""

    def join(self, began: int, turn: asyncio.Future[Ticket], *, repeatable: bool = True) -> None:
        """Let a call wait.

        Args:
            began: When it counts as begun, as `priority.begin_call` says.
            turn: What it awaits.
            repeatable: Whether it is safe to repeat, and so to lose.
        """
        heapq.heappush(self._turns, (began, next(self._arrivals), turn, repeatable))
        self.waiting += 1

    def has_next(self) -> bool:
        """Whether anybody waits who was not cancelled."""
        while self._turns and self._turns[0][2].done():
            heapq.heappop(self._turns)
        return bool(self._turns)

    def take_next(self) -> asyncio.Future[Ticket]:
        """Take the oldest call out of the line; only where `has_next` tells of one."""
        self.waiting -= 1
        return heapq.heappop(self._turns)[2]

    def take_repeatable(self) -> asyncio.Future[Ticket] | None:
        """Take the oldest call out of the line that is safe to repeat; None where there is none."""
        entries = [entry for entry in self._turns if entry[3] and not entry[2].done()]
        if not entries:
            return None
        oldest = min(entries, key=lambda entry: entry[:2])
        self._turns.remove(oldest)
        heapq.heapify(self._turns)
        self.waiting -= 1
        return oldest[2]

    def give_up(self) -> None:
        """Count one out whose turn was cancelled, and sweep where many such are left."""
        self.waiting -= 1
        if not self.waiting:
            self._turns.clear()
        elif len(self._turns) > 2 * self.waiting + _FEW:
            self._turns = [entry for entry in self._turns if not entry[2].done()]
            heapq.heapify(self._turns)
