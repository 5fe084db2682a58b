"""How many calls may be in flight: few at first, more with each success; and a limit of the server's on that.

Finding a limit costs about as many refusals as calls are in flight when it is met, while a server that is
fast deserves all places soon. So the cap grows by 0.6 of what succeeds, and by less where calls take less
than 60 ms: a limit is met a few calls later there, while the time to grow is short. The first refusal says
little of the rate, so the cap grows anew behind it, and the second wave is a small one.

Some servers limit what is in flight, and no rate. There, waves of refusals in a row leave as many in
flight, and nothing was accepted with more. That number is taken for the limit, and predicts: nothing is
refused while no more are in flight. A wave that leaves as many calls in flight earns the limit a point. One
that leaves fewer halves its points and takes one more. A limit that falls below zero points is given up,
and more waves must agree before the next one is believed. Behind a plateau one more call is tried; the
plateau is longer, the more points there are. While calls are accepted, the number tried doubles. A call
beyond the limit keeps its distance from the one before: a store that fills evenly, and was emptied by a few
calls that left together, would refuse it too.

What is in flight at the server is known only to who is near: where the way there and back takes a good part
of the time that a call takes, none of this is believed.
"""

import math

import attrs

from backupify_async._transport.rate.credit_bucket import plateau
from backupify_async._transport.rate.ticket import Ticket

_FIRST = 13.0
_AGAIN = 6.0
_CAREFUL = 2.0
_GROWTH = 0.6  # of each success, where a call takes that long, or longer
_SLOW = 0.06  # seconds
_AWAY = 1 / 8  # of the time that a call takes: who is farther away does not see what is in flight
_WEIGHT = 0.2  # of the latest call in the averages
_MOST_POINTS = 4
_MOST_WAVES = 8  # that must agree


@attrs.define
class RefusalWave:
    """Refusals of calls that were in flight when the first of them was noticed.

    Attributes:
        noticed_at: When.
        overtook: When a call left, at the earliest, that may have arrived behind that one.
        peak: How many were in flight.
        borne: With how many, at the most, a call was accepted since the wave before.
        refused: How many of them were refused.
    """

    noticed_at: float = -math.inf
    overtook: float = -math.inf
    peak: int = 0
    borne: int = 0
    refused: int = 0

    @property
    def held(self) -> int:
        """How many were in flight and were not refused."""
        return self.peak - self.refused


