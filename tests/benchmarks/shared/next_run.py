"""The next run on the same store: how many calls are refused before the first 500 have passed.

A cron job runs again and again; what its last run learned is to spare it the refusals at the start.
"""

import asyncio

from tests.benchmarks.rate import virtual_time
from tests.benchmarks.rate.scenarios import SCENARIOS
from tests.benchmarks.shared.group import Group, GroupRun
from tests.benchmarks.shared.stores import in_memory
from tests.support.faulty_store import Memory

CALLS = 500
_LEARNED = 3_000
_NAMED = {scenario.name: scenario for scenario in SCENARIOS}


def next_run(name: str, seed: int, rest: float, *, processes: int = 8, workers: int = 16) -> GroupRun:
    """Let one group learn a server's limit and end, and another one begin.

    Args:
        name: Of the scenario.
        seed: Of all that is random.
        rest: Seconds between the two.
        processes: How many processes there are.
        workers: How many calls each has at once.

    Returns:
        What the second group did.
    """
    server, memory = _NAMED[name].server(seed), Memory()

    async def one(calls: int) -> GroupRun:
        group = Group(server, in_memory(memory, seed), seed)
        await group.join(processes)
        turns = iter(range(calls))
        await asyncio.wait([t for process in group.run.processes for t in process.start(turns, workers)])
        await group.close()
        return group.run

    async def both() -> GroupRun:
        await one(_LEARNED)
        await asyncio.sleep(rest)
        return await one(CALLS)

    return virtual_time.run(both())
