"""Several ways to do the same work, by turns in one process: what each costs in CPU, as ratios."""

import asyncio
import contextlib
import gc
import statistics
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from typing import Any, Self

import attrs

Batch = Callable[[int], Coroutine[Any, Any, None]]
"""Does the work so many times."""


@attrs.frozen
class Way:
    """One way to do the work.

    Attributes:
        name: What the table calls it.
        ready: Makes it ready, and gives the batch.
        calls: How many calls make a batch: a slow way needs few for a time that can be measured.
        new_loop: Makes the loop that it runs in.
    """

    name: str
    ready: Callable[[], AbstractAsyncContextManager[Batch]]
    calls: int
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop


@attrs.frozen
class Figure:
    """What was measured in several pairs: the median, and its range."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Sum values up."""
        ordered = sorted(values)
        return cls(statistics.median(ordered), ordered[0], ordered[-1])


_LARGE = 4 * 2**20  # bytes


def keep_memory() -> None:
    """Have glibc keep what is freed from now on, as it does in a process that once freed a block so large."""
    freed = bytearray(_LARGE)
    del freed


Costs = dict[str, list[float]]
"""CPU seconds per call, by way; the values of one round stand at the same place."""


def costs(ways: Sequence[Way], rounds: int) -> Costs:
    """What a call of each way costs, round by round; every other round goes backwards.

    CPU is that of the whole process, its threads among it. All ways are warm: the first batch is not counted.
    """
    found: Costs = {way.name: [] for way in ways}
    with ExitStack() as stack:
        batches = [(way, *_made_ready(stack, way)) for way in ways]
        # What all these libraries brought along is no garbage, and no user has all of them: it is not looked
        # through again and again while one of them works.
        gc.collect()
        gc.freeze()
        stack.callback(gc.unfreeze)
        for turn in range(rounds):
            for way, runner, batch in batches if turn % 2 == 0 else reversed(batches):
                gc.collect()
                began = time.process_time()
                runner.run(batch(way.calls))
                found[way.name].append((time.process_time() - began) / way.calls)
    return found


def _made_ready(stack: ExitStack, way: Way) -> tuple[asyncio.Runner, Batch]:
    runner = stack.enter_context(asyncio.Runner(loop_factory=way.new_loop))
    ways = contextlib.AsyncExitStack()
    stack.callback(lambda: runner.run(ways.aclose()))
    batch = runner.run(_enter(ways, way))
    runner.run(batch(way.calls))
    return runner, batch


async def _enter(ways: contextlib.AsyncExitStack, way: Way) -> Batch:
    return await ways.enter_async_context(way.ready())


def ratio(found: Costs, of: str, over: str) -> Figure:
    """What one way costs over another, round by round."""
    return Figure.of(a / b for a, b in zip(found[of], found[over], strict=True))
