"""Get-active over many ids: what a call costs in CPU, ours over other HTTP clients."""

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec

from backupify_async._fleet.fleet import Fleet
from tests.benchmarks.speed import peers
from tests.benchmarks.speed.measuring import Way, costs, ratio
from tests.benchmarks.speed.ours import fan_out
from tests.benchmarks.speed.server import Server
from tests.benchmarks.speed.sizes import Size
from tests.benchmarks.speed.table import Row

_OURS = "ours"
# Must and goal of the ratio of ours over each.
_TARGETS = {
    "aiohttp + tenacity + semaphore + aiolimiter": (0.8, 0.65),
    "aiohttp-retry": (None, None),
    "httpx": (0.25, 0.15),
    "niquests": (0.25, None),
    "requests with threads": (0.25, None),
}


def rows(server: Server, size: Size) -> Iterator[Row]:
    """Ours over each way that is installed, all measured in one run."""
    ways = [way for needed, way in _ways(server.at(), size) if find_spec(needed) is not None]
    found = costs(ways, size.pairs)
    for name, (must, goal) in _TARGETS.items():
        if name in found:
            yield Row(f"CPU of a get-active call, over {name}", ratio(found, _OURS, name), must, goal)
        else:
            print(f"left out, because it is not installed: {name}")


def _ways(base_url: str, size: Size) -> Iterator[tuple[str, Way]]:
    """All ways, and the package that each needs."""
    calls, few = size.calls, size.slow_calls
    yield "aiohttp", Way(_OURS, partial(fan_out, base_url, Fleet.get_active), calls)
    with_tools = partial(peers.aiohttp_with_tools, base_url)
    yield "aiolimiter", Way("aiohttp + tenacity + semaphore + aiolimiter", with_tools, calls)
    yield "aiohttp_retry", Way("aiohttp-retry", partial(peers.aiohttp_retry, base_url), calls)
    yield "httpx", Way("httpx", partial(peers.httpx, base_url), few)
    yield "niquests", Way("niquests", partial(peers.niquests, base_url), few)
    yield "requests", Way("requests with threads", partial(peers.requests_in_threads, base_url), few)
