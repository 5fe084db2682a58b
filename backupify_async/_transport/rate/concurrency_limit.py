"""How many calls can be in flight: few at first, more with each success; and a server's own limit on that.

**The start.** Finding a limit costs about as many refusals as there are calls in flight when it is met,
while a fast server deserves full concurrency soon. So each success adds 0.6 to the cap, and less if calls
take less than 60 ms: there a limit is met after fewer calls, and growing takes little time. The first
refusal says little of the rate, so the cap then starts anew, and the second wave of refusals is a small
one.

**A server that limits what is in flight**, and no rate. There, successive waves of refusals leave the
same number of calls in flight, and no call was accepted with more. That number is taken for the limit,
and predicts that nothing is refused below it. A wave that leaves as many calls in flight adds a point.
One that leaves fewer halves the points and subtracts one. Below zero the limit is given up, and more
waves must agree before the next one is believed. After a plateau, which is longer the more points there
are, one call more is tried, and twice as many while they are accepted. A call above the limit keeps its
distance from the one before: a bucket that refills evenly, and was emptied by calls sent together, would
refuse it too.

**From afar** what is in flight at the server is unknown. If the network takes a large part of the time of
a call, no such limit is believed.
"""

import math

import attrs

from backupify_async._transport.rate.speed import plateau
from backupify_async._transport.rate.ticket import Ticket

_FIRST = 13.0
_AGAIN = 6.0  # after the first refusal
_CAREFUL = 2.0  # after later ones
_GROWTH = 0.6  # for each success that takes this long, or longer
_SLOW = 0.06  # seconds
_AWAY = 1 / 8  # of the time of a call, for the network: beyond that, what is in flight is unknown
_WEIGHT = 0.2  # of the latest call in the averages
_MOST_POINTS = 4
_MOST_WAVES = 8  # that must agree


@attrs.define
class RefusalWave:
    """Refusals of calls that were in flight when the first of them was noticed.

    Attributes:
        noticed_at: When.
        overtook: The earliest sending of a call that can have arrived after that one.
        peak: How many calls were in flight.
        borne: The most calls in flight with which one was accepted since the wave before.
        refused: How many of them were refused.
    """

    noticed_at: float = -math.inf
    overtook: float = -math.inf
    peak: int = 0
    borne: int = 0
    refused: int = 0

    @property
    def held(self) -> int:
        """How many were in flight and not refused."""
        return self.peak - self.refused


