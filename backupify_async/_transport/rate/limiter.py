"""What a limiter is to the gate, whichever it is."""

from collections.abc import Mapping
from typing import Protocol

import attrs

from backupify_async._transport.rate.ticket import Ticket
from backupify_async.statistics import LimitSource, SpeedReason


@attrs.frozen
class Estimate:
    """What is believed of the server's limit.

    Attributes:
        source: What the belief rests on.
        per_second: Calls a second that the server takes, on average; None where that is not known.
        reason: Why calls leave as fast as they do.
    """

    source: LimitSource
    per_second: float | None = None
    reason: SpeedReason = SpeedReason.NOT_LIMITED


UNKNOWN = Estimate(LimitSource.NONE)
PAUSE = 0.5  # seconds from which on a wait is more than the distance between two calls


class Limiter(Protocol):
    """Says when the next call may leave. All times are seconds of one monotonic clock; nothing here waits."""

    @property
    def paused_until(self) -> float:
        """Before this time nobody sends."""
        ...

    @property
    def blocked_until(self) -> float:
        """Before this time nobody waits either: calls fail at once."""
        ...

    def earliest(self, now: float, in_flight: int) -> float:
        """The earliest time at which one more call may leave.

        It may have passed. Infinity says that only an answer will tell; it is never said while nothing is in
        flight, or everybody would wait for ever.
        """
        ...

    def on_send(self, now: float) -> Ticket:
        """Count a call that leaves now. Its ticket comes back once, by one of the next three."""
        ...

    def on_cancel(self, now: float, ticket: Ticket) -> None:
        """Uncount a call that was to leave and did not."""
        ...

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        """A call left and got no answer."""
        ...

    def on_response(
        self, now: float, ticket: Ticket, status: int, retry_after: float | None, headers: Mapping[str, str]
    ) -> None:
        """Learn from an answer.

        Args:
            now: When it came.
            ticket: Of its call.
            status: Its HTTP status.
            retry_after: Seconds that it asks to wait, or None.
            headers: Its headers.
        """
        ...

    def estimate(self, now: float) -> Estimate:
        """What is believed of the server's limit, and why calls leave as fast as they do now."""
        ...
