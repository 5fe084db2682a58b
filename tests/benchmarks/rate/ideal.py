"""The ideal: how long a client takes that knows when the server accepts a call.

It is the same client, with as many calls in flight and the same round trips. The server is the same too, but
holds each call that it would refuse until it can accept it.
"""

import heapq
from random import Random

from tests.benchmarks.rate.servers import Server
from tests.benchmarks.rate.timing import PLAIN, Timing

IN_FLIGHT = 64


def ideal_seconds(server: Server, calls: int, seed: int, timing: Timing = PLAIN) -> float:
    """When the last response reaches the omniscient client."""
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
        received = now + timing.success + half
        last = max(last, received)
        half = timing.half_round_trip(random)
        heapq.heapreplace(arrivals, (received + half, half))
    return last
