"""The pace: a rate learned from our own refusals, and a speed around it.

Free, while nothing was refused: no pace at all. Paced, once two refusals gave a rate (`belief`): the speed
stays at the rate for a plateau of seconds, and then grows in time, faster and faster (`speed`). So whatever
is believed, a few seconds without a refusal bring the client to what the server allows. Silent, where nothing
is accepted between two refusals (`silence`): what is believed of the rate stays as it was.
"""

import math
from collections import deque

import attrs

from backupify_async._transport.rate.credit_bucket import CreditBucket, growth, plateau
from backupify_async._transport.rate.lockout import Lockout
from backupify_async._transport.rate.rate_estimator import ENOUGH, Depletion, Overshoot, RateEstimator
from backupify_async._transport.rate.reorder_buffer import ReorderBuffer
from backupify_async._transport.rate.ticket import CallOutcome, Ticket
from backupify_async.statistics import SpeedReason

_CUSHION = 2.0  # calls' worth of rest behind a refusal at the most: else jitter alone brings the next
_JITTER = 0.25  # seconds by which calls may come closer to each other than they left
_TICK = 1e-3  # seconds: no time between two answers is taken to be shorter
_BORNE = 4.0  # seconds of growth, after which no store that was full explains what is borne
_REST = 1.0  # seconds without an answer, and
_RESTS = 4.0  # intervals of the rate: with so little work it cannot be measured
_LONGEST_HELD = 15.0  # seconds of plateau, for a store with a period


@attrs.frozen
class SpeedAtRefusal:
    """Refusals of calls that left before the first of them was noticed.

    Attributes:
        noticed_at: When.
        speed: Calls a second at which they left.
        growth: How it had grown above the rate that was believed, if it had.
    """

    noticed_at: float
    speed: float
    growth: Overshoot | None = None


