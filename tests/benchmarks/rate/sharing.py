"""How two of our clients share one limit that neither knows."""

import math
from collections.abc import Callable
from random import Random

from tests.benchmarks.rate import simulation
from tests.benchmarks.rate.limiter import OurLimiter
from tests.benchmarks.rate.servers import FixedWindow, Gcra, Server, SlidingLog, TokenBucket
from tests.benchmarks.rate.timing import Timing

JOINS = 20.0
"""When the second client starts, in seconds."""

_SETTLED, _MEASURED_UNTIL = 30.0, 60.0  # seconds after that: from when and until when shares are measured

SHARED: dict[str, Callable[[], Server]] = {
    "50/s burst 10": lambda: TokenBucket(50, 10),
    "83/s burst 17, Retry-After": lambda: TokenBucket(83, 17, retry_after=math.ceil),
    "GCRA 20/s burst 5": lambda: Gcra(20, 5),
    "300 per 5 s, headers": lambda: FixedWindow(300, 5, 2.0, announces=True, retry_after=math.ceil),
    "140 per 2 s, Retry-After": lambda: FixedWindow(140, 2, 1.0, retry_after=math.ceil),
    "sliding 300 per 10 s": lambda: SlidingLog(300, 10),
}


def share(name: str, timing: Timing, seed: int) -> tuple[float, float]:
    """Percent of all accepted calls that the second client got, and percent of the limit that was used."""
    server = SHARED[name]()
    rival = simulation.Rival(OurLimiter, begin=JOINS)
    begin, end = JOINS + _SETTLED, JOINS + _MEASURED_UNTIL
    run = simulation.run(OurLimiter(Random(seed)), server, None, seed, end, timing=timing, rivals=[rival])
    first, second = (
        sum(status == 200 and at >= begin for at, status in one.responses) for one in (run, run.rivals[0])
    )
    both = first + second
    return 100 * second / max(1, both), 100 * both / (server.limit(end) * (end - begin))
