"""How long a call takes without waiting: the round trip, and the server's work."""

import math
from random import Random

import attrs

_SIGMA = 0.35
_MEAN = math.exp(_SIGMA**2 / 2)  # of a lognormal distribution whose median is 1


@attrs.frozen
class Timing:
    """How long network and server take, in seconds.

    Attributes:
        round_trip: Median of the lognormal time of a round trip.
        success: How long the server works on a call that it accepts.
        refusal: How long it works on one that it refuses.
    """

    round_trip: float = 0.060
    success: float = 0.0
    refusal: float = 0.0

    def __str__(self) -> str:
        return f"{1000 * self.success:g}/{1000 * self.refusal:g}"

    def half_round_trip(self, random: Random) -> float:
        """Seconds from the client to the server, or back."""
        return self.round_trip * math.exp(random.gauss(0, _SIGMA)) / 2

    def service(self, status: int) -> float:
        """Seconds from the arrival of a request until its response is sent."""
        return self.success if status == 200 else self.refusal

    def capacity(self, max_concurrency: int) -> float:
        """Calls a second that are accepted if only the number in flight limits them."""
        return max_concurrency / (self.round_trip * _MEAN + self.success)


PLAIN = Timing()


def service(text: str) -> Timing:
    """Read milliseconds of service as the command line and the tables write them.

    Args:
        text: For a success and for a refusal: `50/1`.

    Raises:
        ValueError: It does not have this form.
    """
    success, refusal = (float(part) / 1000 for part in text.split("/"))
    return Timing(success=success, refusal=refusal)
