"""A limiter whose times are those of another clock."""

from backupify_async._transport.rate.limiter import Estimate, Limiter, Observation
from backupify_async._transport.rate.ticket import Ticket


class OtherClock:
    """Passes all times on to a limiter by a clock that is a number of seconds ahead.

    Args:
        limiter: The limiter.
        ahead: Seconds by which its clock is ahead of the caller's.
    """

    def __init__(self, limiter: Limiter, ahead: float) -> None:
        self._limiter = limiter
        self._ahead = ahead
        self._tickets: dict[Ticket, Ticket] = {}

    @property
    def paused_until(self) -> float:
        """As `Limiter.paused_until`."""
        return self._limiter.paused_until - self._ahead

    @property
    def blocked_until(self) -> float:
        """As `Limiter.blocked_until`."""
        return self._limiter.blocked_until - self._ahead

    def earliest(self, now: float, in_flight: int) -> float:
        """As `Limiter.earliest`."""
        return self._limiter.earliest(now + self._ahead, in_flight) - self._ahead

    def on_send(self, now: float) -> Ticket:
        """As `Limiter.on_send`."""
        ticket = Ticket(now)
        self._tickets[ticket] = self._limiter.on_send(now + self._ahead)
        return ticket

    def on_cancel(self, now: float, ticket: Ticket) -> None:
        """As `Limiter.on_cancel`."""
        self._limiter.on_cancel(now + self._ahead, self._inner(ticket))

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        """As `Limiter.on_no_response`."""
        self._limiter.on_no_response(now + self._ahead, self._inner(ticket))

    def on_response(self, ticket: Ticket, observation: Observation) -> None:
        """As `Limiter.on_response`."""
        inner = self._inner(ticket)
        inner.outcome = ticket.outcome
        received = observation.received_time + self._ahead
        self._limiter.on_response(
            inner, observation._replace(sent_time=inner.sent_time, received_time=received)
        )

    def estimate(self, now: float) -> Estimate:
        """As `Limiter.estimate`."""
        return self._limiter.estimate(now + self._ahead)

    def _inner(self, ticket: Ticket) -> Ticket:
        """The limiter's ticket; a call that was sent before this limiter was there gets one now."""
        inner = self._tickets.pop(ticket, None)
        return self._limiter.on_send(ticket.sent_time + self._ahead) if inner is None else inner
