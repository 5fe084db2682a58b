"""When the window of a server ends that counts calls in windows, and the next one opens.

**With Retry-After.** A 429 sent at `s` and received at `now`, with a Retry-After of `r` whole seconds, puts
the end between `s + r - 1` and `now + r`, because the header is rounded up, or, as a refusal with 0 proves,
down. Such intervals are intersected. Ends lie one period apart, and a period is a nice number of seconds;
once it is found, the next end is known without a refusal.

**Without it** two lockouts show the period, from the end of one to the end of the next (`Refill`).

**The scout** is the first call of a window. It is sent in the middle of the interval if that is wide. A
refused one narrows the interval. Some windows begin with their first call, and in a log that slides a slot
is free one period after it was taken. There the opening is a period after the last scout, or a little later.
"""

import math

import attrs

from backupify_async._transport.rate.headers import TimeInterval, wait_end
from backupify_async._transport.rate.lockout import Refill

PERIODS = (2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)  # seconds
_NARROW = 0.12  # of a period: an opening known so precisely needs no early scout
_SCOUTS = 2  # refused in a row, after which the latest possible end is waited for
_LATER = 0.1  # of a period: how much later each scout is sent, once that was too early
_LATE = 6  # such scouts, after which there is no window
_BURST = 0.8  # of a period: calls sent over a longer time do not show its quota
_MISFITS = 2  # ends that fit no period, after which there is no window
_NEVER = TimeInterval(math.inf, math.inf)


