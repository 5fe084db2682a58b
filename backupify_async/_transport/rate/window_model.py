"""Windows: so many calls until a time that the server tells, and none behind them.

A 429 whose request left at `sent_time`, seen at `now`, with a Retry-After of `r` whole seconds, puts the
window's end between `sent_time + r - 1` and `now + r`: the header is rounded up, or, as a refusal with 0
proves, down. Such intervals are intersected, and folded by the period: the one nice number of seconds by
which the ends lie apart. So the next end is known without a refusal.

At an opening a scout goes, into the middle where the interval is wide, and the rest waits for its answer.
Where windows begin with their first call, it is the scout that opens the next one. Then no more are in flight
than twice what was accepted since, so that an opening that was none costs little, until the quota is spent;
and none until the next opening. The quota is what the first window held that was seen from its opening; past
what an earlier one held, few calls are in flight at first, for each may be a refusal.

One call past the quota is asked every 12 seconds, in case there is more, and while there is, twice as many at
once, in the same window and from window to window: a quota that rose is found in seconds. One window that
held less is an accident, two are a smaller quota.

A Retry-After is meant for the refused call. Whether it closes the server for all is shown by a probe: where a
closing was not predicted, one call goes well before its end. Accepted, it shows that nothing is closed.

A log that slides and a bucket of less than a call a second tell such ends too; but then some fit no period,
scouts are refused behind them, or calls in the midst of a window. And where others draw on the same quota,
windows hold less than they did. Where that shows, windows are believed no more (`misleads`).
"""

import math

import attrs

from backupify_async._transport.rate.time_interval import TimeInterval, wait_end

_NICE = (2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)  # seconds
_CAREFUL = 5  # in flight, past what is proven
_GROWTH = 2  # calls in flight for each that was accepted since an opening, but
_TRUST = 16  # where the quota came out as predicted
_PROVEN = 0.6  # of what an earlier window held that was not seen from its opening
_ASK_EVERY = 12.0  # seconds, after which one call past the quota is asked
_MORE_THAN_ONE = 1.2  # period since an opening
_NARROW = 0.12  # of a period: an opening known so well needs no scout
_PROBE = 1.0  # seconds of a closing in doubt, after which one call shows whether it is true
_SURPRISE = 0.8  # of its quota: a window that holds less was not predicted
_SURPRISES = 4  # such windows, less those that held it: there is none, or not for us alone
_SCOUTS = 2  # that were refused in a row, after which one waits for the latest end
_MISFITS = 2  # ends that fit no period: a log that slides, or a bucket of a call in seconds

_NEVER = TimeInterval(math.inf, math.inf)


