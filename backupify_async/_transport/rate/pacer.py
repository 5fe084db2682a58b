"""The pacer: sends at the rate that refusals reveal, and a little above it from time to time.

It has three states. *Free*: nothing was refused, and nothing is spaced. *Paced*: two waves of refusals
gave a rate (`rate_estimator`); the speed stays at it for a plateau of seconds and then grows (`speed`),
so that any wrong rate costs only seconds. *Locked out*: nothing was accepted between two refusals; one
probe at a time is sent (`lockout`), and the rate stays as it was.

A wave is the refusals of all calls that were sent before the first of them was noticed. It counts once.
It is weighed when every call sent before its first refused call has a response (`reorder_buffer`).
"""

import math
from collections import deque

import attrs

from backupify_async._transport.rate.lockout import Lockout, LockoutEnd, Refill
from backupify_async._transport.rate.rate_estimator import ENOUGH, Depletion, Overshoot, RateEstimator
from backupify_async._transport.rate.reorder_buffer import ReorderBuffer
from backupify_async._transport.rate.speed import ProbingSpeed
from backupify_async._transport.rate.ticket import CallOutcome, Ticket
from backupify_async.statistics import SpeedReason

_TICK = 1e-3  # seconds: no shorter time between two responses is assumed
_CAREFUL = 16  # calls in flight
_AGREE = 0.2  # relative difference of two counts from lockout to lockout
_FIRST_PLATEAU = 6.0  # seconds of a run on what an earlier one learned: a short run is not refused at all
_REST = 1.0  # seconds without a response, and
_RESTS = 4.0  # intervals of the rate: with so little work it cannot be measured


@attrs.frozen
class SpeedAtRefusal:
    """A wave of refusals that was noticed and not weighed yet.

    Attributes:
        noticed_at: When its first refusal arrived.
        speed: Calls a second at that time.
        overshoot: By how much that exceeded the estimated rate, if it did.
    """

    noticed_at: float
    speed: float
    overshoot: Overshoot | None = None


