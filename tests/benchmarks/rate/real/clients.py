"""Two clients that know nothing of the limit: ours as it comes, and aiohttp with tenacity."""

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
_REFUSALS = frozenset({403, 420, 429, 500, 502, 503, 504})  # that the retrying client sends again


@attrs.define
class Run:
    """What one client did.

    Attributes:
        began: When, in seconds since the epoch.
        seconds: How long it took, or until it was cut.
        sent: Requests that were answered, or failed.
        answered: Calls that were let pass.
        errors: How many calls failed with what.
        cut: Whether it was not done when the time was over.
    """

    began: float = attrs.field(factory=time.time)
    seconds: float = 0.0
    sent: int = 0
    answered: int = 0
    errors: Counter[str] = attrs.field(factory=Counter)
    cut: bool = False

    @property
    def failed(self) -> int:
        """Calls that failed."""
        return self.errors.total()

    @property
    def refused(self) -> float:
        """The share of all that was sent that came back with nothing."""
        return 1 - self.answered / self.sent if self.sent else 0.0


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
                run.answered += 1
            else:
                run.errors[type(outcome.error).__name__] += 1


async def retry_only(base_url: str, calls: int, within: float) -> Run:
    """As many workers, of which each backs off alone: Retry-After, else full jitter."""
    run = Run()
    async with aiohttp.ClientSession(headers=HEADERS) as session:

        @tenacity.retry(
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            wait=_retry_after_or_jitter,
            retry=tenacity.retry_if_exception(_is_worth_another),
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
                run.answered += 1

        await _timed(run, work(call, CONCURRENCY, calls), within)
    return run


_jitter = tenacity.wait_random_exponential(multiplier=0.5, max=8)


def _retry_after_or_jitter(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    if isinstance(error, aiohttp.ClientResponseError) and error.headers is not None:
        told = error.headers.get("Retry-After", "")
        if told.isdigit():
            return float(told)
    return _jitter(state)


def _is_worth_another(error: BaseException) -> bool:
    if isinstance(error, aiohttp.ClientResponseError):
        return error.status in _REFUSALS
    return isinstance(error, aiohttp.ClientError)


async def _timed(run: Run, calling: Awaitable[None], within: float) -> None:
    began = time.monotonic()
    task = asyncio.ensure_future(calling)
    await asyncio.wait({task}, timeout=within)
    run.seconds = time.monotonic() - began
    run.cut = not task.done()
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


Way = Callable[[str, int, float], Awaitable[Run]]
WAYS: dict[str, Way] = {"ours": ours, "retry only": retry_only}
