"""How late is the end of a backup noticed, and what do other calls pay for it?

`python -m tests.benchmarks.waits`, in virtual time, through the real session under a limit of 20 calls a
second: 5,000 backups begin, 20 a second, and each is waited for, while the application makes one call a
second. Late is the time from a backup's end to the moment when whoever waits for it knows; the application's
wait is how long its calls stand in line. Cells: mean / 95th percentile, in seconds. A sweep triggers its
backups itself, under the same limit: what its own looks take away, its triggers lack.
"""

import argparse
import asyncio
import itertools
import math
import platform
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial

import attrs

from backupify_async import Backup, Fleet, PollPolicy, RateLimit, __version__
from backupify_async._call_context import BACKGROUND
from backupify_async._resources.backups import Backups, internals
from backupify_async._transport.session import Session
from backupify_async._transport.transport import PreparedRequest, Response
from tests.benchmarks.rate.virtual_time import run
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.files import ACCOUNT

LIMIT = RateLimit(per_second=20, burst=1, adaptive=False)
ROUND_TRIP = 0.1
INTERVAL = 10.0
BEGIN_A_SECOND = 20
APPLICATION = 0  # the instance that the application asks about
MEDIAN = 600.0
LIKELY = (0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 1.75)
MISJUDGED = 0.15  # how far a backup's duration is from the instance's usual one: standard deviation, a part

DURATIONS: Mapping[str, Callable[[random.Random], float]] = {
    "lognormal, median 10 min, sigma 0.5": lambda rng: rng.lognormvariate(math.log(MEDIAN), 0.5),
    "lognormal, median 10 min, sigma 1": lambda rng: rng.lognormvariate(math.log(MEDIAN), 1.0),
    "uniform, 5 to 15 min": lambda rng: rng.uniform(MEDIAN / 2, MEDIAN * 1.5),
}


_COMPLETED = {"status": "completed", "completed_at": "2026-01-01T00:00:00Z"}


class World:
    """A server whose backups end on the loop's clock; and what was noticed, and when.

    Args:
        durations: Seconds that the backup of each instance runs, the first instance being 1.
        seed: Of what makes a usual duration differ from tonight's.
    """

    def __init__(self, durations: Iterable[float], seed: int) -> None:
        self.durations = dict(enumerate(durations, 1))
        rng = random.Random(f"usual {seed}")
        self.usual = {
            instance: duration * rng.lognormvariate(0, MISJUDGED)
            for instance, duration in self.durations.items()
        }
        self.ends: dict[int, float] = {}
        self.noticed: dict[int, float] = {}

    def answer(self, message: PreparedRequest) -> Response:
        """Start a backup, or show it; the application's instance rests."""
        parts = message.url.path.split("/")
        instance = int(parts[3])
        if message.method == "POST":
            self.begin(instance)
        if instance == APPLICATION:
            return respond(message, 204)
        if parts[-1] == "backups" and message.method == "GET":
            return respond(message, body=[{"id": instance}])
        over = now() >= self.ends[instance]
        return respond(message, body={"id": instance} | (_COMPLETED if over else {"status": "running"}))

    def begin(self, instance: int) -> None:
        """Let an instance's backup begin."""
        self.ends[instance] = now() + self.durations[instance]

    def notice(self, instance: int) -> None:
        """Whoever waits knows now that it is over."""
        self.noticed[instance] = now()

    @property
    def lateness(self) -> list[float]:
        """How late each end was noticed, in seconds."""
        return [self.noticed[instance] - end for instance, end in self.ends.items()]


Way = Callable[[Backups, World, int], Awaitable[object]]
"""Waits for an instance's backup that began just now."""


async def ours(backups: Backups, world: World, instance: int) -> None:
    """One scheduler for all."""
    running = Backup(instance, status="running")
    await internals(backups).waits.wait_from(
        instance, running, timeout=None, poll=PollPolicy(interval=INTERVAL)
    )


async def a_timer_each(backups: Backups, world: World, instance: int) -> None:
    """What one would write."""
    while (await backups.get(instance, instance)).completed_at is None:  # noqa: ASYNC110 - that is the point
        await asyncio.sleep(INTERVAL)


async def knowing(backups: Backups, world: World, instance: int) -> None:
    """As ours, but each look when the usual duration makes an end likely; to know it takes two calls."""
    began = now()
    BACKGROUND.set(True)
    for _ in range(2):
        await backups.list(instance).collect()
    for part in itertools.chain(LIKELY, itertools.count(2, 0.25)):
        await asyncio.sleep(max(0.0, began + part * world.usual[instance] - now()))
        async with internals(backups).waits.slots.free:
            if (await backups.get(instance, instance)).completed_at is not None:
                return


