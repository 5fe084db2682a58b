"""What faults cost a group of real processes: a bucket of 83 a second."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import attrs

from tests.benchmarks.shared.sockets import places
from tests.benchmarks.shared.sockets.figures import accepted, fairness, refused
from tests.benchmarks.shared.sockets.places import Directory, Place, Server
from tests.benchmarks.shared.sockets.runs import BUCKET, RATE, WORKERS, Happens, Scene, observe

LASTS = 6.0  # seconds


async def _nothing(scene: Scene) -> None:
    pass


async def _kill(scene: Scene) -> None:
    scene.members[0].kill()


async def _stop(scene: Scene) -> None:
    scene.members[0].stop()
    await asyncio.sleep(LASTS)
    scene.members[0].go_on()


async def _hang(scene: Scene) -> None:
    scene.place.hang()
    await asyncio.sleep(LASTS)
    scene.place.go_on()


async def _empty(scene: Scene) -> None:
    scene.place.empty()


async def _tear(scene: Scene) -> None:
    assert isinstance(scene.place, Directory)
    scene.place.tear()


async def _kill_the_store(scene: Scene) -> None:
    assert isinstance(scene.place, Server)
    scene.place.redis.kill()
    await asyncio.sleep(LASTS)
    await asyncio.to_thread(scene.place.redis.start)


async def _flush_scripts(scene: Scene) -> None:
    assert isinstance(scene.place, Server)
    scene.place.flush_scripts()


async def _join(scene: Scene) -> None:
    await scene.join()


@attrs.frozen
class Fault:
    """Something that happens to a group.

    Attributes:
        name: What.
        happens: How.
        makes: In which places.
    """

    name: str
    happens: Happens
    makes: tuple[Callable[[], AbstractContextManager[Place]], ...] = (places.directory, places.server)


FAULTS = (
    Fault("none", _nothing),
    Fault("a member is killed (kill -9)", _kill),
    Fault("a member is stopped for 6 s", _stop),
    Fault("the store hangs for 6 s", _hang),
    Fault("the store is emptied", _empty),
    Fault("the file is torn", _tear, (places.directory,)),
    Fault("the store is killed for 6 s", _kill_the_store, (places.server,)),
    Fault("SCRIPT FLUSH", _flush_scripts, (places.server,)),
    Fault("a ninth member joins", _join),
)


@attrs.frozen
class Cost:
    """What a fault cost.

    Attributes:
        fault: Its name.
        place: Where it happened.
        during: Percent of the limit that was used in the 6 s from it on,
        after: and in the rest.
        refused: How many calls were refused from it on.
        fairness: Of the rest.
    """

    fault: str
    place: str
    during: float
    after: float
    refused: int
    fairness: float


async def cost(fault: Fault, place: Place, processes: int, part: float) -> Cost:
    """Let a fault happen, and measure it."""
    at, seconds = 12.0 * part, 30.0 * part

    async def happens(scene: Scene) -> None:
        await asyncio.sleep(at)
        await fault.happens(scene)

    run = await observe(place, BUCKET, seconds, workers=[WORKERS] * processes, happens=happens)
    begin = run.begin + at
    over, end = min(begin + LASTS, run.begin + seconds - 1), run.begin + seconds
    return Cost(
        fault.name,
        place.name,
        100 * accepted(run.records, begin, over) / (RATE * (over - begin)),
        100 * accepted(run.records, over, end) / (RATE * (end - over)),
        refused(run.records, begin, end),
        fairness(run.records, over, end),
    )


def named(only: str) -> Iterator[Fault]:
    """The faults whose name contains a text."""
    return (fault for fault in FAULTS if only in fault.name)
