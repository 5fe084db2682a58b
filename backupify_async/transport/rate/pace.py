"""The pace: a rate learned from our own refusals.

A refusal says that the server's store of calls is empty. **Between two moments at which it is empty, the
calls accepted over the time elapsed are the rate**, whatever the store's size: two or three such moments give
a token bucket's rate to half a percent. A wave of refusals is one moment: calls that were under way when it
was first seen say nothing new, and those served before it, whose answers come later, count before it.

Such moments come in three kinds.

- A *graze*: many calls were accepted since the last one. The rate is what was accepted since then, or since
  the origin of the present belief, whichever is more, and no more than the speed at which we were refused;
  nor less than one that was borne for a while, for timers are late and counts then too low. A count above the
  belief says that the store ran over meanwhile, so the rate is further up still: a guess too high shows at
  once, with an exact count, while one too low is mended by a few percent in each of many hundred calls.
- A *short* one: a few calls later. We are too fast: the count since the origin holds where we are twice as
  fast; else we are by half, once it happens four times to a rate that was trusted.
- An *outage*: nothing was accepted since. One probe at a time, at growing intervals, finds its end. The first
  refusal of all is taken for one until a probe is accepted. After a long one, the store had a period: what
  was accepted from one reopening to the next, over that time, is its rate, which paces even a silent window
  or a sliding log.

Between them the speed begins a little below the rate, reaches it, stays, and then grows faster and faster:
the curve of CUBIC (RFC 9438), counted in calls and not in seconds. It stays for longer the more often counts
agreed, and for as many calls as a store with a period holds. A limit that rose is found by that growth; one
that fell shows in refusals at once.
"""

import math
from collections import deque

_MARGIN = 0.99  # of the rate, right after a graze: the store fills again a little
_CUSHION = 3.0  # calls' worth of rest after a graze: else jitter alone brings the next
_PLATEAU_SECONDS = 4.0  # how long the speed stays at the rate, but
_PLATEAU_CALLS = (200, 500)  # no fewer and no more calls than this, nor fewer than the store holds, and
_CONFIRMED = 2  # counts that agreed, from which on each makes it longer by half, up to
_LONGEST_PLATEAU = 4.0  # times as long
_AGREE = 0.01
_AHEAD = 3.0  # of what a count is above the belief: the store ran over, so it is too low itself
_RISE = 0.3
_FASTEST = math.exp(2.5)
_SEEK = 1.008  # growth with each success while there is no rate to trust
_FIRST_GUESS = 0.3  # of what was accepted lately: much of that came out of a full store
_CUT = 0.5
_SHORTS = 4
_ENOUGH = 8  # calls from which a count over a time means something
_FIRST_PROBE = 0.3  # seconds, doubled each time, up to
_LONGEST_PROBE = 2.0
_LONG_OUTAGE = 1.0
_DISAGREE = 0.12
_LEAP = 2.0
_SLOWEST = 1 / 3600
_SLOWEST_CUT = 1.0  # a slower server shows as an outage, and refusals by chance must not bring us to a halt
_LATE = 0.1  # seconds that a late timer is made up for: meanwhile the store filled
_TICK = 1e-3  # seconds: no time between two answers is taken to be shorter


