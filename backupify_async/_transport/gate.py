"""The gate: one place among those in flight and one slot of the rate limiter, granted together, in turn.

Together, because a call that held a place while it waited for a slot, or a slot while it waited for a place,
would keep others from what it cannot use itself. Who waits costs one future; one timer serves them all.

The oldest operation goes first, as `priority` counts. A call that was let go and refused for now waits in a
line of its own, before all others, or a long line would count as a long refusal; but three others go first,
for the refusal may be its own, and then nobody else must wait for it. Background work waits behind them; but
not for ever: one grant in eight goes to it even while others wait.

While the server is down, nobody goes but one call at a time, the probe, as `outage` says: one that is safe to
lose, where one waits.
"""

import asyncio
import math
from collections.abc import Mapping

from backupify_async._call_context import BACKGROUND, begin_call
from backupify_async._transport.outage import Outage
from backupify_async._transport.rate import CallOutcome, Limiter, Ticket
from backupify_async._transport.rate.acquisition import Acquisition
from backupify_async._transport.throttling import Refusal, observe
from backupify_async._transport.wait_queue import WaitQueue

_PATIENCE = 7  # grants to others, after which one goes to background work that waits
_OTHERS = 3  # grants to others, after which one goes to a call that was refused for now


class GateBlocked(Exception):
    """The server asked for a wait that is longer than anybody wants to wait."""


class ServerDown(Exception):
    """The server has been down for longer than anybody wants to wait."""


