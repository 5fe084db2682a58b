"""One client in a process of its own: `python -m tests.benchmarks.shared.sockets.member SETTINGS`.

It prints a line when its client is open, begins at a line on stdin, and prints what it met when it ends.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import attrs

from backupify_async import BackupifyClient, BackupifyError, ClientCredentials, SharedState, StaticToken
from backupify_async._transport.gate import Gate
from backupify_async._transport.rate import Ticket

_ACCOUNT = "benchmark"


@attrs.frozen(kw_only=True)
class MemberSettings:
    """What a member does.

    Attributes:
        name: In its User-Agent.
        base_url: The server.
        shared: Where it shares; None where it does not.
        workers: How many calls it has at once; 0 for one call after another with a pause.
        seconds: How long.
        warm_up: Seconds of these in which nothing is counted.
        token: Whether it has a token, and requests none.
    """

    name: str
    base_url: str
    shared: str | None
    workers: int
    seconds: float
    warm_up: float = 0.0
    token: bool = False


@attrs.frozen(kw_only=True)
class MemberResult:
    """What a member met.

    Attributes:
        calls: How many calls succeeded,
        failed: and how many did not.
        waits: How long each one waited for the gate, in seconds, sorted.
    """

    calls: int
    failed: int
    waits: list[float]


_PAUSE = 0.1  # seconds


class GateWatch:
    """Records how long calls wait for a gate."""

    def __init__(self, gate: Gate) -> None:
        self.waits: list[float] = []
        """How long calls waited, in seconds."""
        self._try_acquire, self._acquire = gate.try_acquire, gate.acquire
        gate.try_acquire, gate.acquire = self.try_acquire, self.acquire  # type: ignore[method-assign]

    def try_acquire(self, now: float) -> Ticket | None:
        """Acquire at once, if that is possible."""
        ticket = self._try_acquire(now)
        if ticket is not None:
            self.waits.append(0.0)
        return ticket

    async def acquire(self, began: int | None = None, **options: bool) -> Ticket:
        """Wait for the gate."""
        since = time.perf_counter()
        ticket = await self._acquire(began, **options)
        self.waits.append(time.perf_counter() - since)
        return ticket


async def run(settings: MemberSettings) -> MemberResult:
    """Send calls for a time."""
    shared = None if settings.shared is None else SharedState(settings.shared, account=_ACCOUNT)
    credentials = StaticToken("token") if settings.token else ClientCredentials("demo", "demo")
    async with BackupifyClient(
        credentials, base_url=settings.base_url, shared=shared, user_agent=f"{settings.name}/1"
    ) as client:
        watch = GateWatch(client._session._gate)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        loop = asyncio.get_running_loop()
        end, ids, failures = loop.time() + settings.seconds, itertools.count(1), itertools.count()
        loop.call_later(settings.warm_up, watch.waits.clear)
        workers = [_work(client, ids, failures, end, settings) for _ in range(max(1, settings.workers))]
        calls = sum(await asyncio.gather(*workers))
    return MemberResult(calls=calls, failed=next(failures), waits=sorted(watch.waits))


async def _work(
    client: BackupifyClient,
    ids: Iterator[int],
    failures: "itertools.count[int]",
    end: float,
    settings: MemberSettings,
) -> int:
    calls, loop = 0, asyncio.get_running_loop()
    while (remaining := end - loop.time()) > 0:
        try:
            async with asyncio.timeout(remaining):
                await client.backups.get_active(1 + next(ids) % 50, assume_exists=True)
            calls += loop.time() > end - settings.seconds + settings.warm_up
        except TimeoutError:
            break
        except BackupifyError:
            next(failures)
        if not settings.workers:
            await asyncio.sleep(_PAUSE)
    return calls


def main() -> None:
    settings: dict[str, Any] = json.loads(sys.argv[1])
    print(json.dumps(attrs.asdict(asyncio.run(run(MemberSettings(**settings))))), flush=True)


if __name__ == "__main__":
    main()
