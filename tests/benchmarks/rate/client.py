"""Our own client in the laboratory: the real `Session` with its gate and limiter, in virtual time."""

import asyncio
from collections.abc import Iterator
from random import Random

from backupify_async.config import RateLimit, Settings
from backupify_async.credentials import StaticToken
from backupify_async.errors import RateLimited
from backupify_async.transport.request import Message, Request, Response
from backupify_async.transport.session import Session
from tests.benchmarks.rate import virtual_time
from tests.benchmarks.rate.ideal import IN_FLIGHT, half_round_trip
from tests.benchmarks.rate.run import Run
from tests.benchmarks.rate.servers import Server
from tests.stand_ins import respond

_REQUEST = Request.get("/v1/backup_instances/{instance}/backups/active", instance=42)


class ModelCarrier:
    """Carries each message to a model server and back; each way takes half a round trip."""

    places = IN_FLIGHT

    def __init__(self, server: Server, random: Random, answers: list[tuple[float, int]]) -> None:
        self._server = server
        self._random = random
        self._answers = answers

    async def open(self) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """There is nothing to close."""

    async def __call__(self, message: Message) -> Response:
        """Ask the server."""
        half = half_round_trip(self._random)
        await asyncio.sleep(half)
        now = asyncio.get_running_loop().time()
        status, headers = self._server.ask(now)
        self._answers.append((now, status))
        await asyncio.sleep(half)
        return respond(message, status, headers=headers)


LEARNING = RateLimit(per_second=None, adaptive=True)


def run(server: Server, calls: int, seed: int, within: float, rate_limit: RateLimit | None = None) -> Run:
    """Send calls through a session, until all were let pass or `within` seconds of virtual time are over."""
    return virtual_time.run(_run(server, calls, seed, within, rate_limit or LEARNING))


async def _run(server: Server, calls: int, seed: int, within: float, rate_limit: RateLimit) -> Run:
    result = Run()
    carrier = ModelCarrier(server, Random(seed), result.answers)
    settings = Settings(credentials=StaticToken("token"), base_url="http://127.0.0.1", rate_limit=rate_limit)
    session = Session(settings, carrier)
    await session.open()
    try:
        async with asyncio.timeout(within):
            await _send_all(session, calls)
        result.finished = True
    except* (TimeoutError, RateLimited):
        pass  # it did not finish: the table says so
    result.seconds = asyncio.get_running_loop().time()
    await session.close()
    return result


async def _send_all(session: Session, calls: int) -> None:
    turns = iter(range(calls))
    async with asyncio.TaskGroup() as workers:
        for _ in range(IN_FLIGHT):
            workers.create_task(_worker(session, turns))


async def _worker(session: Session, turns: Iterator[int]) -> None:
    for _ in turns:
        await session.send(_REQUEST)
