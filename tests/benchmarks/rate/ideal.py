"""The mark for all: how long a client takes that knows when the server lets a call pass.

It is the same client, with as many calls in flight and the same round trips, against the same server, which
holds each call that it would refuse until it may pass.
"""

import heapq
from random import Random

from tests.benchmarks.rate.servers import Server
from tests.benchmarks.rate.timing import PLAIN, Timing

IN_FLIGHT = 64


def ideal_seconds(server: Server, calls: int, seed: int, timing: Timing = PLAIN) -> float:
    """When the last answer reaches a client that knows all."""
    random = Random(seed)
    server = server.considerate()
    halves = (timing.half_round_trip(random) for _ in range(min(IN_FLIGHT, calls)))
    arrivals = [(half, half) for half in halves]
    heapq.heapify(arrivals)
    now = last = 0.0
    for _ in range(calls):
        arrival, half = arrivals[0]
        now = max(now, arrival)
        while (free := server.free_at(now)) > now:
            now = free
        server.take(now)
        left = now + timing.success + half
        last = max(last, left)
        out = timing.half_round_trip(random)
        heapq.heapreplace(arrivals, (left + out, out))
    return last
