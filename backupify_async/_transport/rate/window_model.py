"""A model of servers that allow a quota of calls in each window, or in the last seconds.

When a window ends is another module's matter (`window_end`). This one spends the quota.

**The opening.** One call, the scout, is sent first; the others wait for its response. Then no more calls are
in flight than twice the number accepted.

**The quota** is what the first window held that was observed from its opening. In the next window, and then
every 12 s, one call more is sent; while such calls are accepted, as many more again. If that lasts until the
end of a window, the quota is unknown again, and calls are not held back until the next refusal.

**Other clients.** In the window after one in which more was tried, half of the quota is sent at once and the
rest is spread over some seconds, so that calls of others are accepted meanwhile. A window that holds less
shows that there are others: then all windows are spread for a while, and after two such windows the quota is
lower. When more than the quota is tried, nothing is spread: that takes most from the client that spreads
most, so shares converge.

**Silent servers.** What was accepted between the ends of two lockouts can be a quota, if a nice number of
seconds lies between them. It is tried out at once: if one call more is accepted, it was none. A log that
slides looks alike, but frees its slots one by one, each a period after it was taken. So all calls are
spread, in the same way in each window. One that is refused before the quota is spent came too early: all
later ones are delayed. A log with Retry-After is treated in the same way.

**One call or all.** Retry-After can concern only the refused call. So in a closing that was not predicted
one call, the probe, is sent well before the end. If it is accepted, nothing is closed (`per_call`).

**Not a window.** The model is given up (`no_window`) if ends or scouts fit no window, if calls in the middle
of one are refused again and again, or if a silent quota rises in two windows in a row.
"""

import math

import attrs

from backupify_async._transport.rate.headers import TimeInterval
from backupify_async._transport.rate.lockout import Refill
from backupify_async._transport.rate.window_end import WindowEnd, window_end

_UNPROVEN = 5  # calls in flight beyond what an earlier window is known to have held
_GROWTH = 2  # calls in flight for each one accepted since the opening
_GROWTH_PREDICTED = 16  # the same, after the quota came out as predicted
_PROVEN = 0.6  # of the calls accepted in a window that was not observed from its opening
_ASK_EVERY = 12.0  # seconds between two attempts to exceed the quota
_SEVERAL = 1.2  # periods since an opening: from then on the count covers more than one window
_PROBE = 1.0  # seconds after which the probe is sent, at most
_SPENT = 0.98  # of a quota: a refusal after that is about the window
_AT_ONCE = 0.5  # of a quota: it is sent at the opening
_LEAST_AT_ONCE = 8  # calls
_SHARED = 30.0  # seconds for which the quota is spread after a window that held less
_SPREAD = 0.75  # of a period: the rest of the quota is sent in that time
_LONGEST_SPREAD = 6.0  # seconds
_LONGEST_CALL = 1 / 8  # of a period: else there is no time to spread calls, and to ask for more
_ROSE = 1.05  # of a quota: one that rises by more twice in a row is none
_DELAY = 0.03  # of a period; doubled each time
_EARLY, _EARLY_PART = 8, 0.06  # calls, and of a quota: if more are refused after a delay, there is none
_DELAYS = 4  # in one window, after which there is none
_NEVER = TimeInterval(math.inf, math.inf)


