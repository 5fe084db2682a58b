"""How long a call takes apart from waiting: the ways there and back, and the server's work in between."""

import math
from random import Random

import attrs

_SIGMA = 0.35
_MEAN = math.exp(_SIGMA**2 / 2)  # of a lognormal distribution whose median is 1


@attrs.frozen
class Timing:
    """What a network and a server take, in seconds.

    Attributes:
        round_trip: Median of the lognormal time on the way, there and back.
        success: What the server takes for a call that it lets pass.
        refusal: What it takes for one that it refuses.
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
        """Seconds from a call's arrival until its answer leaves."""
        return self.success if status == 200 else self.refusal

    def capacity(self, max_concurrency: int) -> float:
        """Calls a second that pass where nothing but the number in flight holds them back."""
        return max_concurrency / (self.round_trip * _MEAN + self.success)


PLAIN = Timing()


def service(text: str) -> Timing:
    """Read milliseconds of service as the command line and the tables write them.

    Args:
        text: Of a success and of a refusal: `50/1`.

    Raises:
        ValueError: It is not of that form.
    """
    success, refusal = (float(part) / 1000 for part in text.split("/"))
    return Timing(success=success, refusal=refusal)
