"""Lets each client meet each throttle."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

from tests.benchmarks.rate.real.clients import WAYS, Run
from tests.benchmarks.rate.real.packages import reason_to_skip
from tests.benchmarks.rate.real.processes import CannotStart, running
from tests.benchmarks.rate.real.table import Row
from tests.benchmarks.rate.real.throttles import NAMED, Throttle

_AT_ONCE = 4  # runs: what they do most of the time is wait


def measure(name: str, way: str, calls: int, within: float, packages: Path) -> Run:
    """One client against one throttle, both new.

    Args:
        name: The throttle's.
        way: The client's, of `WAYS`.
        calls: How many to make.
        within: After how many seconds to cut it.
        packages: Where what the throttle needs was installed.

    Raises:
        CannotStart: The throttle does not listen.
    """
    with running(NAMED[name], packages) as base_url:
        return asyncio.run(_called(way, base_url, calls, within))


async def _called(way: str, base_url: str, calls: int, within: float) -> Run:
    return await WAYS[way](base_url, calls, within)


def rows(throttles: Sequence[Throttle], calls: int, within: float, packages: Path) -> Iterator[Row]:
    """Measure everything, a few at once, and give the rows in their order."""
    skipped = {throttle.name: reason_to_skip(throttle.needs, packages) for throttle in throttles}
    with ProcessPoolExecutor(_AT_ONCE) as processes:
        jobs = {
            name: {way: processes.submit(measure, name, way, calls, within, packages) for way in WAYS}
            for name, reason in skipped.items()
            if reason is None
        }
        for throttle in throttles:
            reason = skipped[throttle.name]
            yield Row(throttle, reason=reason) if reason else _row(throttle, jobs[throttle.name])


def _row(throttle: Throttle, jobs: dict[str, Future[Run]]) -> Row:
    try:
        return Row(throttle, {way: job.result() for way, job in jobs.items()})
    except CannotStart as error:
        return Row(throttle, reason=f"cannot be started: {error}", broken=True)
