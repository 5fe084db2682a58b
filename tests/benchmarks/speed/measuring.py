"""Measures the CPU time of several ways to do the same work, by turns in one process, as ratios."""

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
"""Does the work this many times."""


@attrs.frozen
class Way:
    """One way to do the work.

    Attributes:
        name: Its name in the table.
        ready: Prepares it, and yields the batch.
        calls: How many calls make a batch; a slow way needs few for a measurable time.
        new_loop: Makes its event loop.
    """

    name: str
    ready: Callable[[], AbstractAsyncContextManager[Batch]]
    calls: int
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop


@attrs.frozen
class Figure:
    """A value that was measured in several pairs: the median, and the range."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Summarize values."""
        ordered = sorted(values)
        return cls(statistics.median(ordered), ordered[0], ordered[-1])


_LARGE = 4 * 2**20  # bytes


def keep_memory() -> None:
    """Make glibc keep freed memory from now on, as in a process that once freed a large block."""
    freed = bytearray(_LARGE)
    del freed


Costs = dict[str, list[float]]
"""CPU seconds per call, by way. The values of one round have the same index."""


def costs(ways: Sequence[Way], rounds: int) -> Costs:
    """What a call of each way costs, round by round; every other round in reverse order.

    CPU time is that of the whole process with its threads. The first batch of each way is not counted.
    """
    found: Costs = {way.name: [] for way in ways}
    with ExitStack() as stack:
        batches = [(way, *_made_ready(stack, way)) for way in ways]
        # The objects of all these libraries are no garbage, and no user has all of them: the collector
        # ignores them during the measurement.
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
    """The cost of one way over that of another, from all rounds."""
    return Figure.of(a / b for a, b in zip(found[of], found[over], strict=True))
