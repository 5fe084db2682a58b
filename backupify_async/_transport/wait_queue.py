"""The calls that wait at the gate: the oldest operation first, and within one age in the order of arrival."""

import asyncio
import heapq
import itertools

from backupify_async._transport.rate import Ticket

_FEW = 64  # cancelled entries that are not worth a clean-up

_Entry = tuple[int, int, asyncio.Future[Ticket]]  # when the call began, its arrival, what it awaits


class WaitQueue:
    """Calls that wait for their turns. Every method costs O(log n), amortized.

    There is one heap for the repeatable calls and one for the others, so that the oldest repeatable call is
    found without a scan: it is the probe of a server that is down.
    """

    def __init__(self) -> None:
        self._repeatable: list[_Entry] = []
        self._unrepeatable: list[_Entry] = []
        self._arrivals = itertools.count()
        self.waiting = 0
        """How many calls wait; a cancelled one counts until its task has run."""

    def join(self, began: int, turn: asyncio.Future[Ticket], *, repeatable: bool = True) -> None:
        """Add a call.

        Args:
            began: When it began, as `begin_call` returns it.
            turn: What it awaits.
            repeatable: Whether its request is repeatable.
        """
        heap = self._repeatable if repeatable else self._unrepeatable
        heapq.heappush(heap, (began, next(self._arrivals), turn))
        self.waiting += 1

    def has_next(self) -> bool:
        """Whether a call waits that was not cancelled."""
        return _skip_cancelled(self._repeatable) or _skip_cancelled(self._unrepeatable)

    def take_next(self) -> asyncio.Future[Ticket]:
        """Remove the oldest call, and return what it awaits. Call it only where `has_next` is true."""
        one, other = self._repeatable, self._unrepeatable
        if not _skip_cancelled(one) or (_skip_cancelled(other) and other[0] < one[0]):
            one = other
        self.waiting -= 1
        return heapq.heappop(one)[2]

    def take_repeatable(self) -> asyncio.Future[Ticket] | None:
        """Remove the oldest repeatable call, and return what it awaits; None where there is none."""
        if not _skip_cancelled(self._repeatable):
            return None
        self.waiting -= 1
        return heapq.heappop(self._repeatable)[2]

    def give_up(self) -> None:
        """Stop counting a call whose turn was cancelled, and clean up where many such entries remain."""
        self.waiting -= 1
        if not self.waiting:
            self._repeatable.clear()
            self._unrepeatable.clear()
        elif len(self._repeatable) + len(self._unrepeatable) > 2 * self.waiting + _FEW:
            for heap in (self._repeatable, self._unrepeatable):
                heap[:] = [entry for entry in heap if not entry[2].done()]
                heapq.heapify(heap)


def _skip_cancelled(heap: list[_Entry]) -> bool:
    """Drop the cancelled calls at the head of a heap; return whether another call remains."""
    while heap and heap[0][2].done():
        heapq.heappop(heap)
    return bool(heap)
