"""A model of servers that count calls in windows and say in Retry-After when the next window opens.

**The end of a window.** A 429 sent at `s` and received at `now`, with a Retry-After of `r` whole seconds,
puts the end between `s + r - 1` and `now + r`, because the header is rounded up, or, as a refusal with 0
proves, down. Such intervals are intersected. Ends lie one period apart, and a period is a nice number of
seconds; once it is found, the next end is known without a refusal.

**The opening.** One call, the scout, is sent first, in the middle of the interval if that is wide; the
others wait for its response. (Some windows begin with their first call: then the scout opens the window.)
Then no more calls are in flight than twice the number accepted, so that a wrong opening costs little.

**The quota** is what the first window held that was observed from its opening. When it is spent, nothing
is sent until the next opening. In the next window, and then every 12 s, one call more than the quota is
sent, in case it is higher; while such calls are accepted, as many more again. If that lasts until the end of
a window, the quota is unknown again, and calls are not held back until the next refusal.

**Other clients.** Half of the quota is sent at once and the rest is spread over some seconds, so that calls
of others are accepted meanwhile, and after two windows that hold less the quota is lower. When more than the
quota is tried, nothing is spread: that takes most from the client that spreads most, so shares converge.

**One call or all.** Retry-After may concern only the refused call. So in a closing that was not predicted
one call, the probe, is sent well before the end. If it is accepted, nothing is closed (`per_call`).

**Not a window.** A sliding log and a bucket of less than one call a second send Retry-After too. But then
some ends fit no period, or calls in the middle of a window are refused: the model is given up (`no_window`).
"""

import math

import attrs

from backupify_async._transport.rate.headers import TimeInterval, wait_end

_PERIODS = (2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)  # seconds
_UNPROVEN = 5  # calls in flight beyond what an earlier window is known to have held
_GROWTH = 2  # calls in flight for each one accepted since the opening
_GROWTH_PREDICTED = 16  # the same, after the quota came out as predicted
_PROVEN = 0.6  # of the calls accepted in a window that was not observed from its opening
_EXTRA_EVERY = 12.0  # seconds between two attempts to exceed the quota
_SEVERAL = 1.2  # periods since an opening: from then on the count covers more than one window
_NARROW = 0.12  # of a period: an opening known so precisely needs no early scout
_PROBE = 1.0  # seconds after which the probe is sent, at most
_SPENT = 0.98  # of a quota: a refusal after that is about the window
_SCOUTS = 2  # refused in a row, after which the latest possible end is waited for
_MISFITS = 2  # ends that fit no period, after which the model is given up
_AT_ONCE = 0.5  # of a quota: it is sent at the opening
_LEAST_AT_ONCE = 8  # calls
_SPREAD = 0.75  # of a period: the rest of the quota is sent in that time
_LONGEST_SPREAD = 6.0  # seconds
_NEVER = TimeInterval(math.inf, math.inf)


