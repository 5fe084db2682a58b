"""A group of processes against one server, in virtual time."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Awaitable, Callable

import attrs

from backupify_async._shared.store import StateStore
from tests.benchmarks.rate import virtual_time
from tests.benchmarks.rate.servers import Server
from tests.benchmarks.rate.timing import PLAIN, Timing
from tests.benchmarks.shared.process import Process

StoreFactory = Callable[[int], StateStore | None]
"""Makes the store of the process of this number; None for one that shares nothing."""


@attrs.define
class GroupRun:
    """What a group did.

    Attributes:
        answers: When the server judged each call, and with which status.
        processes: The processes.
        seconds: How long it took.
        finished: Whether every call came to its end in the time that there was.
    """

    answers: list[tuple[float, int]] = attrs.field(factory=list)
    processes: list[Process] = attrs.field(factory=list)
    seconds: float = 0.0
    finished: bool = False

    @property
    def failed(self) -> int:
        """How many calls ended with an error."""
        return sum(process.failed for process in self.processes)

    def accepted(self, begin: float, end: float) -> int:
        """How many calls were accepted in a time."""
        return sum(status == 200 and begin <= when < end for when, status in self.answers)

    def refused(self, begin: float = 0.0, end: float = float("inf")) -> int:
        """How many calls were refused in a time."""
        return sum(status != 200 and begin <= when < end for when, status in self.answers)

    def refused_share(self) -> float:
        """The refused share of all that was sent."""
        return self.refused() / max(1, len(self.answers))

    def fairness(self, begin: float, end: float) -> float:
        """Jain's index of what the processes had accepted in a time: 1 is fair."""
        shares = [
            sum(status == 200 and begin <= when < end for when, status in process.answers)
            for process in self.processes
            if not process.slowness.dead
        ]
        return sum(shares) ** 2 / max(1, len(shares) * sum(share**2 for share in shares))


class Group:
    """The processes of a run.

    Args:
        server: What all calls meet.
        stores: Makes their stores.
        seed: Of all that is random.
        timing: How long network and server take.
    """

    def __init__(self, server: Server, stores: StoreFactory, seed: int, timing: Timing = PLAIN) -> None:
        random.seed(seed)
        self.run = GroupRun()
        self._server = server
        self._stores = stores
        self._seed = seed
        self._timing = timing

    async def join(self, count: int = 1) -> None:
        """Let more processes begin."""
        for _ in range(count):
            number = len(self.run.processes)
            store, seed = self._stores(number), f"{self._seed} {number}"
            process = Process(self._server, self.run.answers, store, seed, self._timing)
            self.run.processes.append(process)
            await process.session.open()

    async def close(self) -> None:
        """End all processes in good order."""
        for process in self.run.processes:
            if not process.slowness.dead:
                await process.session.close()


def send_all(
    server: Server,
    stores: StoreFactory,
    calls: int,
    seed: int,
    within: float,
    *,
    processes: int = 8,
    workers: int = 64,
    timing: Timing = PLAIN,
) -> GroupRun:
    """Send calls through a group, whose processes take them one by one.

    Args:
        server: What they meet.
        stores: Makes the stores.
        calls: How many.
        seed: Of all that is random.
        within: Seconds of virtual time after which it is cut off.
        processes: How many processes there are.
        workers: How many calls each has at once.
        timing: How long network and server take.
    """

    async def work() -> GroupRun:
        group = Group(server, stores, seed, timing)
        await group.join(processes)
        loop, turns = asyncio.get_running_loop(), iter(range(calls))
        began = loop.time()
        tasks = [task for process in group.run.processes for task in process.start(turns, workers)]
        _, pending = await asyncio.wait(tasks, timeout=within)
        group.run.finished = not pending
        group.run.seconds = loop.time() - began
        for task in pending:
            task.cancel()
        await group.close()
        return group.run

    return virtual_time.run(work())


def watch(
    server: Server,
    stores: StoreFactory,
    seed: int,
    seconds: float,
    happens: Callable[[Group], Awaitable[None]],
    *,
    processes: int = 8,
    workers: int = 16,
) -> GroupRun:
    """Let a group send for a time, while something happens to it.

    Args:
        server: What they meet.
        stores: Makes the stores.
        seed: Of all that is random.
        seconds: How long.
        happens: Runs meanwhile, from the beginning.
        processes: How many processes there are at first.
        workers: How many calls each has at once.
    """

    async def work() -> GroupRun:
        group = Group(server, stores, seed)
        await group.join(processes)
        for process in group.run.processes:
            process.start(itertools.count(), workers)
        event = asyncio.create_task(_wait_for(happens(group)))
        await asyncio.sleep(seconds)
        group.run.seconds = seconds
        event.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await event
        for process in group.run.processes:
            await process.stop()
        await group.close()
        return group.run

    return virtual_time.run(work())


async def _wait_for(work: Awaitable[None]) -> None:
    await work
