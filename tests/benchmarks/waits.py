"""How late is the end of a backup noticed, and how long do other calls wait meanwhile?

`python -m tests.benchmarks.waits`, in virtual time, with the real session and a limit of 20 calls a second:
5,000 backups begin, 20 a second, and each is waited for, while the application sends one call a second. Late
is the time from the end of a backup until that is known; the application's wait is how long its calls are
queued. Cells: mean / 95th percentile, in seconds. A sweep triggers its backups itself, with the same limit:
its polls leave fewer calls for its triggers.
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
APPLICATION = 0  # the instance that the application requests
MEDIAN = 600.0
LIKELY = (0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 1.75)
DEVIATION = 0.15  # standard deviation of a duration from the instance's usual one, as a share

DURATIONS: Mapping[str, Callable[[random.Random], float]] = {
    "lognormal, median 10 min, sigma 0.5": lambda rng: rng.lognormvariate(math.log(MEDIAN), 0.5),
    "lognormal, median 10 min, sigma 1": lambda rng: rng.lognormvariate(math.log(MEDIAN), 1.0),
    "uniform, 5 to 15 min": lambda rng: rng.uniform(MEDIAN / 2, MEDIAN * 1.5),
}


_COMPLETED = {"status": "completed", "completed_at": "2026-01-01T00:00:00Z"}


class BackupServer:
    """A server whose backups end by the loop's clock, and when each end was noticed.

    Args:
        durations: Seconds that the backup of each instance runs, from instance 1 on.
        seed: The seed of the deviations from the usual durations.
    """

    def __init__(self, durations: Iterable[float], seed: int) -> None:
        self.durations = dict(enumerate(durations, 1))
        rng = random.Random(f"usual {seed}")
        self.usual = {
            instance: duration * rng.lognormvariate(0, DEVIATION)
            for instance, duration in self.durations.items()
        }
        self.ends: dict[int, float] = {}
        self.noticed: dict[int, float] = {}

    def respond_to(self, request: PreparedRequest) -> Response:
        """Start a backup, or show it. The application's instance is always idle."""
        parts = request.url.path.split("/")
        instance = int(parts[3])
        if request.method == "POST":
            self.begin(instance)
        if instance == APPLICATION:
            return respond(request, 204)
        if parts[-1] == "backups" and request.method == "GET":
            return respond(request, body=[{"id": instance}])
        over = now() >= self.ends[instance]
        return respond(request, body={"id": instance} | (_COMPLETED if over else {"status": "running"}))

    def begin(self, instance: int) -> None:
        """Start the backup of an instance."""
        self.ends[instance] = now() + self.durations[instance]

    def notice(self, instance: int) -> None:
        """Note that its end is known now."""
        self.noticed[instance] = now()

    @property
    def lateness(self) -> list[float]:
        """How late each end was noticed, in seconds."""
        return [self.noticed[instance] - end for instance, end in self.ends.items()]


Strategy = Callable[[Backups, BackupServer, int], Awaitable[object]]
"""Waits for the backup of an instance, which began just now."""


async def ours(backups: Backups, server: BackupServer, instance: int) -> None:
    """One scheduler for all waits."""
    running = Backup(instance, status="running")
    await internals(backups).waits.wait_from(
        instance, running, timeout=None, poll=PollPolicy(interval=INTERVAL)
    )


async def timer_for_each(backups: Backups, server: BackupServer, instance: int) -> None:
    """What a user would write."""
    while (await backups.get(instance, instance)).completed_at is None:  # noqa: ASYNC110 - on purpose
        await asyncio.sleep(INTERVAL)


async def by_usual_duration(backups: Backups, server: BackupServer, instance: int) -> None:
    """As ours, but polls when an end is likely by the usual duration, which takes two calls to learn."""
    began = now()
    BACKGROUND.set(True)
    for _ in range(2):
        await backups.list(instance).collect()
    for part in itertools.chain(LIKELY, itertools.count(2, 0.25)):
        await asyncio.sleep(max(0.0, began + part * server.usual[instance] - now()))
        async with internals(backups).waits.slots.free:
            if (await backups.get(instance, instance)).completed_at is not None:
                return


async def omniscient(backups: Backups, server: BackupServer, instance: int) -> None:
    """One poll, just after the end."""
    BACKGROUND.set(True)
    await asyncio.sleep(server.ends[instance] - now())
    await backups.get(instance, instance)


