"""The stores that a group can share a limit in, by name.

A store of real files or of a real server takes part in real time only: such rows run over sockets.
"""

from collections.abc import Callable

from tests.benchmarks.shared.group import StoreFactory
from tests.support.faulty_store import FaultyStore, Memory

Milliseconds = tuple[float, float]


def in_memory(memory: Memory, seed: int) -> StoreFactory:
    """Stores in one memory."""
    return lambda number: FaultyStore(memory, 1000 * seed + number)


def nothing(_: int) -> None:
    """For processes that share nothing."""


def memory_store(turns: Milliseconds | None, seed: int) -> StoreFactory:
    """Stores in a memory of their own; `turns` is how long a message and its response take."""
    latency = None if turns is None else (turns[0] / 1000, turns[1] / 1000)
    return in_memory(Memory(latency), seed)


STORES: dict[str, Callable[[Milliseconds | None, int], StoreFactory]] = {"memory": memory_store}
"""Makes the stores of a run, from how long turns take and a seed."""