class Gate:
    """Who may send now, for one client in one event loop.

    Args:
        limiter: Says when the next call may leave, and is told of every answer.
        max_concurrency: How many requests may be in flight at once.
        outage: Knows whether the server is down; without one it never is.
    """

    def __init__(self, limiter: Limiter, max_concurrency: int, outage: Outage | None = None) -> None:
        self._limiter = limiter
        self._acquisition = Acquisition(limiter, self._on_acquired)
        self._outage = Outage(0) if outage is None else outage
        self._max_concurrency = max_concurrency
        self._foreground = WaitQueue()
        self._background = WaitQueue()
        self._refused = WaitQueue()
        self._past: asyncio.Future[bool] | None = None
        self._probe: Ticket | None = None
        self._passed = 0
        self._others = 0
        self._timer: asyncio.Handle | None = None
        self._rings_at = math.inf  # kept here, for a timer that is due at once does not tell it in every loop
        self.in_flight = 0
        """How many places are taken."""

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return self._foreground.waiting + self._background.waiting + self._refused.waiting

    def try_acquire(self, now: float) -> Ticket | None:
        """Take a place and a slot if both are free and nobody waits; then `release` must be called once.

        Args:
            now: The loop's time.

        Returns:
            The ticket to leave with, or None.
        """
        limiter = self._limiter
        if (
            self._foreground.waiting
            or self._background.waiting
            or self._refused.waiting
            or self.in_flight >= self._max_concurrency
            or self._outage.down_since is not None
            or now < limiter.blocked_until
            or limiter.earliest(now, self.in_flight) > now
        ):
            return None
        self.in_flight += 1
        return limiter.on_send(now)

    async def acquire(
        self, began: int | None = None, *, again: bool = False, repeatable: bool = True
    ) -> Ticket:
        """Wait for a place and a slot. After it returns, `release` must be called once.

        Args:
            began: When the call counts as begun, as `priority.begin_call` says; None for now.
            again: Whether it was let go before, and refused for now.
            repeatable: Whether it is safe to repeat, and so to lose.

        Returns:
            The ticket to leave with.

        Raises:
            LimiterClosed: The limiter is closed, or was closed while this call waited.
            ServerDown: The server has been down for too long.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now < self._limiter.blocked_until:
            raise GateBlocked
        ticket = self.try_acquire(now)
        if ticket is not None:
            return ticket
        line = self._refused if again else self._background if BACKGROUND.get() else self._foreground
        turn: asyncio.Future[Ticket] = loop.create_future()
        line.join(begin_call() if began is None else began, turn, repeatable=repeatable)
        self._wake()
        try:
            return await turn
        except asyncio.CancelledError:
            turn.cancel()
            if turn.cancelled():
                line.give_up()
            elif turn.exception() is None:
                self.release(turn.result(), unused=True)  # granted and cancelled in one turn of the loop
            raise

    async def pass_by(self) -> bool:
        """Wait, without a place and a slot, for as long as the server is down.

        Returns:
            Whether it is the probe; then `end_probe` must be called once.

        Raises:
            LimiterClosed: The limiter is closed.
            ServerDown: The server has been down for too long.
        """
        if asyncio.get_running_loop().time() < self._limiter.blocked_until:
            raise GateBlocked
        if self._outage.down_since is None:
            return False
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._past = turn
        self._wake()
        try:
            return await turn
        except asyncio.CancelledError:
            if self._past is turn:
                self._past = None
            elif not turn.cancelled() and turn.exception() is None and turn.result():
                self.end_probe(unused=True)
            raise

    def release(self, ticket: Ticket, *, unused: bool = False) -> None:
        """Give the place back, and with `unused` the slot too."""
        self.in_flight -= 1
        if ticket.outcome is CallOutcome.PENDING:
            end = self._limiter.on_cancel if unused else self._limiter.on_no_response
            end(asyncio.get_running_loop().time(), ticket)
        if ticket is self._probe:
            self._probe = None
            self.end_probe(unused=unused)
        elif self._foreground.waiting or self._background.waiting or self._refused.waiting:
            self._wake()

    def end_probe(self, *, unused: bool) -> None:
        """The probe is over; the answer, or the failure, was told before."""
        if self._outage.down_since is not None:
            self._outage.end_probe(asyncio.get_running_loop().time(), unused=unused)
        self._wake()

    def on_response(
        self,
        now: float,
        ticket: Ticket,
        status: int,
        headers: Mapping[str, str],
        refusal: Refusal | None = None,
    ) -> None:
        """Report a response to the limiter.

        Args:
            now: The loop's time.
            ticket: The call's.
            status: The HTTP status.
            headers: The headers.
            refusal: The refusal that the response is, if any.
        """
        observation = observe(ticket.sent_time, now, status, headers, refusal)
        refused = observation.status == 429
        ticket.outcome = CallOutcome.REFUSED if refused else CallOutcome.ACCEPTED
        self._limiter.on_response(ticket, observation)
        if refused:
            self._others = self._others if self._refused.waiting else 0
            self._wake()  # nobody may go for that, but who waits may have to hear that the gate is closed

    def _wake(self) -> None:
        """Let go whoever may go now, and set the timer for the next one."""
        if not self.waiting and self._past is None:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        closed = now < self._limiter.blocked_until
        if self._outage.down_since is not None and not closed:
            self._wake_probe(loop, now)
            return
        if closed:
            self._fail_past(GateBlocked())
        else:
            self._passes_by(probe=False)
        while (closed or self.in_flight < self._max_concurrency) and (line := self._next_line()) is not None:
            if not closed and (earliest := self._acquisition.earliest(now, self.in_flight)) > now:
                self._set_timer(loop, earliest)
                return
            turn = line.take_next()
            if closed:
                turn.set_exception(GateBlocked())
                continue
            self._passed = 0 if line is self._background else self._passed + 1
            self._others = 0 if line is self._refused else self._others + 1
            self._let_go(turn, now)

    def _on_acquired(self, error: Exception | None) -> None:
        if error is not None and (line := self._next_line()) is not None:
            line.take_next().set_exception(error)
        self._wake()

    def _let_go(self, turn: asyncio.Future[Ticket], now: float) -> Ticket:
        ticket = self._limiter.on_send(now)
        self.in_flight += 1
        turn.set_result(ticket)
        return ticket

    def _wake_probe(self, loop: asyncio.AbstractEventLoop, now: float) -> None:
        """Let the probe of a server that is down go where one is due; fail all where that lasts too long."""
        outage, earliest = self._outage, self._acquisition.earliest(now, self.in_flight)
        if outage.next_probe <= now and self._send_probe(now, earliest):
            outage.begin_probe(now)
        if outage.is_closed(now):
            self._fail_all()
            return
        when = max(outage.next_probe, earliest)
        # Where one is due and could not go, there is no place: `release` looks again.
        self._set_timer(loop, min(when if when > now else math.inf, outage.closes_at))

    def _send_probe(self, now: float, earliest: float) -> bool:
        """Let one call go, a trigger only where nobody else waits; return whether one could."""
        may_enter = earliest <= now and self.in_flight < self._max_concurrency
        turn = self._take_look() if may_enter else None
        if turn is None and self._passes_by(probe=True):
            return True
        if turn is None and may_enter and (line := self._next_line()) is not None:
            turn = line.take_next()
        if turn is not None:
            self._probe = self._let_go(turn, now)
        return turn is not None

    def _take_look(self) -> asyncio.Future[Ticket] | None:
        """The next call to go that is safe to lose."""
        for line in (self._foreground, self._refused, self._background):
            if (turn := line.take_repeatable()) is not None:
                return turn
        return None

    def _passes_by(self, *, probe: bool) -> bool:
        """Let the call go that takes no place; return whether one waited."""
        turn, self._past = self._past, None
        if turn is None or turn.done():
            return False
        turn.set_result(probe)
        return True

    def _fail_past(self, error: Exception) -> None:
        turn, self._past = self._past, None
        if turn is not None and not turn.done():
            turn.set_exception(error)

    def _fail_all(self) -> None:
        self._fail_past(ServerDown())
        while (line := self._next_line()) is not None:
            line.take_next().set_exception(ServerDown())

    def _next_line(self) -> WaitQueue | None:
        """Where the next call to go waits; None where nobody waits who was not cancelled."""
        foreground, background = self._foreground.has_next(), self._background.has_next()
        if background and self._passed >= _PATIENCE:
            return self._background
        if self._refused.has_next() and (self._others >= _OTHERS or not (foreground or background)):
            return self._refused
        return self._foreground if foreground else self._background if background else None

    def _set_timer(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        if self._timer is not None:
            if self._rings_at == when:
                return
            self._timer.cancel()
            self._timer = None
        if when < math.inf:  # else an answer will tell, and `release` looks again
            self._timer, self._rings_at = loop.call_at(when, self._ring), when

    def _ring(self) -> None:
        self._timer = None
        self._wake()

    def close(self) -> None:
        """Stop the timer; nobody waits any more."""
        self._acquisition.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
