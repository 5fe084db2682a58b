"""The gate: grants a call a permit to be in flight and a slot of the rate limiter, both together.

A call that held a permit while it waited for a slot, or the other way round, would keep others from what it
cannot use. A waiting call costs one future, and one timer serves all. `wait_queue` decides which one is next.

While the server is down, as `outage` decides, one call at a time is sent: the probe, repeatable if one waits.
"""

import asyncio
import math
from collections.abc import Mapping

from backupify_async._call_context import BACKGROUND, begin_call
from backupify_async._transport.outage import Outage, ServerDown
from backupify_async._transport.rate import CallOutcome, Limiter, Ticket
from backupify_async._transport.rate.acquisition import Acquisition
from backupify_async._transport.throttling import Refusal, observe
from backupify_async._transport.wait_queue import WaitQueues


class GateBlocked(Exception):
    """The server refuses all calls for longer than `max_retry_after`."""


class Gate:
    """Decides which call is sent when, for one client in one event loop.

    Args:
        limiter: Decides when the next call can be sent, and learns from every response.
        max_concurrency: How many requests can be in flight at once.
        outage: Whether the server is down; without one it never is.
    """

    def __init__(self, limiter: Limiter, max_concurrency: int, outage: Outage | None = None) -> None:
        self._limiter = limiter
        self._outage = Outage(0) if outage is None else outage
        self._acquisition = Acquisition(
            limiter, lambda: self.waiting if self._outage.down_since is None else 1, self._on_acquired
        )
        self._max_concurrency = max_concurrency
        self._queues = WaitQueues()
        self._bypass: asyncio.Future[bool] | None = None
        self._probe: Ticket | None = None
        self._timer: asyncio.Handle | None = None
        self._timer_at = math.inf  # kept here, because not every loop's handle has the time
        self.in_flight = 0
        """How many permits are taken."""

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return self._queues.waiting

    def try_acquire(self, now: float) -> Ticket | None:
        """Take a permit and a slot, if both are free `now`, the loop's time, and no call waits.

        Returns:
            The ticket, for which `release` must be called once; or None.
        """
        limiter, queues = self._limiter, self._queues
        if (
            queues.foreground.waiting
            or queues.background.waiting
            or queues.refused.waiting
            or self.in_flight >= self._max_concurrency
            or self._outage.down_since is not None
            or now < limiter.blocked_until
            or limiter.earliest(now, self.in_flight) > now
        ):
            return None
        ticket = limiter.on_send(now)
        self.in_flight += 1
        return ticket

    async def acquire(
        self,
        began: int | None = None,
        *,
        again: bool = False,
        repeatable: bool = True,
        background: bool = False,
    ) -> Ticket:
        """Wait for a permit and a slot.

        Args:
            began: When the call began, as `begin_call` returns it; None for now.
            again: Whether it was sent before, and refused for now.
            repeatable: Whether its request is repeatable.
            background: Whether other calls go first; the context can say so, too.

        Returns:
            The ticket, for which `release` must be called once.

        Raises:
            GateBlocked: The server refuses all calls for too long, or began to during the wait.
            ServerDown: The server has been down for too long.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now < self._limiter.blocked_until:
            raise GateBlocked
        if (ticket := self.try_acquire(now)) is not None:
            return ticket
        queues = self._queues
        others = queues.background if background or BACKGROUND.get() else queues.foreground
        queue = queues.refused if again else others
        turn: asyncio.Future[Ticket] = loop.create_future()
        queue.join(begin_call() if began is None else began, turn, repeatable=repeatable)
        self._wake()
        try:
            return await turn
        except asyncio.CancelledError:
            turn.cancel()
            if turn.cancelled():
                queue.give_up()
            elif turn.exception() is None:
                self.release(turn.result(), unused=True)  # granted and cancelled in one iteration of the loop
            raise

    async def pass_by(self) -> bool:
        """Wait while the server is down, and take neither a permit nor a slot. For token requests.

        Returns:
            Whether the request is the probe; then `end_probe` must be called once.

        Raises:
            GateBlocked: The server refuses all calls for too long.
            ServerDown: The server has been down for too long.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._limiter.blocked_until:
            raise GateBlocked
        if self._outage.down_since is None:
            return False
        turn: asyncio.Future[bool] = loop.create_future()
        self._bypass = turn
        self._wake()
        try:
            return await turn
        except asyncio.CancelledError:
            if self._bypass is turn:
                self._bypass = None
            elif not turn.cancelled() and turn.exception() is None and turn.result():
                self.end_probe(unused=True)
            raise

    def release(self, ticket: Ticket, *, unused: bool = False) -> None:
        """Give the permit back; with `unused`, where nothing was sent, the slot too."""
        self.in_flight -= 1
        try:
            if ticket.outcome is CallOutcome.PENDING:
                end = self._limiter.on_cancel if unused else self._limiter.on_no_response
                end(asyncio.get_running_loop().time(), ticket)
        finally:
            if ticket is self._probe:
                self._probe = None
                self.end_probe(unused=unused)
            elif self._queues.waiting:
                self._wake()

    def end_probe(self, *, unused: bool) -> None:
        """Record that the probe is over; its response or failure was recorded before."""
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
            self._queues.on_refusal()
            self._wake()  # this grants nothing, but fails the waiting calls where the gate is blocked now

    def _wake(self) -> None:
        """Grant what can be granted now, and set the timer for the next grant.

        If the limiter raises, the call whose turn it is gets the exception, and no call waits for ever.
        """
        again = True
        while again and (self.waiting or self._bypass is not None):
            again = False
            try:
                self._grant_due()
            except Exception as error:  # noqa: BLE001 - that call raises it
                again = self._fail_next(error)

    def _grant_due(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now < self._limiter.blocked_until:
            self._fail_all(GateBlocked)
            return
        if self._outage.down_since is not None:
            self._wake_probe(loop, now)
            return
        self._grant_bypass(probe=False)
        while self.in_flight < self._max_concurrency and (queue := self._queues.next_queue()) is not None:
            if (earliest := self._acquisition.earliest(now, self.in_flight)) > now:
                self._set_timer(loop, earliest)
                return
            self._grant(queue.take_next(), now)
            self._queues.on_grant(queue)

    def _on_acquired(self, error: Exception | None) -> None:
        if error is not None and self._queues.waiting:
            self._fail_next(error)
        self._wake()

    def _grant(self, turn: asyncio.Future[Ticket], now: float) -> Ticket | None:
        try:
            ticket = self._limiter.on_send(now)
        except Exception as error:  # noqa: BLE001 - the call raises it
            turn.set_exception(error)
            return None
        self.in_flight += 1
        turn.set_result(ticket)
        return ticket

    def _wake_probe(self, loop: asyncio.AbstractEventLoop, now: float) -> None:
        """Send a probe to a server that is down, if one is due; fail all calls where that lasts too long."""
        outage, earliest = self._outage, self._acquisition.earliest(now, self.in_flight)
        if outage.next_probe <= now and self._send_probe(now, earliest):
            outage.begin_probe(now)
        if outage.is_closed(now):
            self._fail_all(ServerDown)
            return
        when = max(outage.next_probe, earliest)  # if one is due, no permit is free: `release` tries again
        self._set_timer(loop, min(when if when > now else math.inf, outage.closes_at))

    def _send_probe(self, now: float, earliest: float) -> bool:
        """Grant one call, a trigger only where no other waits; return whether there was one."""
        can_grant = earliest <= now and self.in_flight < self._max_concurrency
        while True:
            turn = self._queues.take_repeatable() if can_grant else None
            if turn is None and self._grant_bypass(probe=True):
                return True
            if turn is None and can_grant and (queue := self._queues.next_queue()) is not None:
                turn = queue.take_next()
            if turn is None:
                return False
            if (ticket := self._grant(turn, now)) is not None:
                self._probe = ticket
                return True

    def _grant_bypass(self, *, probe: bool) -> bool:
        """Let the token request pass; return whether one waited."""
        turn, self._bypass = self._bypass, None
        if turn is None or turn.done():
            return False
        turn.set_result(probe)
        return True

    def _fail_all(self, kind: type[Exception]) -> None:
        """Fail all waiting calls."""
        while self._fail_next(kind()):
            pass

    def _fail_next(self, error: Exception) -> bool:
        """Fail the call whose turn it is, the token request last; return whether one waited."""
        queue = self._queues.next_queue()
        turn = self._bypass if queue is None else queue.take_next()
        self._bypass = None if queue is None else self._bypass
        if turn is None or turn.done():
            return False
        turn.set_exception(error)
        return True

    def _set_timer(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        if self._timer is not None and self._timer_at != when:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and when < math.inf:  # else a response changes it, and `release` tries again
            self._timer, self._timer_at = loop.call_at(when, self._on_timer), when

    def _on_timer(self) -> None:
        self._timer = None
        self._wake()

    async def close(self) -> None:
        """Stop the timer. No call waits any more."""
        self._set_timer(asyncio.get_running_loop(), math.inf)
        await self._acquisition.close()