@attrs.define(eq=False)
class WindowModel:
    """Learns the quota of windows, and spends it. All times are seconds of one monotonic clock."""

    enabled: bool = True
    """Whether the model is used; one that was given up is not."""
    per_call: bool = False
    """Whether a Retry-After was shown to concern only the refused call."""
    opened_at: float = -math.inf
    """When the present window was taken to be open."""
    used: int = 0
    """How many calls were sent in the present window."""
    _window: WindowEnd = attrs.field(factory=WindowEnd)
    _closed: bool = False
    _counting: bool = False  # the window is spent, and some of its calls are still in flight
    _asking: bool = False  # for more than the quota
    _asked_at: float = -math.inf
    _accepted: int = 0
    _held: float = 0.0  # by a window that was not observed from its opening
    _spread_until: float = -math.inf  # the quota
    _dip: int | None = None  # what the last window held, if that was less than its quota
    _predicted: bool = False
    _rose: bool = False  # the quota, in the last window in which calls were refused
    _delay: float = 0.0  # seconds, of the calls after the scout
    _delays: int = 0  # in the present window
    _early: int = 0  # calls refused since the last one
    _delayed_at: float = -math.inf
    _round_trip: float = 0.0
    _probe_at: float = math.inf
    _probing: TimeInterval = _NEVER  # the latest closing in which a probe can be sent
    _quota: int | None = None

    @property
    def silent(self) -> bool:
        """Whether the model does without Retry-After."""
        return self._window.silent

    @property
    def rate(self) -> float | None:
        """Calls a second on average, if quota and period are known."""
        period = self._window.period
        return self._quota / period if self._quota is not None and period is not None else None

    @property
    def in_use(self) -> bool:
        """Whether any refusal was about a window."""
        return self._window.known

    @property
    def blocked_until(self) -> float:
        """When the present closing ends; -inf while a window is open. An uncertain end is scouted early."""
        return self._window.scout_at if self._closed else -math.inf

    @property
    def no_window(self) -> bool:
        """Whether the server counts in another way, asked after a refusal."""
        refused_inside = self.rate is not None and not self._between
        if self.silent:
            many = self._delays > 1 and self._early > max(_EARLY, _EARLY_PART * (self._quota or 0))
            rises = self._rose and self.used > _ROSE * (self._quota or math.inf)
            refused_inside = many or rises or self._delays >= _DELAYS
        return refused_inside or self._window.unlikely

    @property
    def _scouting(self) -> bool:
        """Whether the first call of a window is in flight, or about to be sent."""
        return self.opened_at > -math.inf and not self._closed and not self._accepted

    @property
    def _between(self) -> bool:
        """Whether no window is known to be open now."""
        return self._closed or self._scouting or self._counting

    @property
    def _spent(self) -> bool:
        """Whether the quota is used up, as far as it is known."""
        return self._quota is not None and self.used > _SPENT * self._quota

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
        if self._window.passed_unspent(now):
            self._close(now - (self._window.period or 0), in_flight)
            self._open(now)
            self._accepted = in_flight + 1  # so no scout is needed
        return self._earliest_in_window(now, in_flight)

    def _earliest_in_window(self, now: float, in_flight: int) -> float:
        growth = _GROWTH_PREDICTED if self._predicted else _GROWTH
        if min(in_flight, self.used - self._accepted) > growth * self._accepted:
            return math.inf
        period = self._window.period
        if self._quota is None or period is None:
            beyond = self.used - self._held * _PROVEN
            return math.inf if beyond >= 0 and in_flight >= _UNPROVEN + beyond else -math.inf
        if self.used < self._quota and (self.silent or (now < self._spread_until and not self._asking)):
            return self._spread(self._quota, min(_LONGEST_SPREAD, _SPREAD * period))
        if self.used < self._quota:
            return -math.inf
        if self._asking:
            beyond = self.used - self._quota
            return math.inf if beyond > 0 and 2 * in_flight > beyond else -math.inf
        self._close(now, in_flight)
        return self.blocked_until

    def _spread(self, quota: int, seconds: float) -> float:
        """When the next call of the quota is due."""
        if self.silent:
            return self._window.scout.high + self._delay + seconds * self.used / quota
        at_once = _AT_ONCE * quota
        beyond = self.used - max(_LEAST_AT_ONCE, at_once)
        return -math.inf if beyond <= 0 else self.opened_at + seconds * beyond / (quota - at_once)

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
            self._window.on_scout_accepted(now, sent_time)
        self._accepted += 1

    def concerns(self, now: float, sent_time: float, retry_after: float | None) -> bool:
        """Whether a refusal is about the window, and not about the speed within it."""
        if self.silent:
            return self._spent or self._between or self._delays < _DELAYS
        if retry_after is None or not self.enabled:
            return False
        if retry_after >= 2 or self._between:
            return True
        if self._window.fits(now, sent_time, retry_after, spent=self._spent):
            return True
        call = self._window.scout.high - self._window.scout.low
        if self.rate is not None and call <= _LONGEST_CALL * (self._window.period or 0):
            self._window.silent = True  # a log that slides
        return self.silent

    def on_refusal(self, now: float, sent_time: float, retry_after: float | None) -> None:
        """A call was refused until a window opens, or, by a log that slides, because it came too early."""
        self.used -= 1
        self._round_trip = now - sent_time
        period = self._window.period
        if self.silent and not self._spent and not self._between:
            if sent_time > self._delayed_at:
                self._early = 0
                self._delay += max(self._round_trip, _DELAY * 2.0**self._delays * (period or 0))
                self._delays, self._delayed_at = self._delays + 1, now
            self._early += 1
            return
        end = self._window.read(now, sent_time, None if self.silent else retry_after)
        if self._closed or self._counting:
            self._window.on_refusal_between(end)
            self._counting |= sent_time >= self.opened_at and not self._is_probe(sent_time)
        elif self._scouting:
            self._window.on_scout_refused(end, sent_time)
            self._closed = True
        else:
            self._window.on_refusal(end, retry_after)
            self._closed = self._counting = True
        if self._window.period != period:  # the quota was learned for another one
            self._quota = self._dip = None

    def _open(self, now: float) -> None:
        self._window.open()
        self.opened_at = now
        self._closed, self._probe_at = False, math.inf
        self._probing = TimeInterval(self._probing.low, min(self._probing.high, now))
        self._accepted = self.used = self._delays = self._early = 0
        if not self._asking and now - self._asked_at >= _ASK_EVERY:
            self._asking, self._asked_at = True, now

    def _close(self, now: float, in_flight: int) -> None:
        """The quota is spent without a refusal: wait for the first end after `now`."""
        if self._asking and self._quota is not None and self.used - in_flight > self._quota:
            self._quota, self._held, self._asking = None, math.inf, False  # there is more
        self._window.expect(now)
        self._closed = True

    def _is_probe(self, sent_time: float) -> bool:
        return self._probing.low < sent_time < self._probing.high

    def _count_window(self, now: float) -> None:
        """All responses of a spent window have arrived: learn what it held."""
        self._counting = False
        asked, self._asking = self._asking, False
        held, quota, period = max(1, self.used), self._quota, self._window.period
        self._spread_until = max(self._spread_until, now + (1.2 * (period or 0) if asked else 0))
        if quota is not None and held < _SPENT * quota:
            self._spread_until = now + _SHARED
        half = (self._window.earliest - now) / 2
        if half > self._round_trip and (quota is None or held < quota):
            self._probe_at, self._probing = now + min(_PROBE, half), TimeInterval(now, math.inf)
        several = period is not None and now - self.opened_at > _SEVERAL * period
        if self.opened_at == -math.inf or several:
            self._held = self.used
        elif quota is None:
            self._quota, self._asked_at = self.used or None, -math.inf  # 0: another client spent it
        elif held >= quota:
            self._rose = self.silent and held > _ROSE * quota
            self._asked_at = -math.inf if self._rose else self._asked_at  # again in the next window
            self._quota, self._dip, self._predicted = held, None, True
        elif self._dip is None:  # once is an accident
            self._dip, self._predicted = held, False
            self._asked_at = -math.inf if asked else self._asked_at  # again
        else:
            self._quota, self._dip = max(held, self._dip), None


def silent_windows(refill: Refill, sent_time: float) -> WindowModel | None:
    """A model to try out on a server without Retry-After, if what was accepted can be a quota.

    Args:
        refill: What was accepted between two lockouts.
        sent_time: When the call was sent whose success ended the second one.
    """
    window = window_end(refill, sent_time, _LONGEST_CALL)
    if window is None:
        return None
    opened_at = refill.opening.high
    return WindowModel(window=window, opened_at=opened_at, used=1, accepted=1, asking=True, quota=refill.held)
