"""One process of a group, in virtual time: a session, its store, and what can befall it.

All processes of a run live in one event loop. So a process that is stopped, or whose loop is blocked, is one
that notices everything late: its responses, its turns, and the time to send.
"""

import asyncio
import math
from collections.abc import Callable, Iterator
from random import Random

from backupify_async._shared.limiter import SharedLimiter
from backupify_async._shared.store import Change, StateStore
from backupify_async._transport.request import Request
from backupify_async._transport.session import Session
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async.config import RetryPolicy, Settings
from backupify_async.credentials import StaticToken
from backupify_async.errors import BackupifyError
from tests.benchmarks.rate.client import SimulatedTransport
from tests.benchmarks.rate.ideal import IN_FLIGHT
from tests.benchmarks.rate.limiter import LEARNING
from tests.benchmarks.rate.servers import Server
from tests.benchmarks.rate.timing import PLAIN, Timing

_PATH = "/v1/backup_instances/{instance}/backups/active"


class Slowness:
    """When a process can act: it is not while it is stopped, and only now and then if its loop is blocked."""

    def __init__(self) -> None:
        self.stopped_until = -math.inf
        self.dead = False
        self.tick = 0.0
        """Seconds between two moments at which the loop is free; 0 for a loop that always is."""

    async def ready(self) -> None:
        """Wait until the process can act."""
        if self.dead:
            await asyncio.get_running_loop().create_future()
        now = asyncio.get_running_loop().time()
        when = max(now, self.stopped_until)
        if self.tick:
            when = math.ceil(when / self.tick) * self.tick
        if when > now:
            await asyncio.sleep(when - now)


class SlowStore:
    """A store as a slow process uses it."""

    def __init__(self, store: StateStore, slowness: Slowness) -> None:
        self._store = store
        self._slowness = slowness

    async def open(self, on_change: Callable[[], None]) -> None:
        await self._store.open(on_change)

    async def turn(self, name: str, change: Change) -> None:
        await self._slowness.ready()
        await self._store.turn(name, change)
        await self._slowness.ready()

    async def announce(self) -> None:
        await self._slowness.ready()
        await self._store.announce()

    async def close(self) -> None:
        await self._store.close()


class _Answers(list[tuple[float, int]]):
    """What is added to it is added to the answers of all, too."""

    def __init__(self, of_all: list[tuple[float, int]]) -> None:
        super().__init__()
        self._of_all = of_all

    def append(self, answer: tuple[float, int]) -> None:
        super().append(answer)
        self._of_all.append(answer)


class Process:
    """A process that sends calls.

    Args:
        server: What its calls meet.
        answers: When the server judged each call of the group, and with which status.
        store: What it shares the limit in; None if it does not share it.
        seed: Of all that is random.
        timing: How long network and server take.
    """

    def __init__(
        self,
        server: Server,
        answers: list[tuple[float, int]],
        store: StateStore | None,
        seed: str,
        timing: Timing = PLAIN,
    ) -> None:
        self.slowness = Slowness()
        self.answers = _Answers(answers)
        """The same of this process's calls."""
        self.waits: list[float] = []
        """Seconds that calls took apart from their round trip."""
        self.failed = 0
        self._workers: list[asyncio.Task[None]] = []
        self._carrier = SimulatedTransport(server, Random(seed), self.answers, timing)
        settings = Settings(
            credentials=StaticToken("token"), base_url="http://127.0.0.1", rate_limit=LEARNING
        )
        self.limiter = None
        if store is not None:
            slow = SlowStore(store, self.slowness)
            self.limiter = SharedLimiter(slow, LEARNING, RetryPolicy(), IN_FLIGHT)
            self.limiter._id = seed  # so that a run can be repeated
        self.session = Session(settings, self, limiter=self.limiter)

    max_concurrency = IN_FLIGHT

    async def open(self, settings: Settings) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """There is nothing to close."""

    async def __call__(self, message: PreparedRequest) -> Response:
        """Carry a message, when the process can."""
        await self.slowness.ready()
        try:
            return await self._carrier(message)
        finally:
            await self.slowness.ready()

    def start(self, calls: Iterator[int], workers: int) -> list[asyncio.Task[None]]:
        """Let workers take calls until there are none."""
        self._workers = [asyncio.create_task(self._work(calls)) for _ in range(workers)]
        return self._workers

    async def _work(self, calls: Iterator[int]) -> None:
        for call in calls:
            began = asyncio.get_running_loop().time()
            try:
                await self.session.send(Request.get(_PATH, instance=call + 1))
            except BackupifyError:
                self.failed += 1
            self.waits.append(asyncio.get_running_loop().time() - began)

    async def die(self) -> None:
        """End at once, as by kill -9: nothing more is sent, and the store hears nothing."""
        self.slowness.dead = True
        if self.limiter is not None and self.limiter._task is not None:
            self.limiter._task.cancel()
        await self.stop()

    async def stop(self) -> None:
        """Cancel the workers, and wait for those that can end."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.wait(self._workers, timeout=0.01)
