"""Get-active over many ids: what a call costs in CPU, ours beside everybody's."""

import asyncio
import importlib
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec

from backupify_async.fleet.fleet import Fleet
from tests.benchmarks.speed import peers
from tests.benchmarks.speed.floor import raw_protocol
from tests.benchmarks.speed.measuring import Figure, Way, costs, ratio
from tests.benchmarks.speed.ours import PLAIN, fan_out
from tests.benchmarks.speed.server import Server
from tests.benchmarks.speed.sizes import Size
from tests.benchmarks.speed.table import Row

OURS, FAST, UNLEARNING = "ours", "ours with [fast]", "ours with adaptive=False"
BARE, FLOOR = "bare aiohttp", "a raw asyncio.Protocol"
# Where the targets stand: must and goal of ours over each.
_TARGETS = {
    BARE: (1.0, 0.88),
    "aiohttp + tenacity + semaphore + aiolimiter": (0.8, 0.65),
    "aiohttp-retry": (None, None),
    "httpx": (0.25, 0.15),
    "niquests": (0.25, None),
    "requests with threads": (0.25, None),
    FLOOR: (None, None),
    UNLEARNING: (None, None),
}
_FAST_TARGET = (0.82, 0.7)


def rows(server: Server, size: Size) -> Iterator[Row]:
    """Ours over each way that is installed, all in one run."""
    ways = [way for needed, way in _ways(server.at(), size) if find_spec(needed) is not None]
    found = costs(ways, size.pairs)
    for name, (must, goal) in _TARGETS.items():
        if name in found:
            yield Row(f"CPU of a get-active call, over {name}", ratio(found, OURS, name), must, goal)
        else:
            print(f"not installed, and so left out: {name}")
    if FAST in found:
        what = f"the same with [fast], over {BARE} without uvloop"
        yield Row(what, ratio(found, FAST, BARE), *_FAST_TARGET)
    bare = [1e6 * cost for cost in found[BARE]]
    yield Row(f"what {BARE} takes here", Figure.of(bare), unit="µs")


def _ways(base_url: str, size: Size) -> Iterator[tuple[str, Way]]:
    """All ways, and the package that each needs."""
    calls, few = size.calls, size.slow_calls
    yield "aiohttp", Way(BARE, partial(peers.bare_aiohttp, base_url), calls)
    yield "aiohttp", Way(OURS, partial(fan_out, base_url, Fleet.get_active), calls)
    yield "uvloop", Way(FAST, partial(fan_out, base_url, Fleet.get_active), calls, _uvloop)
    plain = partial(fan_out, base_url, Fleet.get_active, rate_limit=PLAIN)
    yield "aiohttp", Way(UNLEARNING, plain, calls)
    with_tools = partial(peers.aiohttp_with_tools, base_url)
    yield "aiolimiter", Way("aiohttp + tenacity + semaphore + aiolimiter", with_tools, calls)
    yield "aiohttp_retry", Way("aiohttp-retry", partial(peers.aiohttp_retry, base_url), calls)
    yield "httpx", Way("httpx", partial(peers.httpx, base_url), few)
    yield "niquests", Way("niquests", partial(peers.niquests, base_url), few)
    yield "requests", Way("requests with threads", partial(peers.requests_in_threads, base_url), few)
    yield "aiohttp", Way(FLOOR, partial(raw_protocol, base_url), calls)


def _uvloop() -> asyncio.AbstractEventLoop:
    loop: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
    return loop
