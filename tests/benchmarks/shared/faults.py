"""What a fault costs a group that shares a limit: a bucket of 83 a second, 8 processes, 40 seconds.

The fault comes at 15 s. Rates are in percent of what the server lets pass.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable

import attrs

from tests.benchmarks.rate.servers import TokenBucket
from tests.benchmarks.rate.table import FIRST_SEED, markdown
from tests.benchmarks.shared.group import Group, GroupRun, watch
from tests.benchmarks.shared.stores import in_memory
from tests.support.faulty_store import Memory

RATE, BURST = 83.0, 17
AT, LASTS, END = 15.0, 6.0, 40.0
_HEAD = ("fault", "5 s before", "6 s from it", "next 5 s", "to the end", "refused before", "from it", "fair")
_WIDTHS = (28, 10, 11, 10, 10, 14, 8, 6)

Happens = Callable[[Group, Memory], Awaitable[None]]


async def _nothing(group: Group, memory: Memory) -> None:
    pass


async def _a_member_dies(group: Group, memory: Memory) -> None:
    await group.run.processes[0].die()


async def _a_member_stops(group: Group, memory: Memory) -> None:
    group.run.processes[0].slowness.stopped_until = AT + LASTS


async def _the_store_is_away(group: Group, memory: Memory) -> None:
    memory.away = True
    await asyncio.sleep(LASTS)
    memory.away = False


async def _the_store_hangs(group: Group, memory: Memory) -> None:
    memory.hangs = True
    await asyncio.sleep(LASTS)
    memory.hangs = False


async def _the_store_is_emptied(group: Group, memory: Memory) -> None:
    memory.clear()


async def _the_store_restarts_empty(group: Group, memory: Memory) -> None:
    memory.clear()
    await _the_store_is_away(group, memory)


def _clock(seconds: float) -> Happens:
    async def jump(group: Group, memory: Memory) -> None:
        memory.clock_error = seconds

    return jump


async def _another_joins(group: Group, memory: Memory) -> None:
    await group.join()
    group.run.processes[-1].start(iter(range(10**9)), 16)


async def _a_loop_is_blocked(group: Group, memory: Memory) -> None:
    group.run.processes[0].slowness.tick = 0.051


async def _all_loops_are_blocked(group: Group, memory: Memory) -> None:
    for process in group.run.processes:
        process.slowness.tick = 0.051


async def _the_store_is_far(group: Group, memory: Memory) -> None:
    memory.latency = (0.010, 0.010)


FAULTS: dict[str, Happens] = {
    "none": _nothing,
    "a member dies": _a_member_dies,
    "a member stops for 6 s": _a_member_stops,
    "store away for 6 s": _the_store_is_away,
    "store hangs for 6 s": _the_store_hangs,
    "store emptied": _the_store_is_emptied,
    "store away, then empty": _the_store_restarts_empty,
    "store's clock 30 s back": _clock(-30.0),
    "store's clock 30 s ahead": _clock(30.0),
    "a ninth member joins": _another_joins,
    "a loop blocked 50 of 51 ms": _a_loop_is_blocked,
    "all loops blocked": _all_loops_are_blocked,
    "store 10 ms away": _the_store_is_far,
}


def run(happens: Happens, seed: int) -> GroupRun:
    """Let a fault happen to a group."""
    memory = Memory()

    async def after_a_while(group: Group) -> None:
        await asyncio.sleep(AT)
        await happens(group, memory)

    return watch(TokenBucket(RATE, BURST), in_memory(memory, seed), seed, END, after_a_while)


@attrs.frozen
class Cost:
    """What a fault cost.

    Attributes:
        before: Percent of the limit that was used in the 5 s before it,
        during: in the 6 s from it on,
        after: in the 5 s after these,
        late: and from then to the end.
        refused_before: How many calls were refused before it,
        refused: and from it on.
        fairness: Jain's index from 10 s after the fault on.
    """

    before: float
    during: float
    after: float
    late: float
    refused_before: int
    refused: int
    fairness: float

    @classmethod
    def of(cls, run: GroupRun) -> "Cost":
        """The cost in a run."""

        def used(begin: float, end: float) -> float:
            return 100 * run.accepted(begin, end) / (RATE * (end - begin))

        over = AT + LASTS
        return cls(
            used(AT - 5, AT),
            used(AT, over),
            used(over, over + 5),
            used(over + 5, END),
            run.refused(0.0, AT),
            run.refused(AT, math.inf),
            run.fairness(over + 4, END),
        )


def print_table(only: str, seeds: int) -> int:
    """Print what each fault costs, by the worst of the seeds. Returns how many are too dear."""
    print(f"{markdown(_HEAD, _WIDTHS)}\n{markdown(['-' * width for width in _WIDTHS], _WIDTHS)}")
    for name, happens in FAULTS.items():
        if only not in name:
            continue
        costs = [Cost.of(run(happens, FIRST_SEED + at)) for at in range(seeds)]
        cells = [name]
        cells += [
            f"{min(getattr(c, part) for c in costs):.1f}" for part in ("before", "during", "after", "late")
        ]
        cells += [str(max(getattr(cost, part) for cost in costs)) for part in ("refused_before", "refused")]
        cells.append(f"{min(cost.fairness for cost in costs):.3f}")
        print(markdown(cells, _WIDTHS), flush=True)
    return 0