@attrs.define(eq=False)
class WindowModel:
    """What Retry-After tells of windows. All times are seconds of one monotonic clock."""

    _end: TimeInterval | None = None
    _opening: TimeInterval | None = None
    _opened_at: float = -math.inf
    _closed: bool = False
    _counting: bool = False
    _asking: int = 0
    _step: int = 1
    _borne: bool = False
    _used: int = 0
    _accepted: int = 0
    _misfits: int = 0
    _surprises: int = 0
    _held: int = 0
    _dip: int | None = None
    _asked_at: float = -math.inf
    _longest: float = 0.0
    _predicted: bool = False
    _rounded_down: bool = False
    _begins_with_call: bool = False
    _scouts_refused: int = 0  # in a row
    _took: float = 0.0
    _probe_at: float = math.inf
    _doubted: TimeInterval = _NEVER  # the latest closing in which a probe might leave
    refuted: bool = False
    """Whether a call was accepted well inside a closing: then it was none."""
    _period: int | None = None
    _quota: int | None = None

    @property
    def rate(self) -> float | None:
        """Calls a second on average, where quota and period are known."""
        return self._quota / self._period if self._quota is not None and self._period is not None else None

    @property
    def _scouting(self) -> bool:
        """Whether the first call of a window is out, or about to go."""
        return self._opened_at > -math.inf and not self._closed and not self._accepted

    @property
    def shown(self) -> bool:
        """Whether any refusal told of a window."""
        return self._end is not None

    @property
    def blocked_until(self) -> float:
        """When the present closing ends; -inf while a window is open."""
        return self._target() if self._closed else -math.inf

    @property
    def opened_at(self) -> float:
        """When the present window was taken to be open."""
        return self._opened_at

    def earliest(self, now: float, in_flight: int) -> float:
        """When the next call may leave; infinity where an answer must come first."""
        if self._end is None:
            return -math.inf
        if self._counting:
            if in_flight:
                return math.inf
            self._settle(now)
        if self._closed:
            if now < self._target():
                return min(self._target(), self._probe_at)
            self._open(now)
        if (
            self._period is not None
            and self._opening is not None
            and now >= self._opening.high + self._period
        ):
            self._shut(now - self._period)  # it ended unspent: the next one is open by now
            self._open(now)
            self._accepted = in_flight + 1  # no closing lies between: nothing is to be scouted
        return self._earliest_in_window(now, in_flight)

    def _earliest_in_window(self, now: float, in_flight: int) -> float:
        if in_flight > (_TRUST if self._predicted else _GROWTH) * self._accepted:
            return math.inf
        if self._quota is None or self._period is None:
            beyond = self._used - self._held * _PROVEN
            careful = beyond >= 0 and in_flight >= _CAREFUL + beyond
            return math.inf if careful else -math.inf
        if self._used < self._quota + self._asking:
            return -math.inf
        if self._asking and in_flight:
            return math.inf
        if self._asking:
            self._step *= 2  # there is more: twice as many at once
            self._asking += self._step
            return -math.inf
        self._shut(now)
        return self._target()

    def begin(self, used: int) -> None:
        """Count from here, with so many calls that left before."""
        self._used = used

    def on_send(self) -> None:
        """Count a call that leaves now."""
        self._used += 1
        if self._closed:
            self._probe_at = math.inf

    def on_cancel(self) -> None:
        """Uncount a call that did not leave, or whose refusal tells nothing of windows."""
        self._used -= 1

    def on_success(self, now: float, sent_time: float) -> None:
        """A call that left at `sent_time` was accepted."""
        if self._end is None:
            return
        self.refuted = self.refuted or self._is_probe(sent_time)
        if sent_time < self._opened_at:
            return
        if self._scouting:
            self._scouts_refused = 0
            high = now if self._begins_with_call else min(self._end.high, now)
            self._end = self._opening = TimeInterval(min(self._end.low, now), high)
        self._accepted += 1

    def concerns(self, now: float, sent_time: float, retry_after: float) -> bool:
        """Whether a refusal is about a window, and not about the pace within one."""
        if retry_after >= 2:
            return True
        if self._end is None:
            return False
        if self._closed or self._scouting or self._counting:
            return True
        if self._opening is None or (self._longest <= 2 and self._period is None):
            return self._longest <= 2
        if self._period is None:
            told = wait_end(now, sent_time, retry_after, rounded_down=self._rounded_down)
            return any(told.intersect(self._opening.shifted(period)) for period in self._possible())
        if self._quota is not None and self._used > 0.98 * self._quota:
            return True
        told = wait_end(now, sent_time, retry_after, rounded_down=self._rounded_down)
        periods = max(1, math.ceil((told.low - self._opening.high) / self._period))
        return told.intersect(self._opening.shifted(periods * self._period)) is not None

    @property
    def misleads(self) -> bool:
        """Whether there is no window, though it looked like it, after a refusal that was not about one.

        A log that slides looks like windows for as long as it is spent in bursts; then its oldest calls
        leave it one by one. With two limits there is a window, but the other one rules.
        """
        in_the_midst = self._period is not None and self._quota is not None
        busy = self._closed or self._scouting or self._counting
        unforeseen = self._misfits >= _MISFITS or self._surprises >= _SURPRISES
        return unforeseen or (in_the_midst and not busy)

    def on_refusal(self, now: float, sent_time: float, retry_after: float) -> None:
        """A call that left at `sent_time` was refused until a window opens."""
        self._used -= 1
        self._took = now - sent_time
        self._longest = max(self._longest, retry_after)
        if retry_after == 0 and not self._rounded_down:
            self._rounded_down = True
            self._end = None if self._end is None else self._end.shifted(1)  # what was read before, read anew
        told = wait_end(now, sent_time, retry_after, rounded_down=self._rounded_down)
        if self._end is None:
            self._end = told
            self._closed = self._counting = True
        elif self._closed or self._counting:
            self._end = self._end.intersect(told) or told
            self._counting = self._counting or (
                sent_time >= self._opened_at and not self._is_probe(sent_time)
            )
        elif self._scouting:
            self._closed = True
            self._scouts_refused += 1
            seen = TimeInterval(max(told.low, sent_time), max(told.high, sent_time))
            both = self._end.intersect(seen)
            if both is None and seen.low - self._end.high < _NARROW * (self._period or 1):
                self._begins_with_call = True  # a moment later than the one before had ended
            elif both is None:
                self._misfits += 1
            self._end = both or seen
        else:
            self._end = self._fold(told)
            self._closed = self._counting = True
            if self._period is None:
                self._longest = retry_after  # a longer wait, asked for once, fits no window any more

    def _possible(self) -> list[int]:
        return [period for period in _NICE if period >= self._longest]

    def _fold(self, told: TimeInterval) -> TimeInterval:
        """The end that an answer tells, narrowed by the opening and the period; finds the period."""
        if self._opening is None:
            return told
        between = (told.low + told.high - self._opening.low - self._opening.high) / 2
        every = [(period, max(1, round(between / period))) for period in self._possible()]
        known = [(period, periods) for period, periods in every if period == self._period]
        # Above 1 s, it is most likely the window that opened then; a shorter one may have passed unspent.
        first = [(period, 1) for period, _ in every] if self._longest >= 2 else []
        for period, periods in (*known, *first, *every):
            both = told.intersect(self._opening.shifted(periods * period))
            if both is not None:
                self._found(period)
                return both
        if self._period is not None:
            self._misfits += 1
        self._found(None)
        return told

    def _found(self, period: int | None) -> None:
        """The period; what was learned of the quota of another is void."""
        if period != self._period:
            self._quota = self._dip = None
        self._period = period

    def _target(self) -> float:
        """When to go: at the end, or, where it is known badly, in the middle, to scout."""
        assert self._end is not None  # noqa: S101 - asked only behind a refusal
        width = self._end.high - self._end.low
        patient = self._scouts_refused < _SCOUTS
        if patient and self._period is not None and width > _NARROW * self._period:
            return self._end.low + width / 2
        return self._end.high

    def _open(self, now: float) -> None:
        assert self._end is not None  # noqa: S101 - opened only behind a refusal
        self._opening = self._end
        self._opened_at = now
        self._closed = False
        self._probe_at = math.inf
        self._doubted = TimeInterval(self._doubted.low, min(self._doubted.high, now))
        self._accepted = 0
        self._used = 0
        step, self._asking, self._step = self._step, 0, 1
        if self._quota is None:
            self._asked_at = now
        elif self._borne:  # all of the one before, as far as its time went: there is more
            self._asking, self._step, self._asked_at, self._borne = 2 * step, 2 * step, now, False
        elif now == self._asked_at or now - self._asked_at >= _ASK_EVERY:  # one opening may lead to the next
            self._asking, self._asked_at = 1, now

    def _shut(self, now: float) -> None:
        """The quota is spent, unrefused: closed until the next end that is later than now."""
        assert self._opening is not None  # noqa: S101 - shut only once it was open
        assert self._period is not None  # noqa: S101 - else it is not known for how long
        if self._asking and self._quota is not None and self._used > self._quota:
            self._quota, self._borne = self._used, True
        self._asking = 0
        periods = max(0, math.floor((now - self._opening.high) / self._period) + 1)
        self._end = self._opening.shifted(periods * self._period)
        self._closed = True

    def _doubt(self, now: float) -> None:
        """The closing was not predicted: let one call show, well before its end, whether it is one."""
        assert self._end is not None  # noqa: S101 - closed only behind a refusal
        half = (self._end.low - now) / 2
        if half > self._took:
            self._probe_at = now + min(_PROBE, half)
            self._doubted = TimeInterval(now, math.inf)

    def _is_probe(self, sent_time: float) -> bool:
        return self._doubted.low < sent_time < self._doubted.high

    def _settle(self, now: float) -> None:
        """All answers of a window that was exhausted are in: what did it hold?"""
        self._counting = False
        asked, self._asking, self._borne = self._asking, 0, False
        held = max(1, self._used)
        if self._quota is None or held < self._quota:
            self._doubt(now)
        several = self._period is not None and now - self._opened_at > _MORE_THAN_ONE * self._period
        if self._quota is not None and held < _SURPRISE * self._quota:
            self._surprises += 1
        if self._opened_at == -math.inf or several:
            self._held = max(self._held, self._used)
        elif self._quota is None:
            self._quota = held
        elif held >= self._quota or asked:
            self._surprises = max(0, self._surprises - 1)
            self._quota = max(held, self._quota)
            self._dip = None
            self._predicted = True
        elif self._dip is None:
            self._dip = held
            self._predicted = False
        else:
            self._quota = max(held, self._dip)
            self._dip = None