STRATEGIES: Mapping[str, Strategy] = {
    "omniscient": omniscient,
    "**ours**": ours,
    "polls by the usual duration": by_usual_duration,
    "a timer for each": timer_for_each,
}


async def waits_only(strategy: Strategy, session: Session, server: BackupServer) -> None:
    """Wait for backups that begin 20 a second, without triggers."""
    backups = Backups(session)

    async def one(instance: int) -> None:
        await asyncio.sleep(instance / BEGIN_A_SECOND)
        server.begin(instance)
        await strategy(backups, server, instance)
        server.notice(instance)

    async with asyncio.TaskGroup() as group:
        for instance in server.durations:
            group.create_task(one(instance))


async def our_sweep(session: Session, server: BackupServer) -> None:
    """`fleet.trigger(wait=True)`."""
    ids, backups = list(server.durations), Backups(session)
    fleet = Fleet(backups, ids, concurrency=32, is_blocked=session.is_blocked, account=ACCOUNT)
    async with fleet.trigger(wait=True, poll=PollPolicy(interval=INTERVAL)) as outcomes:
        async for outcome in outcomes:
            assert outcome.value is not None
            assert outcome.value.waited is not None
            server.notice(int(outcome.key))


async def timers_sweep(session: Session, server: BackupServer) -> None:
    """32 triggers at once, then a timer for each wait."""
    backups, slots = Backups(session), asyncio.Semaphore(32)

    async def one(instance: int) -> None:
        await backups.trigger(instance)
        slots.release()
        await timer_for_each(backups, server, instance)
        server.notice(instance)

    async with asyncio.TaskGroup() as group:
        for instance in server.durations:
            await slots.acquire()
            group.create_task(one(instance))


Job = Callable[[Session, BackupServer], Awaitable[None]]

JOBS: Mapping[str, Job] = {
    **{name: partial(waits_only, strategy) for name, strategy in STRATEGIES.items()},
    "a sweep, **ours**": our_sweep,
    "a sweep, a timer for each": timers_sweep,
}


def now() -> float:
    return asyncio.get_running_loop().time()


@attrs.frozen
class Figures:
    """The result of a strategy, in seconds and requests."""

    late: list[float]
    waits: list[float]
    requests: int
    took: float


async def measure(job: Job, durations: list[float], seed: int) -> Figures:
    server, waits, done = BackupServer(durations, seed), list[float](), asyncio.Event()

    async def application() -> None:
        backups = Backups(session)

        async def call() -> None:
            began = now()
            await backups.get_active(APPLICATION)
            waits.append(now() - began - ROUND_TRIP)

        async with asyncio.TaskGroup() as calls:
            while not done.is_set():
                calls.create_task(call())  # even if the one before has no response yet
                await asyncio.sleep(1)

    async with session_over(FakeTransport(server.respond_to, ROUND_TRIP), rate_limit=LIMIT) as session:
        calls = asyncio.create_task(application())
        await job(session, server)
        took = now()
        done.set()
        await calls
        return Figures(server.lateness, waits, session.statistics().requests, took)


def cell(values: list[float]) -> str:
    """Mean and 95th percentile."""
    return f"{statistics.fmean(values):,.1f} / {statistics.quantiles(values, n=20)[-1]:,.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.waits",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="50 waits of one kind: only a test")
    quick = parser.parse_args().quick
    number, seed, began = 50 if quick else 5_000, 1, time.monotonic()
    print(str(__doc__).split("\n\n")[1])
    print("\n| durations | strategy | late | the application's wait | requests | took |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for name, draw in list(DURATIONS.items())[: 1 if quick else None]:
        rng = random.Random(seed)
        durations = [draw(rng) for _ in range(number)]
        for label, job in JOBS.items():
            figures = run(measure(job, durations, seed))
            print(
                f"| {name} | {label} | {cell(figures.late)} | {cell(figures.waits)} "
                f"| {figures.requests:,} | {figures.took:,.0f} s |",
                flush=True,
            )
    versions = f"backupify_async {__version__}, Python {platform.python_version()}"
    print(
        f"\n{number:,} waits, interval {INTERVAL:g} s, round trip {ROUND_TRIP:g} s. "
        f"{datetime.now(UTC):%Y-%m-%d}, {versions}, {time.monotonic() - began:.0f} s."
    )


if __name__ == "__main__":
    main()
