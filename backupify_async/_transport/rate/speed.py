"""The sending speed around an estimated rate: constant for a plateau of seconds, then growing in time."""

import math

import attrs

from backupify_async._transport.rate.rate_estimator import Overshoot, RateEstimator

_LONGEST_PLATEAU = 12.0  # seconds
_STEEP = 2.0  # seconds of growth after which the speed is twice the rate; after twice that, 16 times
_MOST_DOUBLINGS = 60.0  # the ceiling and the concurrency limit hold long before
_LATE = 0.1  # seconds by which a timer can be late and still be caught up with: the server's bucket filled
_STEP = 0.25  # seconds of growth after which the speed is computed anew
_BORNE = 4.0  # seconds of growth, after which no bucket that was full explains what is accepted
_CUSHION = 2.0  # calls' worth of rest after a refusal, at most: else jitter alone causes the next
_JITTER = 0.25  # seconds by which calls can come closer to each other on the way


def plateau(confirmed: int) -> float:
    """Seconds for which the speed stays at a rate that was confirmed a number of times."""
    return min(_LONGEST_PLATEAU, 2.0 ** min(confirmed, 10))


def growth(seconds: float) -> float:
    """The factor by which the speed exceeds the rate, some seconds after the plateau."""
    return 1.0 if seconds <= 0 else 2.0 ** min(_MOST_DOUBLINGS, (seconds / _STEEP) ** 2)


@attrs.define(eq=False)
class CreditBucket:
    """Spaces calls at a speed that varies: credit accrues with time, and each call costs one. In seconds."""

    _credit: float = 1.0
    _at: float = -math.inf

    def rest(self, now: float, calls: float) -> None:
        """Allow no call for the time that a number of calls take."""
        self._credit = min(self._credit, 0.0) - calls + 1.0
        self._at = now

    def advance(self, now: float, speed: float) -> None:
        """Accrue credit at this speed since the last time."""
        if self._at > -math.inf:
            most = max(1.0, 1.0 + speed * _LATE)
            self._credit = min(most, self._credit + max(0.0, now - self._at) * speed)
        self._at = now

    def earliest(self, now: float, speed: float, steady_until: float) -> float:
        """When the next call may be sent, or the speed must be computed anew; until then it is steady."""
        if self._credit >= 1 - 1e-9:
            return now
        return min(now + (1 - self._credit) / speed, max(now, steady_until) + _STEP)

    def on_send(self) -> None:
        """Count a call that is sent."""
        self._credit -= 1

    def on_cancel(self) -> None:
        """Uncount a call that was not sent."""
        self._credit += 1


@attrs.define(eq=False)
class ProbingSpeed:
    """Sends at the estimated rate, and then faster and faster until a refusal. In seconds."""

    _bucket: CreditBucket = attrs.field(factory=CreditBucket)
    _since: float = -math.inf  # when the plateau began
    _growing_since: float | None = None
    _sent: int = 0  # calls, since then
    _asked_at: float = -math.inf  # when `earliest` was last called,
    _due: float = -math.inf  # and what it returned

    @property
    def grows(self) -> bool:
        """Whether the plateau is over."""
        return self._growing_since is not None

    def borne(self, now: float) -> float:
        """Calls a second sent while the speed grew, if that lasted long enough to prove a rate; else 0."""
        since = self._growing_since
        return self._sent / (now - since) if since is not None and now - since > _BORNE else 0.0

    def earliest(self, now: float, estimator: RateEstimator, brake: float) -> float:
        """When the next call may be sent. Time in which no call waited does not count for growth."""
        self._skip_idle(now)
        speed = self._advance(now, estimator, brake)
        self._due = self._bucket.earliest(now, speed, self._steady_until(estimator))
        return self._due

    def on_send(self) -> None:
        """Count a call that is sent."""
        self._bucket.on_send()
        self._sent += 1

    def on_cancel(self) -> None:
        """Uncount a call that was not sent."""
        self._bucket.on_cancel()

    def on_refusal(
        self, now: float, estimator: RateEstimator, brake: float
    ) -> tuple[float, Overshoot | None]:
        """Fall back to the rate. Returns the speed that was refused, and by how much it exceeded the rate."""
        grown = now > self._steady_until(estimator)
        speed = self._advance(now, estimator, brake)
        self.rest(now, estimator.rate or 0.0)
        since, self._growing_since = self._growing_since, None
        if not grown or since is None:
            return speed, None
        self._since = now
        return speed, Overshoot(now - since, self._sent - (now - since) * (estimator.rate or 0.0))

    def restart(self, now: float) -> None:
        """Begin a new plateau."""
        self._since, self._growing_since = now, None

    def stay(self, now: float, seconds: float, estimator: RateEstimator) -> None:
        """Do not grow for some seconds."""
        self._skip_idle(now)
        self._since += max(0.0, now + seconds - self._steady_until(estimator))
        self._growing_since = None

    def pause(self, until: float) -> None:
        """Let the plateau begin then: nothing is sent before."""
        self._since = max(self._since, until)

    def rest(self, now: float, rate: float, calls: float | None = None) -> None:
        """Send nothing for the time of one call at this rate, and some more against jitter, or of `calls`."""
        self._bucket.advance(now, rate)
        self._bucket.rest(now, min(_CUSHION, 1 + _JITTER * rate) if calls is None else calls)

    def _skip_idle(self, now: float) -> None:
        idle = now - max(self._asked_at, min(now, self._due))
        if idle > 0:
            self._since = max(self._since, min(now, self._since + idle))
            if self._growing_since is not None:
                self._growing_since = min(now, self._growing_since + idle)
        self._asked_at = now

    def _advance(self, now: float, estimator: RateEstimator, brake: float) -> float:
        beyond = now - self._steady_until(estimator)
        if beyond > 0 and self._growing_since is None:
            self._growing_since, self._sent = now, 0
        speed = (estimator.rate or 0.0) * growth(beyond) * brake
        self._bucket.advance(now, speed)
        return speed

    def _steady_until(self, estimator: RateEstimator) -> float:
        return self._since + plateau(estimator.confirmed)
