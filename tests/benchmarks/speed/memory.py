"""How the memory grows with the number of keys, if the outcomes are consumed.

The whole client runs, but without a network, because a million calls would take too long. Each number of keys
is measured in a new process: `python -m tests.benchmarks.speed.memory 1000` prints the peak in MB.
"""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from multidict import CIMultiDict, CIMultiDictProxy

from backupify_async import RateLimit, StaticToken, fan_out
from backupify_async._resources.backups import Backups
from backupify_async._transport.session import Session
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async.config import Settings
from tests.benchmarks.speed.measuring import Figure
from tests.benchmarks.speed.ours import CONCURRENCY
from tests.benchmarks.speed.server import Server
from tests.benchmarks.speed.sizes import Size
from tests.benchmarks.speed.table import Row

_KB_PER_MB = 1024
_STATUS = Path("/proc/self/status")


class _ImmediateTransport:
    """Responds to each request in the next turn of the loop."""

    max_concurrency = CONCURRENCY

    async def open(self, settings: Settings) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """There is nothing to close."""

    async def __call__(self, request: PreparedRequest) -> Response:
        await asyncio.sleep(0)
        body = b'{"id":1007,"status":"running","started_at":"2026-11-23T10:00:01.000Z"}'
        return Response(request, 200, CIMultiDictProxy(CIMultiDict({"Date": str(datetime.now(UTC))})), body)


async def _sweep(keys: int) -> None:
    settings = Settings(
        credentials=StaticToken("token"),
        base_url="http://127.0.0.1",
        rate_limit=RateLimit(None, adaptive=True),
    )
    session = Session(settings, _ImmediateTransport())
    await session.open()
    async with fan_out(Backups(session).get_active, range(keys), concurrency=CONCURRENCY) as outcomes:
        async for outcome in outcomes:
            assert outcome.value is not None
    await session.close()


def peak(keys: int) -> float:
    """The peak memory of a process that sweeps over this many keys, in MB."""
    command = [sys.executable, "-m", "tests.benchmarks.speed.memory", str(keys)]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


def rows(_server: Server, size: Size) -> Iterator[Row]:
    """The additional memory of each greater number of keys, compared with the smallest one."""
    few, *more = size.keys
    if not _STATUS.exists():
        print(f"left out, because this system has no {_STATUS}: peak memory")
        return
    for keys in more:
        must, goal = (5, 0.5) if keys == more[-1] else (None, None)
        grown = Figure.of(peak(keys) - peak(few) for _ in range(min(size.pairs, 3)))
        what = f"peak memory of a sweep over {keys:,} keys, above {few:,}"
        yield Row(what, grown, must, goal, "MB")


if __name__ == "__main__":
    asyncio.run(_sweep(int(sys.argv[1])))
    # Not getrusage: its value is never below the peak of the process that started this one.
    (high_water,) = re.findall(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
    print(int(high_water) / _KB_PER_MB)
