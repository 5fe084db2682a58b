"""The start: few calls in flight at first, more with each success."""

import math

_FIRST = 13.0
_AGAIN = 6.0
_CAREFUL = 2.0
_GROWTH = 0.6  # of each success, where a call takes that long, or longer
_SLOW = 0.06  # seconds


class Ramp:
    """A cap on what is in flight.

    Finding a limit costs about as many refusals as calls are in flight when it is met, while a server that is
    fast deserves all places soon. The cap grows by 0.6 of what succeeds, and by less where calls take less
    than 60 ms: a limit is met a few calls later there, while the time to grow is short. The first refusal
    says little of the rate, so the cap grows anew behind it, and the second wave is a small one.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._begin(_FIRST, -math.inf)

    def _begin(self, cap: float, now: float) -> None:
        self.began = now
        """What left before teaches nothing."""
        self._cap = min(cap, float(self._places))
        self.cap = int(self._cap)
        """How many calls may be in flight."""

    @property
    def is_over(self) -> bool:
        """Whether all places may be used."""
        return self.cap >= self._places

    def restart(self, now: float, *, careful: bool) -> None:
        """A limit was met: what left before now teaches nothing any more."""
        self._begin(_CAREFUL if careful else _AGAIN, now)

    def succeeded(self, now: float, sent_at: float, in_flight: int) -> None:
        """A call succeeded while so many, itself included, were in flight. Little work teaches nothing."""
        if self.cap < self._places and in_flight >= self._cap / 2 and sent_at > self.began:
            self._cap = min(float(self._places), self._cap + _GROWTH * min(1.0, (now - sent_at) / _SLOW))
            self.cap = int(self._cap)
