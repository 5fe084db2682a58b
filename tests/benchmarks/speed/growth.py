"""How the cost of a call grows: with the calls in flight, and with the number of ids."""

from collections.abc import Iterator
from functools import partial

from backupify_async._fleet.fleet import Fleet
from tests.benchmarks.speed import peers
from tests.benchmarks.speed.measuring import Way, costs, ratio
from tests.benchmarks.speed.ours import CONCURRENCY, fan_out
from tests.benchmarks.speed.server import Server
from tests.benchmarks.speed.sizes import Size
from tests.benchmarks.speed.table import Row

_OURS, _BARE = "ours", "bare"
_MOST_PAIRS = 5


def rows(server: Server, size: Size) -> Iterator[Row]:
    """Over bare aiohttp with the same number of calls in flight, and over fewer ids."""
    pairs = min(size.pairs, _MOST_PAIRS)
    base_url = server.at()
    ways = []
    for in_flight in sorted({CONCURRENCY, *size.in_flight}):
        calls = max(size.calls, 2 * in_flight)
        ways += [
            Way(f"{_OURS} {in_flight}", partial(fan_out, base_url, Fleet.get_active, in_flight), calls),
            Way(f"{_BARE} {in_flight}", partial(peers.bare_aiohttp, base_url, in_flight), calls),
        ]
    found = costs(ways, pairs)
    for in_flight in size.in_flight:
        what = f"CPU of a get-active call over bare aiohttp, {in_flight:,} in flight"
        yield Row(what, ratio(found, f"{_OURS} {in_flight}", f"{_BARE} {in_flight}"))
    few, many = size.calls, 10 * size.calls
    longer = [Way(str(calls), partial(fan_out, base_url, Fleet.get_active), calls) for calls in (few, many)]
    figure = ratio(costs(longer, pairs), str(many), str(few))
    yield Row(f"CPU of a get-active call in a sweep of {many:,} ids, over {few:,}", figure)