@attrs.define(eq=False)
class Pacer:
    """A rate that is learned, and a speed around it. All times are seconds of one monotonic clock."""

    _ledger: ReorderBuffer = attrs.field(init=False, factory=ReorderBuffer)
    _belief: RateEstimator = attrs.field(factory=RateEstimator)
    _slots: CreditBucket = attrs.field(factory=CreditBucket)
    _accepted: int = 0
    taken: int = 0
    """How many calls left."""
    _began: float = 0.0
    _answered_at: float = -math.inf
    _heard_at: float = -math.inf  # when the latest call was accepted or refused
    was_refused: bool = False
    """Whether a refusal was met."""
    _waves: deque[SpeedAtRefusal] = attrs.field(factory=deque)  # noticed, and not weighed yet
    _noticed: float = -math.inf  # calls that left before belong to an earlier wave
    _weighed: float = -math.inf  # and these to one that was weighed
    _since: float = -math.inf  # when the plateau began
    _not_before: float = -math.inf
    _looked: float = -math.inf  # when a slot was last asked for
    _told: float = -math.inf  # and which one it was
    _growing_from: float | None = None
    _grown_by: int = 0
    _silence: Lockout = attrs.field(factory=Lockout)
    _behind_wave: int = 0  # calls that left behind the last wave and were accepted
    _afresh: Depletion | None = None  # from where to count, once enough is accepted behind an outage
    _held: float = 0.0  # seconds of plateau, at the least

    @property
    def silent_until(self) -> float:
        """Until when nothing is sent, because the last calls were all refused; -inf in the midst of work."""
        return max(self._silence.probe_at if self._silence.lasts else -math.inf, self._not_before)

    @property
    def average(self) -> float:
        """Calls a second that were accepted, from when the first one left to the latest answer."""
        return self.average_until(self._answered_at)

    def average_until(self, when: float) -> float:
        """The same until then, if no answer came later."""
        return self._accepted / max(_TICK, max(when, self._answered_at) - self._began)

    @property
    def probes_refused(self) -> bool:
        """Whether probes are refused one after the other."""
        return self._silence.refused > 1

    @property
    def asked_until(self) -> float:
        """Until when the server asked everybody to wait; -inf where it never did."""
        return self._not_before

    @property
    def rate(self) -> float | None:
        """Calls a second that the server is believed to take."""
        return self._belief.rate

    def believed(self, now: float) -> tuple[float | None, SpeedReason]:
        """Calls a second that the server takes, if known, and why calls leave as fast as they do."""
        rate, began = self._belief.rate, self._growing_from
        if rate is not None and began is not None and now - began > _BORNE:
            rate = max(rate, self._grown_by / (now - began))
        if self.probes_refused:
            reason = SpeedReason.REFUSED
        elif not self._belief.confirmed:
            reason = SpeedReason.FINDING
        else:
            reason = SpeedReason.AT_LIMIT if began is None else SpeedReason.ASKING
        return rate, reason

    def earliest(self, now: float, in_flight: int) -> float:
        """When the next call may leave; infinity while a probe is out."""
        return max(self._not_before, self._earliest(now, in_flight))

    def _earliest(self, now: float, in_flight: int) -> float:
        for ticket in self._ledger.due(now):
            self._handed_on(now, ticket)
        if self._silence.lasts or (self._waves and self._belief.rate is None):
            return self._silence.earliest(now, in_flight, self._ledger.patience)
        if self._belief.rate is None:
            return -math.inf
        self._stand_still(now)
        speed, _ = self._speed(now)
        self._slots.advance(now, speed)
        earliest = self._slots.earliest(now, speed, self._steady_until())
        self._looked, self._told = now, earliest
        return earliest

    def _stand_still(self, now: float) -> None:
        """Let no time count for growth in which nobody waited for a slot: it teaches nothing."""
        idle = now - max(self._looked, min(now, self._told))
        if idle > 0:
            self._since = min(now, self._since + idle)
            if self._growing_from is not None:
                self._growing_from = min(now, self._growing_from + idle)

    def on_send(self, now: float) -> Ticket:
        """Count a call that leaves now."""
        if not self.taken:
            self._began = now
        self.taken += 1
        if not self.was_refused:  # as most clients never are: there is no order to keep, and no price to pay
            return Ticket(now, overdue=True)
        ticket = self._ledger.on_send(now)
        if self._belief.rate is not None:
            self._slots.on_send()
            if self._growing_from is not None:
                self._grown_by += 1
        if self._silence.lasts or self._waves:
            self._silence.asked(ticket)
        return ticket

    def on_cancel(self, now: float, ticket: Ticket) -> None:
        """Uncount a call that did not leave."""
        if self._belief.rate is not None:
            self._slots.on_cancel()
        self.on_no_response(now, ticket)

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        """A call got no answer, or one that says nothing of the pace."""
        self._settle(now, ticket, CallOutcome.UNKNOWN)

    def on_success(self, now: float, ticket: Ticket) -> None:
        """A call was accepted."""
        if not self.was_refused:
            self._answered_at = now
            self._accepted += 1
            return
        if self._silence.lasts and ticket.sent_time > self._noticed:
            self._resume(now)
        elif self._belief.rate is not None and now - self._heard_at > max(_REST, _RESTS / self._belief.rate):
            self._belief.forget()
        self._heard_at = now
        self._settle(now, ticket, CallOutcome.ACCEPTED)

    def on_refusal(self, now: float, ticket: Ticket, retry_after: float | None = None) -> None:
        """A call was refused for now.

        Whole seconds of a Retry-After are taken to be rounded up: one says no more than that it is less.
        """
        self.was_refused = True
        self._heard_at = now
        if ticket.sent_time > self._noticed:
            self._notice(now)
        if retry_after is not None:
            whole = retry_after == int(retry_after)
            self._not_before = max(self._not_before, now + retry_after - whole)
            self._since = max(self._since, self._not_before)  # nothing is borne while nothing leaves
        self._settle(now, ticket, CallOutcome.REFUSED)

    def resume(self, now: float) -> None:
        """A window opened: what was not accepted while it was closed says nothing of the pace."""
        self._silence.forget()
        self.was_refused, self._afresh = True, None
        self._waves.clear()
        self._noticed = self._weighed = now
        self._belief.resume(Depletion(now, self._accepted))

    def know(self, now: float, rate: float) -> None:
        """Take a rate that is known from elsewhere, in doubt."""
        self.resume(now)
        self._belief.believe(rate)
        self._since, self._growing_from = now, None
        self._slots.advance(now, rate)
        self._rest(now)

    def _rest(self, now: float) -> None:
        """Let a refusal be followed by a moment of rest: a call's time, and some for the jitter."""
        self._slots.rest(now, min(_CUSHION, 1 + _JITTER * (self._belief.rate or 0.0)))

    def _settle(self, now: float, ticket: Ticket, outcome: CallOutcome) -> None:
        self._answered_at = now
        for one in self._ledger.settle(now, ticket, outcome):
            self._handed_on(now, one)

    def _handed_on(self, now: float, ticket: Ticket) -> None:
        if ticket.outcome is CallOutcome.ACCEPTED:
            self._accepted += 1
            self._behind_wave += ticket.sent_time > self._weighed
            if self._afresh is not None and self._accepted - self._afresh.accepted >= ENOUGH:
                self._belief.start(self._afresh)
                self._afresh = None
            if ticket.overdue:
                self._belief.late(ticket.sent_time)
        elif ticket.outcome is CallOutcome.REFUSED and self._waves and ticket.sent_time > self._weighed:
            self._weigh(now, ticket.sent_time)

    def _speed(self, now: float) -> tuple[float, bool]:
        assert self._belief.rate is not None  # noqa: S101 - asked only where there is one
        beyond = now - self._steady_until()
        if beyond > 0 and self._growing_from is None:
            self._growing_from, self._grown_by = now, 0
        brake = 2.0 ** -max(0, len(self._waves) - 1)
        return self._belief.rate * growth(beyond) * brake, beyond > 0

    def _steady_until(self) -> float:
        """When the plateau ends, and the speed begins to grow."""
        if not self._belief.confirmed:
            self._held = 0.0
        return self._since + max(self._held, plateau(self._belief.confirmed))

    def _notice(self, now: float) -> None:
        self._noticed = now
        if self._silence.lasts or self._belief.rate is None:
            self._silence.wait(now, self._belief.rate)
            self._waves.append(SpeedAtRefusal(now, math.inf))
            return
        speed, grown = self._speed(now)
        began, self._growing_from = self._growing_from, None
        beyond = 0.0 if began is None else now - began
        over = self._grown_by - beyond * self._belief.rate
        self._waves.append(SpeedAtRefusal(now, speed, Overshoot(beyond, over) if grown else None))
        self._slots.advance(now, speed)
        self._rest(now)
        if grown:
            self._since = now

    def _weigh(self, now: float, at: float) -> None:
        while self._waves[0].noticed_at < at:
            self._waves.popleft()
        wave = self._waves.popleft()
        self._weighed = wave.noticed_at
        mark, last = Depletion(at, self._accepted), self._belief.last
        behind, self._behind_wave = self._behind_wave, 0
        if last is not None and not behind:
            if not self._silence.lasts:
                self._silence.begin(now, last, self._belief.rate)
            self._silence.go_on(mark)
            return
        if self._belief.rate is None and last is None:
            self._silence.begin(now, mark, None)
            self._belief.start(mark)
            return
        paced, confirmed = self._belief.rate is not None, self._belief.confirmed
        self._belief.weigh(mark, wave.speed, wave.growth)
        if self._belief.confirmed < confirmed or not self._belief.confirmed:
            self._since = now
            self._growing_from = None
        if not paced:
            self._slots.advance(now, self._belief.rate or 1.0)
            self._rest(now)

    def _resume(self, now: float) -> None:
        """A probe was accepted: what was believed of the rate holds until it is refuted, in doubt."""
        ended = self._silence.end(now)
        self._waves.clear()
        self._weighed = self._noticed
        self._since, self._growing_from = now, None
        period, rate = ended.period, self._belief.rate
        if period is not None and ended.count_from is not None:
            rate = period.rate
            self._belief.believe(rate)
            self._belief.confirmed = period.agreed
            self._belief.start(ended.count_from)
            self._held = _LONGEST_HELD if period.agreed > 1 else min(_LONGEST_HELD, period.seconds + 1)
        elif rate is not None:
            self._belief.believe(rate)
            self._afresh = ended.count_from or self._afresh
        if rate is not None:
            self._slots.advance(now, rate)
            self._slots.rest(now, 1.0)