@attrs.define(eq=False)
class Pacer:
    """Paces calls by a learned rate. All times are seconds of one monotonic clock."""

    was_refused: bool = False
    """Whether any call was refused."""
    sent: int = 0
    """How many calls were sent."""
    asked_until: float = -math.inf
    """Until when the server asked to wait; -inf if it never did."""
    order: ReorderBuffer = attrs.field(init=False, factory=ReorderBuffer)
    """The calls that are held back until earlier ones have ended."""
    _estimator: RateEstimator = attrs.field(factory=RateEstimator)
    _speed: ProbingSpeed = attrs.field(factory=ProbingSpeed)
    _lockout: Lockout = attrs.field(factory=Lockout)
    _accepted: int = 0
    _accepted_after_wave: int = 0  # of the calls sent after the last wave was noticed
    _began: float = 0.0
    _responded_at: float = -math.inf  # the latest call that has ended
    _decided_at: float = -math.inf  # the latest call that was accepted or refused
    _waves: deque[SpeedAtRefusal] = attrs.field(factory=deque)  # not weighed yet
    _noticed: float = -math.inf  # calls sent before belong to an earlier wave,
    _weighed: float = -math.inf  # and these to one that was weighed
    _end: LockoutEnd | None = None  # of a lockout that is not judged yet
    _cycle_rate: float = 0.0  # calls a second from the begin of one lockout to the begin of the next
    _recurs: bool = False  # the last lockout is one of many: a window closes

    @property
    def paused_until(self) -> float:
        """When the next probe is sent, or the wait ends that the server asked for; -inf if calls pass."""
        return max(self._lockout.probe_at if self._lockout.active else -math.inf, self.asked_until)

    def average(self, until: float = -math.inf) -> float:
        """Calls a second that were accepted, from the first call to `until` or the latest response."""
        return self._accepted / max(_TICK, max(until, self._responded_at) - self._began)

    @property
    def probe(self) -> Ticket | None:
        """The latest probe of a lockout."""
        return self._lockout.probe

    @property
    def probes_refused(self) -> bool:
        """Whether one probe after another is refused."""
        return self._lockout.refused > 1

    @property
    def rate(self) -> float | None:
        """The estimated rate in calls a second, if there is one."""
        return self._estimator.rate

    def estimate(self, now: float) -> tuple[float | None, SpeedReason]:
        """Calls a second that the server accepts, if known, and what determines the current send rate."""
        rate = self.rate
        if rate is not None:
            rate = max(rate, self._speed.borne(now))
        if self.probes_refused:
            return rate, SpeedReason.REFUSED
        if not self._estimator.confirmed:
            return rate, SpeedReason.FINDING
        return rate, SpeedReason.ASKING if self._speed.grows else SpeedReason.AT_LIMIT

    def earliest(self, now: float, in_flight: int) -> float:
        """When the next call may be sent; infinity while a probe is in flight."""
        for ticket in self.order.due(now):
            self._count(now, ticket)
        if self._lockout.active or (self._waves and self.rate is None):
            earliest = self._lockout.earliest(now, in_flight, self.order.patience)
        elif self.rate is None:
            careful = in_flight >= _CAREFUL and self._lockout.is_near(self._accepted + in_flight)
            return math.inf if careful else self.asked_until
        else:
            earliest = self._speed.earliest(now, self._estimator, self._brake)
        return max(self.asked_until, earliest)

    @property
    def _brake(self) -> float:
        """A factor for the speed while several waves are not weighed."""
        return 2.0 ** -max(0, len(self._waves) - 1)

    def on_send(self, now: float) -> Ticket:
        """Count a call that is sent now."""
        if not self.sent:
            self._began = now
        self.sent += 1
        if not self.was_refused:  # most clients are never refused: they keep no order
            return Ticket(now, overdue=True)
        ticket = self.order.on_send(now)
        if self.rate is not None:
            self._speed.on_send()
        if self._lockout.active or self._waves:
            self._lockout.on_send(ticket)
        return ticket

    def on_sent_before(self, sent_time: float) -> Ticket:
        """Count a call that was sent before this pacer knew of it. It holds no other call back."""
        self.sent += 1
        return Ticket(sent_time, overdue=True)

    def on_cancel(self, now: float, ticket: Ticket) -> None:
        """Uncount a call that was not sent."""
        if self.rate is not None:
            self._speed.on_cancel()
        self.on_no_response(now, ticket)

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        """A call got no response, or one that says nothing of the rate."""
        self._settle(now, ticket, CallOutcome.UNKNOWN)

    def on_success(self, now: float, ticket: Ticket) -> Refill | None:
        """A call was accepted. Returns what can be a window's quota, if that ended a lockout."""
        if not self.was_refused:
            self._responded_at = now
            self._accepted += 1
            return None
        refill = None
        if self._lockout.active and ticket.sent_time > self._noticed:
            refill = self._end_lockout(now)
        elif self.rate is not None and now - self._decided_at > max(_REST, _RESTS / self.rate):
            self._estimator.forget()
        self._decided_at = now
        self._settle(now, ticket, CallOutcome.ACCEPTED)
        return refill

    def on_refusal(self, now: float, ticket: Ticket, retry_after: float | None = None) -> None:
        """A call was refused for now. Whole seconds of a Retry-After are taken to be rounded up."""
        self.was_refused = True
        self._decided_at = now
        if ticket.sent_time > self._noticed:
            self._notice_wave(now)
        if retry_after is not None:
            whole = retry_after == int(retry_after)
            self.asked_until = max(self.asked_until, now + retry_after - whole)
            self._speed.pause(self.asked_until)
        self._settle(now, ticket, CallOutcome.REFUSED)

    def restore(self, order: ReorderBuffer, probe: Ticket | None) -> None:
        """Continue with calls in flight that another pacer knew."""
        self.order, self._lockout.probe = order, probe

    def begin_run(self, now: float, *, doubt: bool) -> None:
        """Begin with what an earlier run has learned; with `doubt`, the rate is no more confirmed."""
        if doubt:
            self._estimator.confirmed = 0
            self._speed.restart(now)
        self._speed.stay(now, _FIRST_PLATEAU, self._estimator)

    def resume(self, now: float) -> None:
        """A window opened: what was refused while it was closed says nothing of the rate."""
        self._lockout.cancel()
        self.was_refused, self._end = True, None
        self._waves.clear()
        self._noticed = self._weighed = now
        self._estimator.resume(Depletion(now, self._accepted))

    def forget(self, now: float) -> None:
        """Another model explains what was refused."""
        self.resume(now)
        self._estimator = RateEstimator()

    def assume(self, now: float, rate: float) -> None:
        """Take an unconfirmed rate from another source."""
        self.resume(now)
        self._estimator.assume(rate)
        self._speed.restart(now)
        self._speed.rest(now, rate)

    def _settle(self, now: float, ticket: Ticket, outcome: CallOutcome) -> None:
        self._responded_at = now
        for one in self.order.settle(now, ticket, outcome):
            self._count(now, one)

    def _count(self, now: float, ticket: Ticket) -> None:
        """Count the outcome of a call, in the order of sending."""
        if ticket.outcome is CallOutcome.ACCEPTED:
            self._accepted += 1
            self._accepted_after_wave += ticket.sent_time > self._weighed
            if ticket.overdue:
                self._estimator.on_late_success(ticket.sent_time)
        elif ticket.outcome is CallOutcome.REFUSED and self._waves and ticket.sent_time > self._weighed:
            self._weigh_wave(now, ticket.sent_time)

    def _notice_wave(self, now: float) -> None:
        self._noticed = now
        if self._lockout.active or self.rate is None:
            self._lockout.schedule(now, self.rate)
            self._waves.append(SpeedAtRefusal(now, math.inf))
        else:
            speed, overshoot = self._speed.on_refusal(now, self._estimator, self._brake)
            self._waves.append(SpeedAtRefusal(now, speed, overshoot))

    def _weigh_wave(self, now: float, sent_time: float) -> None:
        """All calls sent before the first refused one of a wave, at `sent_time`, are counted."""
        while self._waves[0].noticed_at < sent_time:
            self._waves.popleft()
        wave = self._waves.popleft()
        self._weighed = wave.noticed_at
        empty, last = Depletion(sent_time, self._accepted), self._estimator.last
        accepted, self._accepted_after_wave = self._accepted_after_wave, 0
        if last is not None and not accepted:
            if not self._lockout.active:
                self._lockout.begin(now, last, self.rate)
            self._lockout.on_refusal(empty)
            return
        if self.rate is None and last is None:
            self._lockout.begin(now, empty, None)
            self._estimator.start(empty)
            return
        self._judge_lockout(empty)
        first, confirmed = self.rate is None, self._estimator.confirmed
        self._estimator.on_refusal(empty, wave.speed, wave.overshoot)
        if self._estimator.confirmed < confirmed or not self._estimator.confirmed:
            self._speed.restart(now)
        if first:
            self._speed.rest(now, self.rate or 1.0)

    def _judge_lockout(self, empty: Depletion) -> None:
        """Find out whether the last lockout recurs: then the rate is right if that time is counted, too."""
        end, self._end = self._end, None
        last = self._estimator.last
        if end is None or last is None or empty.accepted - last.accepted < ENOUGH:
            return
        before, self._cycle_rate = self._cycle_rate, self._estimator.count(empty)
        self._recurs = abs(self._cycle_rate - before) < _AGREE * before
        if self._recurs:
            self._estimator.rate = self._cycle_rate
        elif end.count_from is not None:
            self._estimator.start(end.count_from)

    def _end_lockout(self, now: float) -> Refill | None:
        """A probe was accepted: the rate is valid until it is refuted, but unconfirmed."""
        confirmed = self._estimator.confirmed
        end = self._lockout.end(now, self._accepted)
        self._waves.clear()
        self._weighed = self._noticed
        self._speed.restart(now)
        if self.rate is not None:
            self._end = end
            if not self._recurs:
                self._estimator.assume(self.rate)
            self._speed.rest(now, self.rate, 1.0)
        return None if confirmed else end.refill
