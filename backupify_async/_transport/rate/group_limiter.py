"""An adaptive limiter that several processes use in turns: it is handed on while calls are in flight."""

from collections.abc import Mapping

from backupify_async._transport.rate.adaptive import AdaptiveLimiter
from backupify_async._transport.rate.calls_in_flight import read_calls, write_calls
from backupify_async._transport.rate.state import read_own_state
from backupify_async._transport.rate.ticket import Ticket
from backupify_async.config import RateLimit, RetryPolicy


class GroupLimiter(AdaptiveLimiter):
    """Learns from the calls of a group of clients.

    All its times are of one clock, which the group agrees on. It can hear of calls that were sent before it
    was made, or without it.
    """

    @classmethod
    def restore(
        cls, state: Mapping[str, object], calls: Mapping[str, object], limit: RateLimit, retry: RetryPolicy
    ) -> tuple["GroupLimiter", dict[int, Ticket]]:
        """Take over from another limiter, with its calls in flight.

        Args:
            state: What `state()` returned, from a trusted writer.
            calls: What `calls()` returned at the same time.
            limit: As for a new one.
            retry: As for a new one.

        Returns:
            The limiter, and the tickets of the calls in flight by their ids.

        Raises:
            ValueError: It is of another version, or not a limiter's state.
        """
        limiter = cls(limit, retry)
        limiter._use(read_own_state(state))
        tickets, limiter._ceiling.due = read_calls(calls, limiter._state)
        limiter._in_flight = len(tickets)
        return limiter, tickets

    def calls(self, tickets: Mapping[int, Ticket]) -> dict[str, object]:
        """The calls in flight, which `state()` leaves out, as plain JSON types, for `restore`.

        Args:
            tickets: The calls in flight, by ids of the caller's: positive numbers.
        """
        return write_calls(self._state, tickets, self._ceiling.due)

    @property
    def unlimited(self) -> bool:
        """Whether no limit was met yet: neither a refusal nor an announced quota."""
        return self._state.unlimited

    @property
    def sent(self) -> int:
        """How many calls were sent."""
        return self._pacer.sent

    @property
    def cap(self) -> int:
        """How many calls can be in flight."""
        return self._concurrency.cap

    @property
    def latency(self) -> float:
        """Average seconds from sending a call to the response that accepts it; 0 if unknown."""
        return self._pacer.order.latency or 0.0

    def resize(self, max_concurrency: int) -> None:
        """Take another number for the most calls in flight."""
        self._concurrency.resize(max_concurrency)

    def on_sent_before(self, sent_time: float) -> Ticket:
        """Count a call that was sent before this limiter knew of it, and return its ticket."""
        self._in_flight += 1
        self._windows.used += 1
        self._quota.on_send()
        return self._pacer.on_sent_before(sent_time)

    def on_ended_before(self, calls: int) -> None:
        """Count calls that were sent, and have ended, before this limiter knew of them."""
        self._windows.used += calls
        self._pacer.sent += calls

    def scale_start(self, factor: float) -> None:
        """Let the number of calls in flight grow from a multiple of what it is, while no limit was met."""
        if self._state.unlimited:
            self._concurrency.scale(factor)

    def begin_run(self, now: float, *, doubt: bool) -> None:
        """Begin with what an earlier run of the group has learned; with `doubt`, that is old."""
        self._pacer.begin_run(now, doubt=doubt)
