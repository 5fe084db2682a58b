"""A quota that the server announces: how many calls are left, and until when."""

import math

import attrs

from backupify_async._transport.rate.headers import Quota
from backupify_async._transport.rate.time_interval import TimeInterval, wait_end

_LIES = 3
_DOUBTS = (3, 30, 300)  # windows of one call each, after which one more is asked
_SCOUTS = 6  # that were refused in a row: a search takes no more
_LONGEST_WAIT = 6.0  # seconds behind the end that was told
_NARROW = 0.05  # of a window: an end known so well is waited for


@attrs.define(eq=False)
class QuotaTracker:
    """Follows `remaining` and `reset`, as long as they prove true. Times are seconds of one monotonic clock.

    Calls in flight may be counted in an answer or not: they are taken not to be, which errs to the safe side,
    and only until they have come back. At the end of a window one call goes first; its answer tells what the
    new one holds.

    A reset that is told as a date in whole seconds may be a second late. So the first call goes into the
    middle of the time in which the window may end, until that is known well. It stays known from one opening
    to the next, whether windows follow the clock or begin with their first call.
    """

    _left: float = 0.0
    _remaining: float = 0.0
    _scouted_at: float = math.inf
    _end: TimeInterval | None = None
    _epoch: float | None = None
    _period: float = math.inf
    _rounded_down: bool = False
    _lies: int = 0
    _singles: int = 0
    _asked: bool = False
    _scouts_refused: int = 0  # in a row
    was_refused: bool = False
    """Whether a refusal was met."""
    rate: float | None = None
    """Calls a second that the quota comes to, as it was when a call of ours opened its window."""

    @property
    def speaks(self) -> bool:
        """Whether there is an announcement to follow."""
        return self._end is not None and self._lies < _LIES

    def fall_silent(self, sent_time: float) -> None:
        """A call that asked what a new window holds was told nothing: the server announces no more."""
        if sent_time < self._scouted_at:
            return
        self._end = None
        self._left = self._remaining = 0.0

    @property
    def end(self) -> float:
        """When more calls are announced; -inf while some are left."""
        if self._end is None or not self.speaks or self._left >= 1:
            return -math.inf
        if self._scouts_refused >= _SCOUTS:  # what is told is not so: ask less and less often
            return self._end.high + min(_LONGEST_WAIT, 2.0 ** (self._scouts_refused - _SCOUTS))
        width = min(self._end.high - self._end.low, self._period / 2)
        return self._end.high if width <= _NARROW * self._period else self._end.high - width / 2

    def earliest(self, now: float, in_flight: int) -> float:
        """When the next call may leave; infinity where an answer must come first."""
        if not self.speaks or self._left >= 1:
            return -math.inf
        if in_flight:
            return math.inf
        if now < self.end:
            return self.end
        self._left = 1.0
        self._asked = False  # what was asked got no answer: it is asked again another time
        self._scouted_at = now
        return -math.inf

    def on_send(self) -> None:
        """Count a call that leaves now."""
        self._left -= 1

    def on_cancel(self) -> None:
        """Uncount a call that did not leave."""
        self._left += 1

    def on_success(self, now: float, sent_time: float, quota: Quota, others: int) -> None:
        """A call was accepted, and this was announced with it, while so many others were in flight."""
        if self._asked:
            self._lies = _LIES  # one more than was announced: it means something else
            return
        self._follow(now, sent_time, quota)
        self._left = self._remaining - others
        if quota.remaining < 1 and not others:
            self._singles += 1
            if self._singles in _DOUBTS:
                self._asked = True
                self._left = 1.0
        elif quota.remaining >= 1:
            self._singles = 0

    def on_refusal(self, now: float, sent_time: float, quota: Quota, retry_after: float | None) -> None:
        """A call was refused, and this was announced with it."""
        self._asked, self.was_refused = False, True
        self._scouts_refused += sent_time >= self._scouted_at
        if quota.remaining >= 1:
            self._lies += 1
        self._rounded_down = self._rounded_down or quota.reset == 0
        end = told = self._told(now, sent_time, quota)
        if self._end is not None and sent_time < self._end.high:  # else it was not the end
            end = self._end.intersect(told) or told
        if retry_after is not None:
            asked = wait_end(now, sent_time, retry_after, rounded_down=retry_after == 0)
            end = end.intersect(asked) or asked
        self._end = TimeInterval(max(end.low, sent_time), max(end.high, sent_time))
        self._epoch, self._scouted_at = quota.epoch, math.inf
        self._remaining = self._left = 0.0

    def _told(self, now: float, sent_time: float, quota: Quota) -> TimeInterval:
        rounded_down = self._rounded_down
        return wait_end(now, sent_time, quota.reset, rounded_down=rounded_down, rounding=quota.rounding)

    def _follow(self, now: float, sent_time: float, quota: Quota) -> None:
        told, epoch, before = self._told(now, sent_time, quota), quota.epoch, self._epoch
        scout = sent_time >= self._scouted_at
        if epoch is not None and before is not None and epoch < before and not scout:
            return  # of an earlier window
        same = self._end.intersect(told) if self._end is not None and epoch == before else None
        if same is None or scout:
            if scout:
                self._scouts_refused = 0
            if self.rate is None or scout:
                self.rate = (quota.remaining + 1) / (quota.reset or 1.0)
            self._end = self._foreseen(now, epoch, told, scout=scout)
            self._epoch, self._remaining = epoch, quota.remaining  # a new window
            self._scouted_at = math.inf
        else:  # an answer that comes late tells more than was left since
            self._end, self._remaining = same, min(self._remaining, quota.remaining)

    def _foreseen(self, now: float, epoch: float | None, told: TimeInterval, *, scout: bool) -> TimeInterval:
        """The end of a new window: one period behind its opening, where a scout has just opened it."""
        before, opened = self._epoch, self._end
        if epoch is None:
            return told
        if opened is None or before is None or not scout or now > opened.high + 1.0:
            self._period = math.inf  # it may have begun long before
            return told
        period, opening = epoch - before, TimeInterval(opened.low, max(opened.low, now))
        if period <= 0:
            return told
        # Whole seconds of windows that begin with a call may lie a second further apart.
        self._period = min(self._period, period)
        foreseen = told.intersect(opening.shifted(self._period))
        if foreseen is None:
            self._period = period
        return foreseen or told