@attrs.define(eq=False)
class ConcurrencyLimit:
    """A cap on what is in flight. All times are seconds of one monotonic clock."""

    _max_concurrency: int
    _refused: bool = False
    _last: RefusalWave = attrs.field(factory=RefusalWave)
    _wave: RefusalWave = attrs.field(factory=RefusalWave)
    _borne: int = 0
    _needed: int = 1  # waves that agree with the one before
    _agreed: int = 0
    _points: int | None = None  # for a limit of the server
    _limit: int = 0
    _before: tuple[int, int | None, int] = (0, None, 0)  # agreed, points and limit as the wave began
    _step: int = 1
    _latency: float = 0.0  # average seconds from sending a call to its acceptance
    _refusal_latency: float = 0.0  # and to its refusal
    _sent_time: float = -math.inf  # of the latest call, once any was refused
    _grown: float = _FIRST
    cap: int = attrs.field(init=False)
    """How many calls can be in flight."""

    def __attrs_post_init__(self) -> None:
        self.restart(self._grown)

    @property
    def known(self) -> bool:
        """Whether the server is believed to limit what is in flight."""
        return self._points is not None

    @property
    def rate(self) -> float | None:
        """Calls a second that such a server accepts."""
        return self._limit / self._latency if self.known and self._latency else None

    @property
    def is_full(self) -> bool:
        """Whether the cap is the client's own `max_concurrency`."""
        return self.cap >= self._max_concurrency

    def restart(self, cap: float = _CAREFUL) -> None:
        """Let the cap grow from here."""
        self._grown = min(cap, float(self._max_concurrency))
        self.cap = int(self._grown) if self._points is None else min(self._max_concurrency, self._limit)

    def scale(self, factor: float) -> None:
        """Let the cap grow from a multiple of what it is now."""
        self.restart(max(1.0, self._grown * factor))

    def resize(self, max_concurrency: int) -> None:
        """Take another number for the most calls in flight."""
        if max_concurrency != self._max_concurrency:
            self._max_concurrency = max_concurrency
            self.restart(self._grown)

    def earliest(self, in_flight: int) -> float:
        """When one more call can be sent: above the limit, some time after the one before."""
        return -math.inf if in_flight < self._limit else self._sent_time + self._latency / (in_flight + 1)

    def on_send(self, now: float, ticket: Ticket, in_flight: int) -> None:
        """A call is sent, and is counted in `in_flight`. Needed only once anything was refused."""
        self._sent_time, ticket.in_flight = now, in_flight

    def on_success(self, now: float, ticket: Ticket, in_flight: int) -> None:
        """A call was accepted, and is counted in `in_flight`. With little work nothing is learned."""
        seconds = now - ticket.sent_time
        if self._refused:
            self._latency = _averaged(self._latency, seconds)
            if ticket.sent_time <= self._wave.noticed_at:
                self._correct_wave(ticket)
                return
            self._borne = max(self._borne, ticket.in_flight)
            if self._points is not None:
                self._raise(now, self._points)
                return
        if not self.is_full and in_flight >= self._grown / 2:
            self.restart(self._grown + _GROWTH * min(1.0, seconds / _SLOW))

    def _correct_wave(self, ticket: Ticket) -> None:
        """A call that was sent before the wave was noticed was accepted."""
        wave = self._wave
        if self._last.noticed_at < ticket.sent_time < wave.overtook and ticket.in_flight > wave.borne:
            wave.borne = ticket.in_flight
            self._judge()

    def _raise(self, now: float, points: int) -> None:
        if self._borne > self._limit:
            self._limit, self._step = self._borne, 2 * self._step
        elif self.cap > self._limit or now < self._wave.noticed_at + plateau(points):
            return
        self.cap = min(self._max_concurrency, self._limit + self._step)

    def on_refusal(self, now: float, ticket: Ticket, in_flight: int, *, paced: bool) -> bool:
        """A call was refused for now.

        Args:
            now: When the response arrived.
            ticket: The call.
            in_flight: How many calls were in flight, itself included.
            paced: Whether calls are held below an estimated rate.

        Returns:
            Whether a limit on what is in flight explains it, and has explained others.
        """
        seconds = now - ticket.sent_time
        if ticket.sent_time > self._wave.noticed_at:
            first, self._refused = not self._refused, True
            self._last = self._wave
            peak = max(in_flight, ticket.in_flight)
            self._wave = RefusalWave(now, ticket.sent_time - seconds, peak, self._borne)
            self._before = (self._agreed, self._points, self._limit)
            self._borne, self._step = 0, 1
            if not paced and not self.known:
                self.restart(_AGAIN if first else _CAREFUL)
        if ticket.sent_time > self._last.noticed_at:
            self._wave.refused += 1
            self._refusal_latency = _averaged(self._refusal_latency, seconds)
            self._judge()
        points = self._before[1]
        return points is not None and self._points is not None and self._points >= points

    def _judge(self) -> None:
        """Judge by the present wave, as far as it is known, whether there is such a limit."""
        wave, (agreed, points, limit) = self._wave, self._before
        known = self.known
        away = self._refusal_latency / self._latency if self._latency else math.inf
        on_the_way = 2 * wave.held * min(away, _AWAY)  # at most: neither at the server nor here
        if points is not None:
            explains = away <= _AWAY and wave.held + on_the_way / 2 >= limit
            points = points + 1 if explains else points // 2 - 1
            self._points = min(_MOST_POINTS, points) if points >= 0 else None
        else:
            agrees = abs(wave.held - self._last.held) <= 1 + on_the_way
            agrees = agrees and wave.borne <= wave.held + round(on_the_way)
            self._agreed = agreed + 1 if agrees and wave.held and away <= _AWAY else 0
            self._points = 0 if self._agreed >= self._needed else None
        if self._points is not None:
            self._limit = self.cap = max(1, wave.held)
        elif known:
            self._agreed = 0
            self._needed = min(_MOST_WAVES, 2 * self._needed)
            self.restart(max(self._grown, limit))


def _averaged(before: float, seconds: float) -> float:
    """A moving average, updated; 0 if there was none before."""
    return before + _WEIGHT * (seconds - before) if before else seconds
