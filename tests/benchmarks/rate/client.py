"""Our client against a simulated server: the real `Session` with its gate and limiter, in virtual time."""

import asyncio
import contextlib
from random import Random

from backupify_async._transport.request import Request
from backupify_async._transport.session import Session
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async.config import Settings
from backupify_async.credentials import StaticToken
from backupify_async.errors import BackupifyError, ConnectionFailed
from tests.benchmarks.rate import virtual_time
from tests.benchmarks.rate.ideal import IN_FLIGHT
from tests.benchmarks.rate.limiter import LEARNING
from tests.benchmarks.rate.run import Run
from tests.benchmarks.rate.servers import LOST, Server
from tests.benchmarks.rate.timing import PLAIN, Timing
from tests.support.fake_transport import respond

_PATH = "/v1/backup_instances/{instance}/backups/active"


class SimulatedTransport:
    """Sends each request to a simulated server. Request and response take half a round trip each."""

    max_concurrency = IN_FLIGHT

    def __init__(
        self, server: Server, random: Random, responses: list[tuple[float, int]], timing: Timing = PLAIN
    ) -> None:
        self._server = server
        self._random = random
        self._answers = responses
        self._timing = timing

    async def open(self, settings: Settings) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """There is nothing to close."""

    async def __call__(self, request: PreparedRequest) -> Response:
        """Send a request."""
        half = self._timing.half_round_trip(self._random)
        await asyncio.sleep(half)
        now = asyncio.get_running_loop().time()
        status, headers = self._server.respond(now, int(request.url.parts[-3]))
        self._answers.append((now, status))
        await asyncio.sleep(self._timing.service(status) + half)
        if status == LOST:
            raise ConnectionFailed("connection refused", sent=False)
        return respond(request, status, headers=headers)


def run(
    server: Server, calls: int, seed: int, within: float, *, excused: int = 0, timing: Timing = PLAIN
) -> Run:
    """Send calls through a session.

    Args:
        server: The server.
        calls: How many.
        seed: The seed of all random numbers.
        within: Seconds of virtual time after which the run is cut.
        excused: How many of the calls need not end.
        timing: How long network and server take.
    """
    return virtual_time.run(_run(server, calls, seed, within, excused=excused, timing=timing))


async def _run(server: Server, calls: int, seed: int, within: float, *, excused: int, timing: Timing) -> Run:
    result = Run()
    transport = SimulatedTransport(server, Random(seed), result.responses, timing)
    settings = Settings(credentials=StaticToken("token"), base_url="http://127.0.0.1", rate_limit=LEARNING)
    session = Session(settings, transport)
    await session.open()
    with contextlib.suppress(TimeoutError):  # not finished, which the table shows
        async with asyncio.timeout(within):
            await _send_all(session, calls, calls - excused, result)
        result.finished = True
    result.seconds = asyncio.get_running_loop().time()
    await session.close()
    return result


async def _send_all(session: Session, calls: int, enough: int, result: Run) -> None:
    turns = iter(range(calls))
    ended = 0
    tasks: list[asyncio.Task[None]] = []

    async def work() -> None:
        nonlocal ended
        for call in turns:
            try:
                await session.send(Request.get(_PATH, instance=call + 1))
            except BackupifyError:
                result.failed += 1
            ended += 1
            if ended == enough < calls:
                for task in tasks:
                    task.cancel()

    async with asyncio.TaskGroup() as workers:
        tasks += [workers.create_task(work()) for _ in range(IN_FLIGHT)]