@attrs.define(eq=False)
class WindowModel:
    """Learns windows from Retry-After. All times are seconds of one monotonic clock."""

    enabled: bool = True
    """Whether the model is used; one that was given up is not."""
    per_call: bool = False
    """Whether a Retry-After was shown to concern only the refused call."""
    opened_at: float = -math.inf
    """When the present window was taken to be open."""
    used: int = 0
    """How many calls were sent in the present window."""
    _end: TimeInterval = _NEVER
    _opening: TimeInterval | None = None
    _closed: bool = False
    _counting: bool = False  # the window is spent, and some of its calls are still in flight
    _asking: bool = False  # for more than the quota
    _asked_at: float = -math.inf
    _accepted: int = 0
    _misfits: int = 0
    _held: float = 0.0  # by a window that was not observed from its opening
    _dip: int | None = None  # what the last window held, if that was less than its quota
    _longest: float = 0.0  # Retry-After
    _predicted: bool = False
    _rounded_down: bool = False
    _begins_with_call: bool = False
    _scouts_refused: int = 0  # in a row
    _round_trip: float = 0.0
    _probe_at: float = math.inf
    _probing: TimeInterval = _NEVER  # the latest closing in which a probe could be sent
    _period: int | None = None
    _quota: int | None = None

    @property
    def rate(self) -> float | None:
        """Calls a second on average, if quota and period are known."""
        return self._quota / self._period if self._quota is not None and self._period is not None else None

    @property
    def _scouting(self) -> bool:
        """Whether the first call of a window is in flight, or about to be sent."""
        return self.opened_at > -math.inf and not self._closed and not self._accepted

    @property
    def _between(self) -> bool:
        """Whether no window is known to be open now."""
        return self._closed or self._scouting or self._counting

    @property
    def _periods(self) -> list[int]:
        return [period for period in _PERIODS if period >= self._longest]

    @property
    def in_use(self) -> bool:
        """Whether any refusal was about a window."""
        return self._end.high < math.inf

    @property
    def blocked_until(self) -> float:
        """When the present closing ends; -inf while a window is open. An uncertain end is scouted early."""
        if not self._closed:
            return -math.inf
        width = self._end.high - self._end.low
        if self._period is not None and self._scouts_refused < _SCOUTS and width > _NARROW * self._period:
            return self._end.low + width / 2
        return self._end.high

    @property
    def no_window(self) -> bool:
        """Whether the server counts in another way, asked after a refusal that was not about a window."""
        refused_inside = self.rate is not None and not self._between
        return refused_inside or self._misfits >= _MISFITS

    def earliest(self, now: float, in_flight: int) -> float:
        """When the next call may be sent; infinity if a response must arrive first."""
        if not self.in_use:
            return -math.inf
        if self._counting:
            if in_flight:
                return math.inf
            self._count_window(now)
        if self._closed:
            if now < self.blocked_until:
                return min(self.blocked_until, self._probe_at)
            self._open(now)
        period, opening = self._period, self._opening
        if period is not None and opening is not None and now >= opening.high + period:
            # The last window ended unspent: the next one is open already.
            self._close(now - period, in_flight)
            self._open(now)
            self._accepted = in_flight + 1  # so no scout is needed
        return self._earliest_in_window(now, in_flight)

    def _earliest_in_window(self, now: float, in_flight: int) -> float:
        growth = _GROWTH_PREDICTED if self._predicted else _GROWTH
        if min(in_flight, self.used - self._accepted) > growth * self._accepted:
            return math.inf
        if self._quota is None or self._period is None:
            beyond = self.used - self._held * _PROVEN
            return math.inf if beyond >= 0 and in_flight >= _UNPROVEN + beyond else -math.inf
        if self._asking:
            beyond = self.used - self._quota
            return math.inf if beyond > 0 and 2 * in_flight > beyond else -math.inf
        if self.used < self._quota:
            beyond = self.used - max(_LEAST_AT_ONCE, _AT_ONCE * self._quota)
            seconds = min(_LONGEST_SPREAD, _SPREAD * self._period)
            even = self.opened_at + seconds * beyond / (self._quota - _AT_ONCE * self._quota)
            return -math.inf if beyond <= 0 else even
        self._close(now, in_flight)
        return self.blocked_until

    def on_send(self) -> None:
        """Count a call that is sent now."""
        self.used += 1
        if self._closed:
            self._probe_at = math.inf

    def on_cancel(self) -> None:
        """Uncount a call that was not sent, or was refused for another reason than its window."""
        self.used -= 1

    def on_success(self, now: float, sent_time: float) -> None:
        """A call was accepted."""
        if not self.in_use:
            return
        self.per_call = self.per_call or self._is_probe(sent_time)
        if sent_time < self.opened_at:
            return
        if self._scouting:
            self._scouts_refused = 0
            latest = now if self._begins_with_call else min(self._end.high, now)
            self._end = self._opening = TimeInterval(min(self._end.low, now), latest)
        self._accepted += 1

    def concerns(self, now: float, sent_time: float, retry_after: float) -> bool:
        """Whether a refusal is about the window, and not about the speed within it."""
        if not self.enabled:
            return False
        if retry_after >= 2 or self._between:
            return True
        if self._opening is None or (self._longest <= 2 and self._period is None):
            return self.in_use and self._longest <= 2
        end = wait_end(now, sent_time, retry_after, rounded_down=self._rounded_down)
        if self._period is None:
            ahead = self._periods
        elif self._quota is not None and self.used > _SPENT * self._quota:
            return True
        else:
            ahead = [max(1, math.ceil((end.low - self._opening.high) / self._period)) * self._period]
        return any(end.intersect(self._opening.shifted(seconds)) for seconds in ahead)

    def on_refusal(self, now: float, sent_time: float, retry_after: float) -> None:
        """A call was refused until a window opens."""
        self.used -= 1
        self._round_trip = now - sent_time
        self._longest = max(self._longest, retry_after)
        if retry_after == 0 and not self._rounded_down:
            self._rounded_down = True
            self._end = self._end.shifted(1)  # what was read before is corrected
        end = wait_end(now, sent_time, retry_after, rounded_down=self._rounded_down)
        if self._closed or self._counting:
            self._end = self._end.intersect(end) or end
            self._counting |= sent_time >= self.opened_at and not self._is_probe(sent_time)
        elif self._scouting:
            self._on_scout_refused(TimeInterval(max(end.low, sent_time), max(end.high, sent_time)))
        else:
            self._end = self._fold(end)
            self._closed = self._counting = True
            if self._period is None:
                self._longest = retry_after  # a longer one, met once, fits no window any more

    def _on_scout_refused(self, end: TimeInterval) -> None:
        self._closed = True
        self._scouts_refused += 1
        both = self._end.intersect(end)
        if 0 <= end.low - self._end.high < _NARROW * (self._period or 1):
            self._begins_with_call = True  # it ends a moment later than the one before
        elif both is None:
            both = self._fold(end)
        self._end = both or end

    def _fold(self, end: TimeInterval) -> TimeInterval:
        """Narrow an end by the opening and the period; find the period."""
        opening = self._opening
        if opening is None:
            return end
        elapsed = (end.low + end.high - opening.low - opening.high) / 2
        possible = [(one, max(1, round(elapsed / one))) for one in self._periods]
        known = [(period, count) for period, count in possible if period == self._period]
        # From 2 s on it is most likely the next end; else whole windows can have passed unspent.
        next_end = [(period, 1) for period, _ in possible] if self._longest >= 2 else []
        for period, count in (*known, *next_end, *possible):
            both = end.intersect(opening.shifted(count * period))
            if both is not None:
                if period != self._period:  # the quota was learned for another one
                    self._period, self._quota, self._dip = period, None, None
                return both
        self._misfits += self._period is not None or self._closed
        self._period = self._quota = self._dip = None
        return end

    def _open(self, now: float) -> None:
        self._opening, self.opened_at = self._end, now
        self._closed, self._probe_at = False, math.inf
        self._probing = TimeInterval(self._probing.low, min(self._probing.high, now))
        self._accepted = self.used = 0
        if not self._asking and now - self._asked_at >= _EXTRA_EVERY:
            self._asking, self._asked_at = True, now

    def _close(self, now: float, in_flight: int) -> None:
        """The quota is spent without a refusal: wait for the first end after `now`."""
        if self._opening is None or self._period is None:
            return
        if self._asking and self._quota is not None and self.used - in_flight > self._quota:
            self._quota, self._held, self._asking = None, math.inf, False  # there is more
        count = max(0, math.floor((now - self._opening.high) / self._period) + 1)
        self._end = self._opening.shifted(count * self._period)
        self._closed = True

    def _is_probe(self, sent_time: float) -> bool:
        return self._probing.low < sent_time < self._probing.high

    def _count_window(self, now: float) -> None:
        """All responses of a spent window have arrived: learn what it held."""
        self._counting = False
        asked, self._asking = self._asking, False
        held, quota = max(1, self.used), self._quota
        half = (self._end.low - now) / 2
        if half > self._round_trip and (quota is None or held < quota):
            self._probe_at, self._probing = now + min(_PROBE, half), TimeInterval(now, math.inf)
        several = self._period is not None and now - self.opened_at > _SEVERAL * self._period
        if self.opened_at == -math.inf or several:
            self._held = self.used
        elif quota is None:
            self._quota, self._asked_at = self.used or None, -math.inf  # 0: another client spent it
        elif held >= quota:
            self._quota, self._dip, self._predicted = held, None, True
        elif self._dip is None:  # once is an accident
            self._dip, self._predicted = held, False
            self._asked_at = -math.inf if asked else self._asked_at  # again in the next window
        else:
            self._quota, self._dip = max(held, self._dip), None
