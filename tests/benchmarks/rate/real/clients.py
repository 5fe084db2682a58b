"""Two clients that do not know the limit: ours with its defaults, and aiohttp with tenacity."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import aiohttp
import attrs
import tenacity

from backupify_async import BackupifyClient
from tests.benchmarks.speed.ours import CONCURRENCY, client_at
from tests.benchmarks.speed.peers import HEADERS, active, work

_ATTEMPTS = 10
_REFUSALS = frozenset({403, 420, 429, 500, 502, 503, 504})  # statuses that are retried


@attrs.define
class Run:
    """A run of one client.

    Attributes:
        began: Its begin, in seconds since the epoch.
        seconds: Its duration, to its end or until it was cut.
        sent: Requests that got a response or failed.
        accepted: Calls that succeeded.
        errors: How many calls failed, by the type of the error.
        cut: Whether the time was over before all calls had ended.
    """

    began: float = attrs.field(factory=time.time)
    seconds: float = 0.0
    sent: int = 0
    accepted: int = 0
    errors: Counter[str] = attrs.field(factory=Counter)
    cut: bool = False

    @property
    def failed(self) -> int:
        """Calls that failed."""
        return self.errors.total()

    @property
    def refused(self) -> float:
        """The share of the requests that were refused or failed."""
        return 1 - self.accepted / self.sent if self.sent else 0.0


async def ours(base_url: str, calls: int, within: float) -> Run:
    """Get-active through a fleet, with the default limit."""
    run = Run()
    async with client_at(base_url) as client:
        await _timed(run, _fan_out(client, calls, run), within)
        now = client.statistics()
    run.sent = now.requests - (now.in_flight if run.cut else 0)
    return run


async def _fan_out(client: BackupifyClient, calls: int, run: Run) -> None:
    async with client.fleet(range(calls), concurrency=CONCURRENCY).get_active() as outcomes:
        async for outcome in outcomes:
            if outcome.error is None:
                run.accepted += 1
            else:
                run.errors[type(outcome.error).__name__] += 1


async def retry_only(base_url: str, calls: int, within: float) -> Run:
    """As many workers. A refused call backs off alone: for its Retry-After, else with full jitter."""
    run = Run()
    async with aiohttp.ClientSession(headers=HEADERS) as session:

        @tenacity.retry(
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            wait=_retry_after_or_jitter,
            retry=tenacity.retry_if_exception(_can_be_retried),
            reraise=True,
        )
        async def get(instance: int) -> None:
            try:
                async with session.get(active(base_url, instance), raise_for_status=True) as response:
                    await response.json()
            finally:
                run.sent += 1

        async def call(instance: int) -> None:
            try:
                await get(instance)
            except aiohttp.ClientError as error:
                run.errors[type(error).__name__] += 1
            else:
                run.accepted += 1

        await _timed(run, work(call, CONCURRENCY, calls), within)
    return run


_jitter = tenacity.wait_random_exponential(multiplier=0.5, max=8)


def _retry_after_or_jitter(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    if isinstance(error, aiohttp.ClientResponseError) and error.headers is not None:
        retry_after = error.headers.get("Retry-After", "")
        if retry_after.isdigit():
            return float(retry_after)
    return _jitter(state)


def _can_be_retried(error: BaseException) -> bool:
    if isinstance(error, aiohttp.ClientResponseError):
        return error.status in _REFUSALS
    return isinstance(error, aiohttp.ClientError)


async def _timed(run: Run, calls: Awaitable[None], within: float) -> None:
    began = time.monotonic()
    task = asyncio.ensure_future(calls)
    await asyncio.wait({task}, timeout=within)
    run.seconds = time.monotonic() - began
    run.cut = not task.done()
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


RunClient = Callable[[str, int, float], Awaitable[Run]]
CLIENTS: dict[str, RunClient] = {"ours": ours, "retry only": retry_only}