@attrs.define(eq=False)
class WindowEnd:
    """Learns when windows end. All times are seconds of one monotonic clock."""

    silent: bool = False
    """Whether the server does not say when a window ends, or is not believed."""
    period: int | None = None
    """Seconds from one opening to the next, if known."""
    opening: TimeInterval | None = None
    """When the present window opened, if known."""
    scout: TimeInterval = _NEVER
    """From sending the first call of the present window to its response."""
    _end: TimeInterval = _NEVER
    _longest: float = 0.0  # Retry-After
    _rounded_down: bool = False
    _begins_with_call: bool = False
    _scouts_refused: int = 0  # in a row
    _late: int = 0  # of these, how many although the window was to be open
    _misfits: int = 0

    @property
    def known(self) -> bool:
        """Whether any refusal was about a window."""
        return self._end.high < math.inf

    @property
    def unlikely(self) -> bool:
        """Whether too many ends and scouts do not fit windows."""
        return self._misfits >= _MISFITS or self._late > _LATE

    @property
    def earliest(self) -> float:
        """Before this time no window opens."""
        return self._end.low

    @property
    def scout_at(self) -> float:
        """When the first call of the next window can be sent."""
        width = self._end.high - self._end.low
        if self.period is not None and self._scouts_refused < _SCOUTS and width > _NARROW * self.period:
            return self._end.low + width / 2
        return self._end.high

    def passed_unspent(self, now: float) -> bool:
        """Whether the next window is open already."""
        return self.period is not None and self.opening is not None and now >= self.opening.high + self.period

    def next_end(self, now: float) -> TimeInterval:
        """The first end after `now`, by the last opening and the period."""
        opening, period = self.opening or self._end, self.period or 1
        return opening.shifted(max(0, math.floor((now - opening.high) / period) + 1) * period)

    def expect(self, now: float) -> None:
        """The quota is spent: the window ends at the first end after `now`."""
        self._end = self.next_end(now)

    def open(self) -> None:
        """It is time for the scout."""
        self.opening = self._end

    def fits(self, now: float, sent_time: float, retry_after: float, *, spent: bool) -> bool:
        """Whether the Retry-After of a refusal within a window can be about its end."""
        if self.opening is None or (self._longest <= 2 and self.period is None):
            return self.known and self._longest <= 2
        if self.period is not None and spent:
            return True
        end = wait_end(now, sent_time, retry_after, rounded_down=self._rounded_down)
        ahead = [period for period in PERIODS if period >= self._longest]
        if self.period is not None:
            ahead = [max(1, math.ceil((end.low - self.opening.high) / self.period)) * self.period]
        return any(end.intersect(self.opening.shifted(seconds)) for seconds in ahead)

    def read(self, now: float, sent_time: float, retry_after: float | None) -> TimeInterval:
        """The end that a refusal shows."""
        if retry_after is None:
            return self.next_end(sent_time)
        self._longest = max(self._longest, retry_after)
        if retry_after == 0 and not self._rounded_down:
            self._rounded_down = True
            self._end = self._end.shifted(1)  # what was read before is corrected
        return wait_end(now, sent_time, retry_after, rounded_down=self._rounded_down)

    def on_refusal(self, end: TimeInterval, retry_after: float | None) -> None:
        """The window is spent, and ends then. Narrow this by the opening and the period; find the period."""
        self._end = self._fold(end)
        if self.period is None:
            self._longest = retry_after or 0.0  # a longer one, met once, fits no window any more

    def on_refusal_between(self, end: TimeInterval) -> None:
        """A call was refused that was sent before the opening."""
        self._end = self._end.intersect(end) or end

    def on_scout_accepted(self, now: float, sent_time: float) -> None:
        """The window is open."""
        if self._late:  # a period is over
            elapsed = sent_time - self.scout.low
            self.period = max((period for period in PERIODS if period <= elapsed), default=self.period)
        self._scouts_refused = self._late = 0
        opening = TimeInterval(min(self._end.low, now), min(self._end.high, now))
        self.scout = TimeInterval(sent_time, now)
        self._end = self.opening = self.scout if self._begins_with_call else opening

    def on_scout_refused(self, end: TimeInterval, sent_time: float) -> None:
        """The window was not open yet."""
        self._scouts_refused += 1
        period, end = self.period or 1, TimeInterval(max(end.low, sent_time), max(end.high, sent_time))
        before = self._end
        if self.silent and sent_time < before.high:
            self._end = TimeInterval(sent_time, before.high)
        elif self.silent:
            self._late += self._begins_with_call
            self._begins_with_call = True
            self._end = self.scout.shifted((1 + _LATER * self._late) * period)
        elif 0 <= end.low - before.high < _NARROW * period:
            self._begins_with_call = True  # it ends a moment later than the one before
            self._end = before.intersect(end) or end
        else:
            self._end = before.intersect(end) or self._fold(end, scout=True)

    def _fold(self, end: TimeInterval, *, scout: bool = False) -> TimeInterval:
        opening = self.opening
        if opening is None:
            return end
        elapsed = (end.low + end.high - opening.low - opening.high) / 2
        possible = [(one, max(1, round(elapsed / one))) for one in PERIODS if one >= self._longest]
        known = [(period, count) for period, count in possible if period == self.period]
        # From 2 s on it is most likely the next end; else whole windows can have passed unspent.
        next_end = [(period, 1) for period, _ in possible] if self._longest >= 2 else []
        for period, count in (*known, *next_end, *possible):
            both = end.intersect(opening.shifted(count * period))
            if both is not None:
                self.period = period
                return both
        self._misfits += self.period is not None or scout
        self.period = None
        return end


def window_end(refill: Refill, sent_time: float, longest_call: float) -> WindowEnd | None:
    """The windows in which a silent server can count, if it refilled after a nice number of seconds.

    In a log that slides, the time in which the calls were sent comes on top of the period.

    Args:
        refill: What was accepted between two lockouts.
        sent_time: When the call was sent whose success ended the second one.
        longest_call: How long a call can take, as a part of the period.
    """
    shortest = refill.opening.low - refill.before.high - refill.seconds
    for period in PERIODS:
        window = refill.opening.intersect(refill.before.shifted(period))
        log = shortest <= period <= refill.opening.high - refill.before.low
        if (window is not None or log) and refill.seconds <= _BURST * period:
            if refill.opening.high - sent_time > longest_call * period:
                return None
            end = window or refill.opening
            scout = TimeInterval(sent_time, refill.opening.high)
            return WindowEnd(silent=True, period=period, opening=end, scout=scout, end=end)
    return None