class Pace:
    """A rate that is learned, and a speed around it. All times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._accepted = 0
        self._began: float | None = None
        self._lately: deque[float] = deque(maxlen=64)
        self._round_trip: float | None = None
        self._reopened_at = (-math.inf, 0)
        self.forget()

    def forget(self) -> None:
        """Believe nothing any more, and do not pace."""
        self._rate: float | None = None
        self._trusted = False
        self._next = self._rested_at = -math.inf
        self._wave = -math.inf
        self._empty: tuple[float, int] | None = None
        self._origin = (-math.inf, 0)
        self._outage_began: float | None = None
        self._since = 0
        self._shorts = 0
        self._probes = 0
        self._held = 0
        self._agreed = 0

    @property
    def rate(self) -> float | None:
        """Calls a second that the server takes, where that is known well enough to trust."""
        return self._rate if self._trusted else None

    @property
    def silent_until(self) -> float:
        """Until when nothing is sent, because the last calls were all refused; -inf in the midst of work."""
        return self._next if self._empty is not None and not self._since else -math.inf

    @property
    def accepted(self) -> int:
        """How many calls were accepted in all."""
        return self._accepted

    def average(self, now: float) -> float:
        """Calls a second that were accepted since the first one left; not so few that we come to a halt."""
        seconds = max(_TICK, now - (now if self._began is None else self._began))
        return max(_SLOWEST_CUT, self._accepted / seconds)

    @property
    def was_refused(self) -> bool:
        """Whether a refusal was met since there was nothing to believe."""
        return self._empty is not None

    @property
    def is_lost(self) -> bool:
        """Whether there is no rate to trust, and probes are refused one after the other."""
        return not self._trusted and self._probes > 1

    def earliest(self, in_flight: int) -> float:
        """When the next call may leave; infinity while a probe is out."""
        return math.inf if self._probes and in_flight else self._next

    def take(self, now: float) -> None:
        """Count a call that leaves now."""
        if self._began is None:
            self._began = now
            self._reopened_at = (now, 0)
        if self._rate is not None:
            self._next = max(now - _LATE, self._next) + 1 / self._speed()

    def give_back(self) -> None:
        """Uncount a call that did not leave."""
        if self._rate is not None:
            self._next = max(self._next - 1 / self._speed(), self._rested_at)

    def succeeded(self, now: float, sent_at: float) -> None:
        """A call that left at `sent_at` was accepted."""
        at = (now + sent_at) / 2
        taken = now - sent_at
        self._round_trip = taken if self._round_trip is None else 0.9 * self._round_trip + 0.1 * taken
        self._accepted += 1
        self._lately.append(at)
        if self._empty is not None and at <= self._empty[0]:
            self._belongs_before(*self._empty)
            return
        if self._probes:
            self._probes = 0
            self._next = now
            # Our own rest between two calls is no outage of the server's.
            long = max(_LONG_OUTAGE, _ENOUGH / (self._rate or _ENOUGH))
            if self._outage_began is not None and at - self._outage_began >= long:
                self._reopened(at)
        self._since += 1
        if self._rate is not None and not self._trusted:
            self._rate *= _SEEK

    def _belongs_before(self, at: float, count: int) -> None:
        """A call was served before the store was empty, and its answer comes after that of the refusal."""
        if self._origin == self._empty:
            self._origin = (at, count + 1)
        self._empty = (at, count + 1)

    def refused(self, now: float, sent_at: float, retry_after: float | None = None) -> None:
        """A call that left at `sent_at` was refused for now.

        Whole seconds of a Retry-After are taken to be rounded up: one says no more than that it is less.
        """
        if sent_at > self._wave:
            self._weigh(now, sent_at)
        if retry_after is not None:
            whole = retry_after == int(retry_after)
            self._next = max(self._next, now + retry_after - whole)
        self._rested_at = self._next

    def _weigh(self, now: float, sent_at: float) -> None:
        self._wave = now
        at = (now + sent_at) / 2
        if self._empty is not None and not self._since:
            self._probes += 1
            self._next = now + min(_LONGEST_PROBE, _FIRST_PROBE * 2.0 ** min(self._probes - 1, 9))
            return
        if self._empty is None:
            self._first(now, at)
        elif self._accepted - self._empty[1] < _ENOUGH:
            self._short(now, at)
        else:
            self._graze(now, at)
        self._empty = (at, self._accepted)
        self._outage_began = at
        self._since = 0

    def resume(self, now: float) -> None:
        """A window opened: what was not accepted while it was closed says nothing of the pace."""
        if self._empty is not None:
            self._believe_from(now)

    def know(self, now: float, rate: float) -> None:
        """Take a rate that is known from elsewhere."""
        self._rate = max(rate, _SLOWEST)
        self._trusted = True
        self._wave = now
        self._since = 0
        self._believe_from(now)
        self._reopened_at = (-math.inf, 0)  # it did not: the store holds what it holds
        self._rest(now)

    def _believe_from(self, at: float) -> None:
        self._empty = self._origin = self._reopened_at = (at, self._accepted)
        self._outage_began = None
        self._shorts = self._probes = 0

    def _speed(self) -> float:
        assert self._rate is not None  # noqa: S101 - asked only where there is one
        if not self._trusted:
            return self._rate
        along = self._along(self._rate)
        if along < 1:
            return self._rate * (_MARGIN + (1 - _MARGIN) * along)
        return self._rate * min(_FASTEST, math.exp(min(2.5, _RISE * (along - 1) ** 3)))

    def _along(self, rate: float) -> float:
        """How far we are along the curve; 1 at the end of its plateau."""
        fewest, most = _PLATEAU_CALLS
        plateau = min(most, max(fewest, rate * _PLATEAU_SECONDS))
        plateau *= min(_LONGEST_PLATEAU, 1 + max(0, self._agreed - _CONFIRMED) / 2)
        return self._since / max(plateau, self._held)

    def _rest(self, now: float) -> None:
        assert self._rate is not None  # noqa: S101 - set by whoever calls this
        self._next = self._rested_at = now + _CUSHION / self._rate

    def _first(self, now: float, at: float) -> None:
        """The first refusal of all: a guess to seek from, once what is in flight has come back."""
        began = at if self._began is None else self._began
        round_trip = self._round_trip or 2 * (now - at)
        on_average = self._accepted / max(at - began, round_trip, _TICK)
        self._rate = _FIRST_GUESS * max(1.0, self._pace_lately(at) or on_average)
        self._origin = (at, self._accepted)
        self._next = now + round_trip
        self._probes = 1  # or more of them would be refused than one, if this is an outage

    def _short(self, now: float, at: float) -> None:
        self._shorts += 1
        count = self._accepted - self._origin[1]
        counted = count / max(_TICK, at - self._origin[0])
        if self._trusted and self._shorts >= _SHORTS:
            self._origin = (at, self._accepted)
            self._slow_down()
            self._trusted = False
        elif count < _ENOUGH:
            if not self._trusted:
                self._slow_down()
        elif not self._trusted or self._speed() > _LEAP * counted:
            self._rate = max(_SLOWEST, min(self._speed(), counted))
            self._shorts = 0
            self._trusted = True
        self._rest(now)

    def _slow_down(self) -> None:
        self._rate = max(_SLOWEST_CUT, self._speed() * _CUT)
        self._agreed = 0

    def _graze(self, now: float, at: float) -> None:
        assert self._empty is not None  # noqa: S101 - else it is the first
        recent = (self._accepted - self._empty[1]) / max(_TICK, at - self._empty[0])
        whole = (self._accepted - self._origin[1]) / max(_TICK, at - self._origin[0])
        known, speed, believed = max(recent, whole), self._speed(), self._rate or 0.0
        if self._trusted:
            known = min(speed, self._compared(known, believed))
        if speed > _LEAP * known:  # we grew much faster than the store emptied: most of that count is old
            known = max(known, math.sqrt(known * self._pace_lately(at)))
        if self._trusted and self._along(believed) > 1:  # all of the plateau was borne
            known = max(known, believed)
        if whole < recent * (1 - _DISAGREE):
            self._origin = self._empty
        self._rate = max(_SLOWEST, min(speed, known))
        self._trusted = True
        self._shorts = 0
        self._rest(now)

    def _compared(self, count: float, believed: float) -> float:
        """What to believe, after a count a second beside the belief so far."""
        self._agreed = self._agreed + 1 if abs(count / believed - 1) < _AGREE else 0
        if count <= believed * (1 + _AGREE):
            return count
        return count + _AHEAD * (count - believed)

    def _reopened(self, at: float) -> None:
        """The end of a long outage. From one to the next, the store was filled and emptied once."""
        before, count = self._reopened_at
        served = self._accepted - 1  # this one is the first of a new filling
        if served > count and before > -math.inf:
            self._held = served - count
            self._rate = max(_SLOWEST, self._held / max(_TICK, at - before))
            self._trusted = True
            self._since = 0
        self._reopened_at = self._origin = (at, served)
        self._shorts = 0

    def _pace_lately(self, at: float) -> float:
        """Calls a second that were accepted within the last second; 0 where too few to tell."""
        times = [when for when in self._lately if when > at - 1]
        return len(times) / max(0.05, at - times[0]) if len(times) > 5 else 0.0
