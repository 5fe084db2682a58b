"""Whose turn it is to look at a backup: a few at a time, the longest overdue first.

Theory of operation. Everybody who waits for a backup sleeps here until a look is due, and then until one of
the few turns is free; then looks, gives the turn back, and comes again with a later time. One timer serves
them all. Because so few may look at once, few looks ever stand in line at the client's gate, however many
wait: the choice who goes next is made here, late, and for whoever is overdue for longest. If there is less
room for looks than their intervals ask for, everybody is overdue, and they go round in a ring.
"""

import asyncio
import heapq
import itertools

from backupify_async.errors import ClientClosed

AT_ONCE = 16
"""Looks under way at most: a quarter of the places that a client has by default."""
_FEW = 64  # given-up turns that are not worth a sweep

_GOLDEN = (5**0.5 - 1) / 2


class Turns:
    """Gives turns to look, in one event loop."""

    def __init__(self) -> None:
        self._queue: list[tuple[float, int, asyncio.Future[None]]] = []
        self._arrivals = itertools.count()
        self._waiting = 0
        self._taken = 0
        self._begun = 0
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def take(self, due: float) -> None:
        """Wait until a time of the loop, and for a turn. After it returns, `give_back` must be called once.

        Raises:
            ClientClosed: The client is closed, or was closed meanwhile.
        """
        self.require_open()
        self._loop = asyncio.get_running_loop()
        turn = self._loop.create_future()
        heapq.heappush(self._queue, (due, next(self._arrivals), turn))
        self._waiting += 1
        self._wake()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._given_up()
            elif turn.exception() is None:
                self.give_back()  # granted and cancelled in one turn of the loop
            raise

    def give_back(self) -> None:
        """End a turn: the next may look."""
        self._taken -= 1
        self._wake()

    def phase(self) -> float:
        """A part of an interval, 1 at first: who begin together are not to look together ever after.

        Multiples of the golden ratio lie as far from each other on the interval as so many points can.
        """
        if not self._waiting and not self._taken:
            self._begun = 0
        self._begun += 1
        return 1 - (self._begun - 1) * _GOLDEN % 1

    def require_open(self) -> None:
        """Refuse to go on after `close()`.

        Raises:
            ClientClosed: The client is closed.
        """
        if self._closed:
            raise _closed()

    def close(self) -> None:
        """End everybody's waiting with `ClientClosed`; in another loop than theirs, do nothing."""
        if self._loop is not asyncio.get_running_loop():
            return
        self._closed = True
        for _, _, turn in self._queue:
            if not turn.done():
                turn.set_exception(_closed())
        self._rest()

    def _wake(self) -> None:
        """Let go whoever may look now, and set the timer for the next one."""
        self._stop_timer()
        assert self._loop is not None  # noqa: S101 - somebody has come
        now = self._loop.time()
        while self._queue and self._taken < AT_ONCE:
            due, _, turn = self._queue[0]
            if turn.done():
                heapq.heappop(self._queue)
            elif due > now:
                self._timer = self._loop.call_at(due, self._wake)
                return
            else:
                heapq.heappop(self._queue)
                self._waiting -= 1
                self._taken += 1
                turn.set_result(None)

    def _given_up(self) -> None:
        """Count one out who does not wait any more, and sweep where many such are left."""
        if self._closed:
            return  # everybody was counted out
        self._waiting -= 1
        if not self._waiting:
            self._rest()
        elif len(self._queue) > 2 * self._waiting + _FEW:
            self._queue = [entry for entry in self._queue if not entry[2].done()]
            heapq.heapify(self._queue)

    def _rest(self) -> None:
        self._queue.clear()
        self._waiting = 0
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _closed() -> ClientClosed:
    return ClientClosed("the client was closed while a backup was waited for")
