"""A store of shared values in the memory of one process, with faults on demand, for virtual time."""

import asyncio
from collections.abc import Callable
from random import Random

import attrs

from backupify_async._shared.store import BadRecord, Change, Stored, StoreUnavailable, note_put_aside

ANNOUNCED_AFTER = 0.0002
"""Seconds until an announcement reaches the others."""


@attrs.define(eq=False)
class Memory:
    """What the members' stores have in common.

    Attributes:
        latency: Seconds that a message to the store and its response take, at least and at most; None for a
            store on the same machine, whose turns take no time.
        away: Whether it cannot be reached.
        hangs: Whether requests are lost.
        clock_error: Seconds by which its clock is wrong.
        epoch: Which clock that is.
        values: What is stored.
        put_aside: What could not be read.
        turns: How many turns were taken,
        conflicts: and how many more times members tried,
        writes: and how many turns have written.
    """

    latency: tuple[float, float] | None = None
    away: bool = False
    hangs: bool = False
    clock_error: float = 0.0
    epoch: str = "boot"
    values: dict[str, bytes] = attrs.field(factory=dict)
    put_aside: list[bytes] = attrs.field(factory=list)
    turns: int = 0
    conflicts: int = 0
    writes: int = 0
    stores: list["FaultyStore"] = attrs.field(factory=list)

    def read(self, name: str) -> Stored:
        now = asyncio.get_running_loop().time() + 1000.0
        return Stored(self.values.get(name), now + self.clock_error, self.epoch, 1.8e9 + now)

    def clear(self) -> None:
        """Lose everything."""
        self.values.clear()


class FaultyStore:
    """One member's access to the memory."""

    def __init__(self, memory: Memory, seed: int = 0) -> None:
        self._memory = memory
        self._random = Random(f"memory {seed}")
        self._newer: set[str] = set()
        self._on_change: Callable[[], None] | None = None

    async def open(self, on_change: Callable[[], None]) -> None:
        await self._travel()
        self._on_change = on_change
        self._memory.stores.append(self)

    async def close(self) -> None:
        if self in self._memory.stores:
            self._memory.stores.remove(self)

    async def announce(self) -> None:
        await self._travel()
        loop = asyncio.get_running_loop()
        for store in self._memory.stores:
            if store is not self and store._on_change is not None:
                loop.call_later(ANNOUNCED_AFTER, store._on_change)

    async def turn(self, name: str, change: Change) -> None:
        memory = self._memory
        memory.turns += 1
        await self._travel()
        stored = memory.read(name)
        while True:
            await self._travel()
            try:
                value = change(stored)
            except BadRecord as bad:
                memory.put_aside.append(memory.values.pop(name))
                note_put_aside(self._newer, name, bad)
                stored = memory.read(name)
                continue
            if value is None:
                return
            await self._travel()
            now = memory.read(name)
            if now.value == stored.value:
                break
            stored = now
            memory.conflicts += 1
        memory.values[name] = value
        memory.writes += 1
        await self._travel()

    async def _travel(self) -> None:
        """One way to the store, or back."""
        if self._memory.hangs:
            await asyncio.sleep(1.0)
        if self._memory.hangs or self._memory.away:
            raise StoreUnavailable("it is away")
        if self._memory.latency is not None:
            await asyncio.sleep(self._random.uniform(*self._memory.latency) / 2)