@attrs.define(eq=False)
class ConcurrencyLimit:
    """A cap on what is in flight. All times are seconds of one monotonic clock."""

    _max_concurrency: int
    _refused: bool = False  # as most clients never are
    _last: RefusalWave = attrs.field(factory=RefusalWave)
    _wave: RefusalWave = attrs.field(factory=RefusalWave)
    _borne: int = 0
    _needed: int = 1  # waves that agree with the one before
    _agreed: int = 0
    _points: int | None = None  # for a limit that was learned
    _limit: int = 0
    _before: tuple[int, int | None, int] = (0, None, 0)  # those, as the wave began
    _step: int = 1
    _takes: float = 0.0  # seconds from the sending of a call to the answer that accepts it, on average
    _trip: float = 0.0  # seconds from the sending of a call to its refusal, on average
    _left_at: float = -math.inf  # when the latest call left, once any was refused
    _grown: float = _FIRST
    cap: int = attrs.field(init=False)
    """How many calls may be in flight."""

    def __attrs_post_init__(self) -> None:
        self._grow_from(self._grown)

    @property
    def known(self) -> bool:
        """Whether the server is believed to limit what is in flight."""
        return self._points is not None

    @property
    def rate(self) -> float | None:
        """Calls a second that the server takes, where it limits what is in flight."""
        return self._limit / self._takes if self.known and self._takes else None

    @property
    def is_over(self) -> bool:
        """Whether all places may be used."""
        return self.cap >= self._max_concurrency

    def restart(self) -> None:
        """Let few be in flight at first, as behind a refusal."""
        self._grow_from(_CAREFUL)

    def _grow_from(self, cap: float) -> None:
        self._grown = min(cap, float(self._max_concurrency))
        self.cap = int(self._grown) if self._points is None else min(self._max_concurrency, self._limit)

    def earliest(self, in_flight: int) -> float:
        """When one more call may leave: beyond the limit, some time behind the one before."""
        return -math.inf if in_flight < self._limit else self._left_at + self._takes / (in_flight + 1)

    def on_send(self, now: float, ticket: Ticket, in_flight: int) -> None:
        """A call left, as one of so many: of no interest before anything was refused."""
        self._left_at, ticket.in_flight = now, in_flight

    def on_success(self, now: float, ticket: Ticket, in_flight: int) -> None:
        """A call was accepted while so many, itself included, were in flight. Little work teaches nothing."""
        if self._refused and self._learns(now, ticket):
            return
        if self.cap < self._max_concurrency and in_flight >= self._grown / 2:
            self._grow_from(self._grown + _GROWTH * min(1.0, (now - ticket.sent_time) / _SLOW))

    def _learns(self, now: float, ticket: Ticket) -> bool:
        """Hold a call that was accepted against what is believed; return whether that is all it says."""
        left = ticket.sent_time
        self._takes = _averaged(self._takes, now - left)
        if left <= self._wave.noticed_at:
            if self._last.noticed_at < left < self._wave.overtook and ticket.in_flight > self._wave.borne:
                self._wave.borne = ticket.in_flight
                self._judge()
            return True
        self._borne = max(self._borne, ticket.in_flight)
        if self._points is not None:
            self._raise(now, self._points)
        return self.known

    def _raise(self, now: float, points: int) -> None:
        if self._borne > self._limit:
            self._limit, self._step = self._borne, 2 * self._step
        elif self.cap > self._limit or now < self._wave.noticed_at + plateau(points):
            return
        self.cap = min(self._max_concurrency, self._limit + self._step)

    def on_refusal(self, now: float, ticket: Ticket, in_flight: int, *, paced: bool) -> bool:
        """A call was refused for now.

        Args:
            now: When the answer came.
            ticket: The call's.
            in_flight: How many calls were in flight, itself included.
            paced: Whether they are held below a rate that was learned.

        Returns:
            Whether a limit on what is in flight explains it, and has explained others.
        """
        trip = now - ticket.sent_time
        if ticket.sent_time > self._wave.noticed_at:
            first, self._refused = not self._refused, True
            self._last = self._wave
            self._wave = RefusalWave(
                now, ticket.sent_time - trip, max(in_flight, ticket.in_flight), self._borne
            )
            self._before = (self._agreed, self._points, self._limit)
            self._borne, self._step = 0, 1
            if not paced and not self.known:
                self._grow_from(_AGAIN if first else _CAREFUL)
        if ticket.sent_time > self._last.noticed_at:
            self._wave.refused += 1
            self._trip = _averaged(self._trip, trip)
            self._judge()
        points = self._before[1]
        return points is not None and self._points is not None and self._points >= points

    def _judge(self) -> None:
        """What the wave, as far as it is known, says of a limit on what is in flight."""
        wave, (agreed, points, limit) = self._wave, self._before
        known = self.known
        away = self._trip / self._takes if self._takes else math.inf
        under_way = 2 * wave.held * min(away, _AWAY)  # there or back, at the most: not at the server
        if points is not None:
            explains = away <= _AWAY and wave.held + under_way / 2 >= limit
            points = points + 1 if explains else points // 2 - 1
            self._points = min(_MOST_POINTS, points) if points >= 0 else None
        else:
            agrees = abs(wave.held - self._last.held) <= 1 + under_way
            agrees = agrees and wave.borne <= wave.held + round(under_way)
            self._agreed = agreed + 1 if agrees and wave.held and away <= _AWAY else 0
            self._points = 0 if self._agreed >= self._needed else None
        if self._points is not None:
            self._limit = self.cap = max(1, wave.held)
        elif known:
            self._agreed = 0
            self._needed = min(_MOST_WAVES, 2 * self._needed)
            self._grow_from(max(self._grown, limit))


def _averaged(before: float, seconds: float) -> float:
    """A moving average with one more in it; 0 where there was none before."""
    return before + _WEIGHT * (seconds - before) if before else seconds
