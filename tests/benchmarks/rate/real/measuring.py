"""Runs each client against each throttle."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

from tests.benchmarks.rate.real.clients import CLIENTS, Run
from tests.benchmarks.rate.real.packages import reason_to_skip
from tests.benchmarks.rate.real.processes import CannotStart, running
from tests.benchmarks.rate.real.table import Row
from tests.benchmarks.rate.real.throttles import NAMED, Throttle

_AT_ONCE = 4  # runs, which mostly wait


def measure(name: str, client: str, calls: int, within: float, packages: Path) -> Run:
    """Run one client against one throttle, both new.

    Args:
        name: The name of the throttle.
        client: The name of the client in `CLIENTS`.
        calls: How many calls to send.
        within: Seconds after which the run is cut.
        packages: Where the throttle's packages are installed.

    Raises:
        CannotStart: The throttle does not listen.
    """
    with running(NAMED[name], packages) as base_url:
        return asyncio.run(_called(client, base_url, calls, within))


async def _called(client: str, base_url: str, calls: int, within: float) -> Run:
    return await CLIENTS[client](base_url, calls, within)


def rows(throttles: Sequence[Throttle], calls: int, within: float, packages: Path) -> Iterator[Row]:
    """Measure all throttles, a few at once. Yields the rows in their order."""
    skipped = {throttle.name: reason_to_skip(throttle.needs, packages) for throttle in throttles}
    with ProcessPoolExecutor(_AT_ONCE) as processes:
        jobs = {
            name: {
                client: processes.submit(measure, name, client, calls, within, packages) for client in CLIENTS
            }
            for name, reason in skipped.items()
            if reason is None
        }
        for throttle in throttles:
            reason = skipped[throttle.name]
            yield Row(throttle, reason=reason) if reason else _row(throttle, jobs[throttle.name])


def _row(throttle: Throttle, jobs: dict[str, Future[Run]]) -> Row:
    try:
        return Row(throttle, {client: job.result() for client, job in jobs.items()})
    except CannotStart as error:
        return Row(throttle, reason=f"cannot be started: {error}", broken=True)
