"""One long list at 50 ms a round trip with prefetched pages, in wall-clock time: prefetching saves waits."""

import asyncio
import time
from collections.abc import Iterator

from tests.benchmarks.speed.measuring import Figure
from tests.benchmarks.speed.ours import client_at
from tests.benchmarks.speed.server import PER_PAGE, Server
from tests.benchmarks.speed.sizes import Size
from tests.benchmarks.speed.table import Row

_ROUND_TRIP = 50  # milliseconds
_MOST_PAIRS = 5
# Must and goal of the ratios over prefetch=0. With prefetch=k, n pages take at least 1 + (n - 1) / k trips.
_TARGETS = {4: (None, None), 16: (0.1, 0.07)}
_PAGES = 1_000  # for which the targets are


def rows(server: Server, size: Size) -> Iterator[Row]:
    """4 and 16 prefetched pages, over none."""
    base_url = server.at(wait=_ROUND_TRIP, pages=size.pages)
    with asyncio.Runner() as runner:
        rounds = [
            {ahead: runner.run(_seconds(base_url, ahead, size.pages)) for ahead in (0, *_TARGETS)}
            for _ in range(min(size.pairs, _MOST_PAIRS))
        ]
    for ahead, targets in _TARGETS.items():
        must, goal = targets if size.pages >= _PAGES else (None, None)
        what = f"time of a list of {size.pages:,} pages at {_ROUND_TRIP} ms, prefetch={ahead} over 0"
        yield Row(what, Figure.of(times[ahead] / times[0] for times in rounds), must, goal)


async def _seconds(base_url: str, ahead: int, pages: int) -> float:
    async with client_at(base_url) as client:
        began = time.monotonic()
        found = await client.backups.list(42, prefetch=ahead).collect()
        assert len(found) == pages * PER_PAGE
        return time.monotonic() - began
