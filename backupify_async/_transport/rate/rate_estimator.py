"""What the moments at which we were refused tell of the server's rate.

A refusal says that the server's store of calls is empty. **Between two moments at which it is empty, the
calls accepted over the time elapsed are the rate**, whatever the store's size: two or three such moments give
a token bucket's rate to half a percent. A few calls say only what the rate is not.
"""

import math
from collections import deque
from collections.abc import Iterable

import attrs

ENOUGH = 8  # calls from which on a count over a time means something
_STORED = 3.0  # calls by which a smaller count may be off: timers are late, and answers cross
_FELL = 0.8  # of the speed: a bound below that says that the limit fell
_AGREE = 0.12  # by which two counts of one rate differ
_EXACT = 0.03
_AHEAD = 3.0  # of what a count is above the belief: the store ran over, so it is too low itself
_MORE = 1.5  # times what the store held: calls that were let pass beyond the rate say that the limit rose
_IN_PLATEAU = 4  # refusals at a speed that was borne before, after which older counts are void
_SLOWEST = 1 / 3600
_MARKS = 32  # that are remembered
_TICK = 1e-3  # seconds: no time between two answers is taken to be shorter


@attrs.frozen
class Depletion:
    """A moment at which the server's store was empty: when, and how many calls were accepted before."""

    at: float
    accepted: int


@attrs.frozen
class Overshoot:
    """How the speed had grown above the rate that was believed.

    Attributes:
        seconds: For how long.
        over: How many more calls left than the rate allows.
    """

    seconds: float
    over: float


@attrs.frozen
class SuspectedRise:
    """A guess that the limit rose, until a count confirms or refutes it."""

    growth: Overshoot
    before: float
    guess: float


def _latest(marks: Iterable[Depletion]) -> deque[Depletion]:
    return deque(marks, maxlen=_MARKS)


@attrs.define(eq=False)
class RateEstimator:
    """The rate that the marks tell. All times are seconds of one monotonic clock."""

    _marks: deque[Depletion] = attrs.field(factory=deque, converter=_latest)
    _in_plateau: list[Depletion] = attrs.field(factory=list)
    rate: float | None = None
    """Calls a second that the server takes; None where nothing tells."""
    _stored: float = 0.0  # calls that the server's store holds, at the least
    _leap: SuspectedRise | None = None
    confirmed: int = 0
    """How often in a row a refusal, met while the speed grew, agreed with the belief."""

    @property
    def last(self) -> Depletion | None:
        """The latest mark."""
        return self._marks[-1] if self._marks else None

    def late(self, sent_time: float) -> None:
        """A call that left then was accepted, and is counted only now."""
        self._marks = _latest(_counting_late(mark, sent_time) for mark in self._marks)

    def start(self, mark: Depletion) -> None:
        """Count from here: what came before says nothing of what comes."""
        self._marks.clear()
        self._marks.append(mark)
        self._in_plateau.clear()

    def forget(self) -> None:
        """Count from the next refusal on: the store may have filled, and run over."""
        self._marks.clear()
        self._in_plateau.clear()

    def resume(self, mark: Depletion) -> None:
        """Count from here, if anything was counted before."""
        if self._marks:
            self.start(mark)

    def believe(self, rate: float) -> None:
        """Take a rate, in doubt."""
        self.rate = max(_SLOWEST, rate)
        self.confirmed = 0

    def weigh(self, mark: Depletion, speed: float, growth: Overshoot | None = None) -> None:
        """Learn from a refusal.

        Args:
            mark: When it was, and how many calls were accepted before.
            speed: Calls a second at which we were refused.
            growth: How that had grown above the rate that was believed, if it had.
        """
        if not self._marks:
            self.start(mark)
            return
        fell = self._fallen(mark, speed)
        since = next((one for one in reversed(self._marks) if mark.accepted - one.accepted >= ENOUGH), None)
        if fell is not None:
            self._forget_before(fell)
            self.believe(_most(fell, mark))
            self._judge_leap(self.rate or 0.0)
        elif since is not None:
            self._count(mark, since, speed, growth)
        elif self.rate is None:
            self.believe(_most(self._marks[0], mark))
        if self._marks[-1] is not mark:
            self._marks.append(mark)
        if growth is not None or self.rate is None:
            self._in_plateau.clear()
            return
        self._in_plateau.append(mark)
        if len(self._in_plateau) >= _IN_PLATEAU:
            first = self._in_plateau[0]
            self._forget_before(first)
            self._in_plateau.clear()

    def _fallen(self, mark: Depletion, speed: float) -> Depletion | None:
        """The mark since which so few calls were accepted that the limit must have fallen below the speed."""
        if self.rate is None:
            return None
        below = _FELL * min(speed, self.rate)
        lowest = min(self._marks, key=lambda one: _most(one, mark))
        return lowest if _most(lowest, mark) < below else None

    def _forget_before(self, first: Depletion) -> None:
        self._marks = _latest(one for one in self._marks if one.at >= first.at)

    def _judge_leap(self, counted: float) -> None:
        leap, self._leap = self._leap, None
        if leap is not None and counted < _FELL * leap.guess:
            gained = max(0.0, counted - leap.before) * leap.growth.seconds
            self._stored = max(self._stored, leap.growth.over - gained)

    def _count(self, mark: Depletion, since: Depletion, speed: float, growth: Overshoot | None) -> None:
        lately, whole = _rate(since, mark), _rate(self._marks[0], mark)
        before, agrees = self.rate, abs(whole / lately - 1) < _AGREE
        if not agrees:
            self._forget_before(since)
        counted = min(whole if agrees else lately, speed)
        if before is None:
            self.believe(counted)
            return
        self._judge_leap(counted)
        if growth is not None:
            if growth.over > _MORE * self._stored + 2 * _STORED and counted < speed:
                guess = math.sqrt(max(counted, before) * speed)
                self._leap = SuspectedRise(growth, before, guess)
                self.believe(guess)
                self.start(mark)
                return
            if counted > before:
                counted += _AHEAD * (counted - before)
            counted = min(speed, max(counted, before))
        self.rate = max(_SLOWEST, counted)
        if abs(counted / before - 1) > _AGREE:
            self.confirmed = 0
        elif growth is not None and abs(counted / before - 1) < _EXACT:
            self.confirmed += 1


def _rate(since: Depletion, mark: Depletion) -> float:
    return (mark.accepted - since.accepted) / max(_TICK, mark.at - since.at)


def _most(since: Depletion, mark: Depletion) -> float:
    """Calls a second that the server takes at most, if so few were accepted between two marks."""
    return (mark.accepted - since.accepted + _STORED) / max(_TICK, mark.at - since.at)


def _counting_late(mark: Depletion, sent_time: float) -> Depletion:
    return attrs.evolve(mark, accepted=mark.accepted + 1) if mark.at >= sent_time else mark
