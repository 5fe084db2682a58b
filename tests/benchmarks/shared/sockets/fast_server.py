"""How many calls members make with a server that has no limit and little overhead."""

import asyncio

from tests.benchmarks.shared.sockets.member import MemberSettings
from tests.benchmarks.shared.sockets.members import started
from tests.benchmarks.shared.sockets.places import Place
from tests.benchmarks.speed import server as fast

_WORKERS = 8
_WARM_UP = 0.4  # of the time: each begins with a share of what one client has in flight


async def speed(place: Place, processes: int, seconds: float) -> tuple[float, list[float]]:
    """Calls a second of all members, and how long each call waited for its gate, sorted.

    Neither counts the time in which they begin.
    """
    with fast.running() as server:
        settings = [
            MemberSettings(
                name=f"m{number}",
                base_url=server.at(),
                shared=place.location,
                workers=_WORKERS,
                seconds=seconds,
                warm_up=_WARM_UP * seconds,
                token=True,
            )
            for number in range(processes)
        ]
        async with started(settings) as members:
            results = await asyncio.gather(*(member.result() for member in members))
    met = [result for result in results if result is not None]
    assert all(result.failed == 0 for result in met)
    calls, waits = sum(result.calls for result in met), sorted(w for result in met for w in result.waits)
    return calls / (seconds * (1 - _WARM_UP)), waits
