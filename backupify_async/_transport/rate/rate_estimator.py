"""Estimates the server's rate from the moments at which it refused.

A refusal shows that the server's bucket was empty at that moment, a *depletion*. **Between two
depletions, the number of accepted calls over the time elapsed is the rate**, however large the bucket:
two or three of them give the rate of a token bucket to half a percent. A few calls say only what the rate
does not exceed.
"""

import math
from collections import deque
from collections.abc import Iterable

import attrs

ENOUGH = 8  # accepted calls from which on a count over a time is a measurement
_ERROR = 3.0  # calls by which a smaller count can be off: timers are late, and responses overtake each other
_FELL = 0.8  # of the speed: an upper bound below that shows that the limit fell
_AGREE = 0.12  # relative difference of two counts of one rate
_EXACT = 0.03
_AHEAD = 3.0  # times its excess over the estimate is added to a higher count: the bucket ran over meanwhile
_MORE = 1.5  # times the bucket's size: calls accepted beyond the rate that show that the limit rose
_IN_PLATEAU = 4  # refusals at a speed that was accepted before, after which older counts are void
_SLOWEST = 1 / 3600
_REMEMBERED = 32  # depletions
_TICK = 1e-3  # seconds: no shorter time between two responses is assumed


@attrs.frozen
class Depletion:
    """A moment at which the server's bucket was empty.

    Attributes:
        at: When.
        accepted: How many calls were accepted before.
    """

    at: float
    accepted: int


@attrs.frozen
class Overshoot:
    """By how much the speed exceeded the estimated rate.

    Attributes:
        seconds: For how long.
        calls: How many more calls were sent than the rate allows.
    """

    seconds: float
    calls: float


@attrs.frozen
class SuspectedRise:
    """A guess that the limit rose, until a count confirms or refutes it.

    Attributes:
        overshoot: The overshoot that was accepted.
        before: The estimate before it, in calls a second.
        guess: The estimate after it.
    """

    overshoot: Overshoot
    before: float
    guess: float


def _latest(depletions: Iterable[Depletion]) -> deque[Depletion]:
    return deque(depletions, maxlen=_REMEMBERED)


@attrs.define(eq=False)
class RateEstimator:
    """Estimates a rate. All times are seconds of one monotonic clock."""

    rate: float | None = None
    """Calls a second that the server accepts; None if unknown."""
    confirmed: int = 0
    """How many refusals in a row, each met while the speed grew, agreed with the estimate."""
    _depletions: deque[Depletion] = attrs.field(factory=deque, converter=_latest)
    _in_plateau: list[Depletion] = attrs.field(factory=list)
    _bucket: float = 0.0  # calls that the server's bucket holds, at least
    _rise: SuspectedRise | None = None

    @property
    def last(self) -> Depletion | None:
        """The latest depletion."""
        return self._depletions[-1] if self._depletions else None

    def on_late_success(self, sent_time: float) -> None:
        """A call was accepted, and is counted only after calls that were sent later."""
        self._depletions = _latest(
            attrs.evolve(one, accepted=one.accepted + 1) if one.at >= sent_time else one
            for one in self._depletions
        )

    def start(self, depletion: Depletion) -> None:
        """Count from here: what happened before says nothing of what follows."""
        self.forget()
        self._depletions.append(depletion)

    def forget(self) -> None:
        """Count from the next refusal: the bucket can have filled and run over."""
        self._depletions.clear()
        self._in_plateau.clear()

    def resume(self, depletion: Depletion) -> None:
        """Count from here, if anything was counted before."""
        if self._depletions:
            self.start(depletion)

    def assume(self, rate: float) -> None:
        """Take a rate that is not confirmed."""
        self.rate = max(_SLOWEST, rate)
        self.confirmed = 0

    def on_refusal(self, empty: Depletion, speed: float, overshoot: Overshoot | None = None) -> None:
        """Learn from a refusal.

        Args:
            empty: The depletion that it shows.
            speed: Calls a second that were sent.
            overshoot: By how much that exceeded the estimated rate, if it did.
        """
        if not self._depletions:
            self.start(empty)
            return
        fell = self._fell_since(empty, speed)
        since = next(
            (one for one in reversed(self._depletions) if empty.accepted - one.accepted >= ENOUGH), None
        )
        if fell is not None:
            self._forget_before(fell)
            self.assume(_upper_bound(fell, empty))
            self._judge_rise(self.rate or 0.0)
        elif since is not None:
            self._measure(empty, since, speed, overshoot)
        elif self.rate is None:
            self.assume(_upper_bound(self._depletions[0], empty))
        if self._depletions[-1] is not empty:
            self._depletions.append(empty)
        if overshoot is not None or self.rate is None:
            self._in_plateau.clear()
            return
        self._in_plateau.append(empty)
        if len(self._in_plateau) >= _IN_PLATEAU:
            self._forget_before(self._in_plateau[0])
            self._in_plateau.clear()

    def count(self, empty: Depletion) -> float:
        """Calls a second that were accepted since the last depletion."""
        return _rate(self._depletions[-1], empty) if self._depletions else 0.0

    def _fell_since(self, empty: Depletion, speed: float) -> Depletion | None:
        """The depletion since which so few calls were accepted that the limit must have fallen."""
        if self.rate is None:
            return None
        lowest = min(self._depletions, key=lambda one: _upper_bound(one, empty))
        return lowest if _upper_bound(lowest, empty) < _FELL * min(speed, self.rate) else None

    def _forget_before(self, first: Depletion) -> None:
        self._depletions = _latest(one for one in self._depletions if one.at >= first.at)

    def _judge_rise(self, counted: float) -> None:
        """If the limit did not rise after all, the bucket held what was accepted beyond the rate."""
        rise, self._rise = self._rise, None
        if rise is not None and counted < _FELL * rise.guess:
            gained = max(0.0, counted - rise.before) * rise.overshoot.seconds
            self._bucket = max(self._bucket, rise.overshoot.calls - gained)

    def _measure(self, empty: Depletion, since: Depletion, speed: float, overshoot: Overshoot | None) -> None:
        latest, whole = _rate(since, empty), _rate(self._depletions[0], empty)
        before, agrees = self.rate, abs(whole / latest - 1) < _AGREE
        if not agrees:
            self._forget_before(since)
        counted = min(whole if agrees else latest, speed)
        if before is None:
            self.assume(counted)
            return
        self._judge_rise(counted)
        if overshoot is not None:
            if overshoot.calls > _MORE * self._bucket + 2 * _ERROR and counted < speed:
                guess = math.sqrt(max(counted, before) * speed)
                self._rise = SuspectedRise(overshoot, before, guess)
                self.assume(guess)
                self.start(empty)
                return
            if counted > before:
                counted += _AHEAD * (counted - before)
            counted = min(speed, max(counted, before))
        self.rate = max(_SLOWEST, counted)
        if abs(counted / before - 1) > _AGREE:
            self.confirmed = 0
        elif overshoot is not None and abs(counted / before - 1) < _EXACT:
            self.confirmed += 1


def _rate(since: Depletion, until: Depletion) -> float:
    return (until.accepted - since.accepted) / max(_TICK, until.at - since.at)


def _upper_bound(since: Depletion, until: Depletion) -> float:
    """Calls a second that the server accepts at most, by the count between two depletions."""
    return (until.accepted - since.accepted + _ERROR) / max(_TICK, until.at - since.at)
