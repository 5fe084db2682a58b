"""Tracks a quota that the server announces: how many calls remain, and until when.

Whether a response already counts the other calls in flight is not known. They are taken not to be
counted: that errs on the safe side, and only until they have come back. At the end of a window one call,
the scout, is sent first; its response says what the new window holds.

A reset that is sent as a date in whole seconds can be a second late. So the scout is sent in the middle
of the interval in which the window can end, until the end is known precisely. It stays known from one
opening to the next, whether windows follow the clock or begin with their first call.

An announcement is followed while it proves true. A refusal although calls remain is a lie; a window
without one makes up for it. After three lies the announcements are ignored.
"""

import math

import attrs

from backupify_async._transport.rate.headers import Quota, TimeInterval, wait_end

_LIES = 3
_DOUBTS = (3, 30, 300)  # windows of one call each, after which one call more than announced is sent
_SCOUTS = 6  # refused in a row: no search for the end takes more
_LONGEST_WAIT = 6.0  # seconds after the announced end
_NARROW = 0.05  # of a window: an end known so precisely is waited for


@attrs.define(eq=False)
class QuotaTracker:
    """Follows `remaining` and `reset` while they prove true. Times are seconds of one monotonic clock."""

    was_refused: bool = False
    """Whether any refusal came with an announcement."""
    rate: float | None = None
    """The quota in calls per second, measured when a call of ours opened its window."""
    _left: float = 0.0  # calls that can be sent now
    _remaining: float = 0.0
    _scouted_at: float = math.inf
    _end: TimeInterval | None = None
    _epoch: float | None = None
    _period: float = math.inf
    _rounded_down: bool = False
    _lies: int = 0
    _lied: bool = False  # in the present window
    _singles: int = 0  # windows of one call, in a row
    _exceeding: bool = False  # one call more than announced was sent
    _scouts_refused: int = 0  # in a row

    @property
    def in_use(self) -> bool:
        """Whether there is an announcement to follow."""
        return self._end is not None and self._lies < _LIES

    @property
    def end(self) -> float:
        """When more calls are allowed; -inf while some remain."""
        if self._end is None or not self.in_use or self._left >= 1:
            return -math.inf
        if self._scouts_refused >= _SCOUTS:  # the announced end is wrong: ask less and less often
            return self._end.high + min(_LONGEST_WAIT, 2.0 ** (self._scouts_refused - _SCOUTS))
        width = min(self._end.high - self._end.low, self._period / 2)
        return self._end.high if width <= _NARROW * self._period else self._end.high - width / 2

    def earliest(self, now: float, in_flight: int) -> float:
        """When the next call may be sent; infinity if a response must arrive first."""
        if not self.in_use or self._left >= 1:
            return -math.inf
        if in_flight:
            return math.inf
        if now < self.end:
            return self.end
        self._left = 1.0
        self._exceeding = False  # the call got no response: it is sent again another time
        self._scouted_at = now
        return -math.inf

    def on_send(self) -> None:
        """Count a call that is sent now."""
        self._left -= 1

    def on_cancel(self) -> None:
        """Uncount a call that was not sent."""
        self._left += 1

    def on_success(self, now: float, sent_time: float, quota: Quota | None, others: int) -> None:
        """A call was accepted, with this announcement, while a number of others were in flight."""
        if quota is None:
            if sent_time >= self._scouted_at:  # the scout got none: the server announces no more
                self._end = None
                self._left = self._remaining = 0.0
            return
        if self._exceeding:
            self._lies = _LIES  # one more than announced was accepted: it means something else
            return
        self._follow(now, sent_time, quota)
        self._left = self._remaining - others
        if quota.remaining >= 1:
            self._singles = 0
        elif not others:
            self._singles += 1
            if self._singles in _DOUBTS:
                self._exceeding = True
                self._left = 1.0

    def on_refusal(self, now: float, sent_time: float, quota: Quota, retry_after: float | None) -> None:
        """A call was refused, with this announcement."""
        self._exceeding, self.was_refused = False, True
        self._scouts_refused += sent_time >= self._scouted_at
        if quota.remaining >= 1:
            self._lies += 1
            self._lied = True
        self._rounded_down = self._rounded_down or quota.reset == 0
        end = announced = self._reset(now, sent_time, quota)
        if self._end is not None and sent_time < self._end.high:  # else it was not the end
            end = self._end.intersect(announced) or announced
        if retry_after is not None:
            asked = wait_end(now, sent_time, retry_after, rounded_down=retry_after == 0)
            end = end.intersect(asked) or asked
        self._end = TimeInterval(max(end.low, sent_time), max(end.high, sent_time))
        self._epoch, self._scouted_at = quota.epoch, math.inf
        self._remaining = self._left = 0.0

    def _reset(self, now: float, sent_time: float, quota: Quota) -> TimeInterval:
        rounded_down = self._rounded_down
        return wait_end(now, sent_time, quota.reset, rounded_down=rounded_down, rounding=quota.rounding)

    def _follow(self, now: float, sent_time: float, quota: Quota) -> None:
        end, epoch, before = self._reset(now, sent_time, quota), quota.epoch, self._epoch
        scout = sent_time >= self._scouted_at
        if epoch is not None and before is not None and epoch < before and not scout:
            return  # it is about an earlier window
        same = self._end.intersect(end) if self._end is not None and epoch == before else None
        if same is not None and not scout:  # a late response announces more than remains
            self._end, self._remaining = same, min(self._remaining, quota.remaining)
            return
        if scout:
            self._scouts_refused = 0
            self._lies, self._lied = max(0, self._lies - (not self._lied)), False
        if self.rate is None or scout:
            self.rate = (quota.remaining + 1) / (quota.reset or 1.0)
        self._end = self._new_end(now, epoch, end, scout=scout)
        self._epoch, self._remaining, self._scouted_at = epoch, quota.remaining, math.inf

    def _new_end(self, now: float, epoch: float | None, end: TimeInterval, *, scout: bool) -> TimeInterval:
        """The end of a new window: one period after its opening, if a scout has just opened it."""
        before, opened = self._epoch, self._end
        if epoch is None:
            return end
        if opened is None or before is None or not scout or now > opened.high + 1.0:
            self._period = math.inf  # the window can have begun long before
            return end
        period, opening = epoch - before, TimeInterval(opened.low, max(opened.low, now))
        if period <= 0:
            return end
        # In whole seconds, windows that begin with a call can seem a second longer.
        self._period = min(self._period, period)
        expected = end.intersect(opening.shifted(self._period))
        if expected is None:
            self._period = period
        return expected or end
