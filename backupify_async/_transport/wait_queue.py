"""The calls that wait at the gate.

Within a queue the oldest operation comes first, and calls of one age come in the order of arrival. There are
three queues:

- A call that was sent and refused for now waits apart from the others, and comes before them: behind a long
  queue it would seem to be refused for long. But three others go first, because the refusal may be the call's
  own, and then no other call must wait for it.
- Background work comes last. One grant in eight goes to it even while other calls wait.
- All other calls are in the foreground.
"""

import asyncio
import heapq
import itertools

from backupify_async._transport.rate import Ticket

_FEW = 64  # cancelled entries that are not worth a clean-up
_UNTIL_BACKGROUND = 7  # grants to others, after which one goes to background work
_UNTIL_REFUSED = 3  # grants to others, after which one goes to a call that was refused for now

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


class WaitQueues:
    """The three queues at the gate, and which of them comes next."""

    def __init__(self) -> None:
        self.foreground = WaitQueue()
        self.background = WaitQueue()
        self.refused = WaitQueue()
        self._since_background = 0  # grants to others in a row
        self._since_refused = 0

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return self.foreground.waiting + self.background.waiting + self.refused.waiting

    def next_queue(self) -> WaitQueue | None:
        """The queue whose turn it is; None where no call waits that was not cancelled."""
        foreground, background = self.foreground.has_next(), self.background.has_next()
        if background and self._since_background >= _UNTIL_BACKGROUND:
            return self.background
        refused_is_due = self._since_refused >= _UNTIL_REFUSED or not (foreground or background)
        if self.refused.has_next() and refused_is_due:
            return self.refused
        return self.foreground if foreground else self.background if background else None

    def on_grant(self, queue: WaitQueue) -> None:
        """Count a grant to a call of a queue."""
        self._since_background = 0 if queue is self.background else self._since_background + 1
        self._since_refused = 0 if queue is self.refused else self._since_refused + 1

    def on_refusal(self) -> None:
        """Start to count anew what goes before a call that was refused just now."""
        if not self.refused.waiting:
            self._since_refused = 0

    def take_repeatable(self) -> asyncio.Future[Ticket] | None:
        """Remove the next repeatable call, and return what it awaits; None where there is none."""
        for queue in (self.foreground, self.refused, self.background):
            if (turn := queue.take_repeatable()) is not None:
                return turn
        return None
