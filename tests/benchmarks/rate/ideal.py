"""The mark for all: how long a client takes that knows when the server lets a call pass.

It is the same client, with as many calls in flight and the same round trips, against the same server, which
holds each call that it would refuse until it may pass.
"""

import heapq
import math
from random import Random

from tests.benchmarks.rate.servers import Server

IN_FLIGHT = 64
_MEDIAN_ROUND_TRIP = 0.060  # seconds
_SIGMA = 0.35


def half_round_trip(random: Random) -> float:
    """Seconds from the client to the server, or back: half of a lognormal round trip."""
    return _MEDIAN_ROUND_TRIP * math.exp(random.gauss(0, _SIGMA)) / 2


def ideal_seconds(server: Server, calls: int, seed: int) -> float:
    """When the last answer reaches a client that knows all."""
    random = Random(seed)
    server = server.considerate()
    arrivals = [(half, half) for half in (half_round_trip(random) for _ in range(min(IN_FLIGHT, calls)))]
    heapq.heapify(arrivals)
    now = last = 0.0
    for _ in range(calls):
        arrival, half = arrivals[0]
        now = max(now, arrival)
        while (free := server.free_at(now)) > now:
            now = free
        server.take(now)
        last = max(last, now + half)
        out = half_round_trip(random)
        heapq.heapreplace(arrivals, (now + half + out, out))
    return last
