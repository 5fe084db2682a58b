"""A `StateStore` in memory, for members in one event loop: its clock is the loop's, which can be virtual."""

import asyncio
from collections.abc import Callable

import attrs

from backupify_async._shared.store import BadRecord, Change, Stored, StoreUnavailable, note_put_aside


@attrs.define
class MemoryHub:
    """What the members of one group share.

    Attributes:
        values: The values by name.
        put_aside: The values that were put aside, with their names.
        away: Whether every turn and announcement fails.
        delay: How long a turn takes between reading and writing, in seconds; others take turns meanwhile.
        turns: How many turns were taken.
        epoch: The epoch of its clock.
        clock_offset: What its clock shows beyond the loop's.
    """

    values: dict[str, bytes] = attrs.field(factory=dict)
    put_aside: list[tuple[str, bytes]] = attrs.field(factory=list)
    away: bool = False
    delay: float = 0.0
    turns: int = 0
    epoch: str = "memory"
    clock_offset: float = 0.0
    listeners: "dict[MemoryStore, Callable[[], None]]" = attrs.field(factory=dict)

    def stored(self, value: bytes | None) -> Stored:
        """A value at this moment."""
        now = asyncio.get_running_loop().time() + self.clock_offset
        return Stored(value, now, self.epoch, 1_000_000_000.0 + now)


@attrs.define(eq=False)
class MemoryStore:
    """One member's access to a hub."""

    hub: MemoryHub
    _newer: set[str] = attrs.field(factory=set)

    async def open(self, on_change: Callable[[], None]) -> None:
        """Listen for announcements."""
        self.hub.listeners[self] = on_change

    async def turn(self, name: str, change: Change) -> None:
        """Compare and set, until no other member was faster."""
        hub = self.hub
        while True:
            await asyncio.sleep(0.0)
            self._require_hub()
            hub.turns += 1
            read = hub.values.get(name)
            try:
                value = change(hub.stored(read))
            except BadRecord as bad:
                self._put_aside(name, bad)
                continue
            await asyncio.sleep(hub.delay)
            self._require_hub()
            if hub.values.get(name) == read:
                if value is not None:
                    hub.values[name] = value
                return

    async def announce(self) -> None:
        """Wake the others, each by a call from the loop."""
        self._require_hub()
        for store, on_change in self.hub.listeners.items():
            if store is not self:
                asyncio.get_running_loop().call_soon(on_change)

    async def close(self) -> None:
        """Stop listening."""
        self.hub.listeners.pop(self, None)

    def _require_hub(self) -> None:
        if self.hub.away:
            raise StoreUnavailable("the hub is away")

    def _put_aside(self, name: str, bad: BadRecord) -> None:
        self.hub.put_aside.append((name, self.hub.values.pop(name)))
        note_put_aside(self._newer, name, bad)