async def omniscient(backups: Backups, world: World, instance: int) -> None:
    """One look, when it is over."""
    BACKGROUND.set(True)
    await asyncio.sleep(world.ends[instance] - now())
    await backups.get(instance, instance)


WAYS: Mapping[str, Way] = {
    "omniscient": omniscient,
    "**ours**": ours,
    "knows the usual duration": knowing,
    "a timer and a call each": a_timer_each,
}


async def waits_only(way: Way, session: Session, world: World) -> None:
    """Backups that begin 20 a second, by themselves."""
    backups = Backups(session)

    async def one(instance: int) -> None:
        await asyncio.sleep(instance / BEGIN_A_SECOND)
        world.begin(instance)
        await way(backups, world, instance)
        world.notice(instance)

    async with asyncio.TaskGroup() as group:
        for instance in world.durations:
            group.create_task(one(instance))


async def our_sweep(session: Session, world: World) -> None:
    """`fleet.trigger(wait=True)`."""
    ids, backups = list(world.durations), Backups(session)
    fleet = Fleet(backups, ids, concurrency=32, is_blocked=session.is_blocked, account=ACCOUNT)
    async with fleet.trigger(wait=True, poll=PollPolicy(interval=INTERVAL)) as outcomes:
        async for outcome in outcomes:
            assert outcome.value is not None
            assert outcome.value.waited is not None
            world.notice(int(outcome.key))


async def timers_sweep(session: Session, world: World) -> None:
    """32 triggers at once, then a timer and a call each."""
    backups, slots = Backups(session), asyncio.Semaphore(32)

    async def one(instance: int) -> None:
        await backups.trigger(instance)
        slots.release()
        await a_timer_each(backups, world, instance)
        world.notice(instance)

    async with asyncio.TaskGroup() as group:
        for instance in world.durations:
            await slots.acquire()
            group.create_task(one(instance))


Job = Callable[[Session, World], Awaitable[None]]

JOBS: Mapping[str, Job] = {
    **{name: partial(waits_only, way) for name, way in WAYS.items()},
    "a sweep, **ours**": our_sweep,
    "a sweep, a timer and a call each": timers_sweep,
}


def now() -> float:
    return asyncio.get_running_loop().time()


@attrs.frozen
class Figures:
    """What a way of waiting comes to: seconds, and requests."""

    late: list[float]
    waits: list[float]
    requests: int
    took: float


async def measure(job: Job, durations: list[float], seed: int) -> Figures:
    world, waits, done = World(durations, seed), list[float](), asyncio.Event()

    async def application() -> None:
        backups = Backups(session)

        async def call() -> None:
            began = now()
            await backups.get_active(APPLICATION)
            waits.append(now() - began - ROUND_TRIP)

        async with asyncio.TaskGroup() as calls:
            while not done.is_set():
                calls.create_task(call())  # whether or not the one before has its answer
                await asyncio.sleep(1)

    async with session_over(FakeTransport(world.answer, ROUND_TRIP), rate_limit=LIMIT) as session:
        calls = asyncio.create_task(application())
        await job(session, world)
        took = now()
        done.set()
        await calls
        return Figures(world.lateness, waits, session.statistics().requests, took)


def cell(values: list[float]) -> str:
    """Mean and 95th percentile."""
    return f"{statistics.fmean(values):,.1f} / {statistics.quantiles(values, n=20)[-1]:,.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.waits",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="50 waits of one kind: to see that it runs")
    quick = parser.parse_args().quick
    number, seed, began = 50 if quick else 5_000, 1, time.monotonic()
    print(str(__doc__).split("\n\n")[1])
    print("\n| durations | who waits | late | the application's wait | requests | took |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for name, draw in list(DURATIONS.items())[: 1 if quick else None]:
        rng = random.Random(seed)
        durations = [draw(rng) for _ in range(number)]
        for label, job in JOBS.items():
            got = run(measure(job, durations, seed))
            print(
                f"| {name} | {label} | {cell(got.late)} | {cell(got.waits)} "
                f"| {got.requests:,} | {got.took:,.0f} s |",
                flush=True,
            )
    versions = f"backupify_async {__version__}, Python {platform.python_version()}"
    print(
        f"\n{number:,} waits, interval {INTERVAL:g} s, round trip {ROUND_TRIP:g} s. "
        f"{datetime.now(UTC):%Y-%m-%d}, {versions}, {time.monotonic() - began:.0f} s."
    )


if __name__ == "__main__":
    main()
