"""The gate: one place among those in flight and one slot of the rate limiter, granted together, FIFO.

Together, because a call that held a place while it waited for a slot, or a slot while it waited for a place,
would keep others from what it cannot use itself. Who waits costs one future; one timer serves them all.

First come, first served, in three queues. A call that was let go and refused for now keeps its turn: it waits
before all that have not been sent yet, or a long queue would count as a long refusal. Background work waits
behind them; but not for ever: one grant in eight goes to it even while others wait.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Mapping

from backupify_async.priority import BACKGROUND
from backupify_async.transport.rate import Limiter

_PATIENCE = 7  # grants to others, after which one goes to background work that waits

_Queue = OrderedDict[asyncio.Future[None], None]


class LimiterClosed(Exception):
    """The server asked for a wait that is longer than anybody wants to wait."""


class Gate:
    """Who may send now, for one client in one event loop.

    Args:
        limiter: Says when the next call may leave, and is told of every answer.
        places: How many requests may be in flight at once.
    """

    def __init__(self, limiter: Limiter, places: int) -> None:
        self._limiter = limiter
        self._places = places
        self._again: _Queue = OrderedDict()
        self._turns: _Queue = OrderedDict()
        self._background: _Queue = OrderedDict()
        self._passed = 0
        self._timer: asyncio.Handle | None = None
        self._rings_at = math.inf  # kept here, for a timer that is due at once does not tell it in every loop
        self.in_flight = 0
        """How many places are taken."""

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return len(self._again) + len(self._turns) + len(self._background)

    def enter_at_once(self, now: float) -> bool:
        """Take a place and a slot if both are free and nobody waits; then `leave` must be called once.

        Args:
            now: The loop's time.
        """
        limiter = self._limiter
        if (
            self._again
            or self._turns
            or self._background
            or self.in_flight >= self._places
            or now < limiter.closed_until
            or limiter.earliest(now, self.in_flight) > now
        ):
            return False
        limiter.take(now)
        self.in_flight += 1
        return True

    async def enter(self, *, again: bool = False) -> None:
        """Wait for a place and a slot. After it returns, `leave` must be called once.

        Args:
            again: Whether the call was let go before, and refused for now.

        Raises:
            LimiterClosed: The limiter is closed, or was closed while this call waited.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now < self._limiter.closed_until:
            raise LimiterClosed
        if self.enter_at_once(now):
            return
        queue = self._again if again else self._background if BACKGROUND.get() else self._turns
        turn = loop.create_future()
        queue[turn] = None
        self._wake()
        try:
            await turn
        except asyncio.CancelledError:
            if turn in queue:
                del queue[turn]
            elif not turn.cancelled() and turn.exception() is None:
                self.leave(unused=True)  # granted and cancelled in one turn of the loop
            raise

    def leave(self, *, unused: bool = False) -> None:
        """Give the place back, and with `unused` the slot too."""
        self.in_flight -= 1
        if unused:
            self._limiter.give_back()
        if self._again or self._turns or self._background:
            self._wake()

    def told(
        self, now: float, sent_at: float, status: int, retry_after: float | None, headers: Mapping[str, str]
    ) -> None:
        """Pass an answer on to the limiter, as `Limiter.told`."""
        self._limiter.told(now, sent_at, status, retry_after, headers)
        if status == 429:
            self._wake()  # nobody may go for that, but who waits may have to hear that the gate is closed

    def _wake(self) -> None:
        """Let go whoever may go now, and set the timer for the next one."""
        if not self.waiting:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        closed = now < self._limiter.closed_until
        while self.waiting and (closed or self.in_flight < self._places):
            earliest = self._limiter.earliest(now, self.in_flight)
            if earliest > now and not closed:
                self._set_timer(loop, earliest)
                return
            queue = self._next_queue()
            turn, _ = queue.popitem(last=False)
            if turn.done():
                continue  # cancelled, and its call has not run since
            if closed:
                turn.set_exception(LimiterClosed())
                continue
            self._passed = 0 if queue is self._background else self._passed + 1
            self._limiter.take(now)
            self.in_flight += 1
            turn.set_result(None)

    def _next_queue(self) -> _Queue:
        if self._background and self._passed >= _PATIENCE:
            return self._background
        return self._again or self._turns or self._background

    def _set_timer(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        if self._timer is not None:
            if self._rings_at == when:
                return
            self._timer.cancel()
            self._timer = None
        if when < math.inf:  # else an answer will tell, and `leave` looks again
            self._timer, self._rings_at = loop.call_at(when, self._ring), when

    def _ring(self) -> None:
        self._timer = None
        self._wake()

    def close(self) -> None:
        """Stop the timer; nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
