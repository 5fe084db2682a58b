"""Members of a store: what they are woken by, and what they read and write."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from backupify_async._shared.store import StateStore, Stored


class Wake:
    """Waits for announcements."""

    def __init__(self) -> None:
        self.count = 0
        self._event = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self._event.set()

    async def arrived(self) -> None:
        async with asyncio.timeout(5.0):
            await self._event.wait()
        self._event.clear()


@contextlib.asynccontextmanager
async def opened(*stores: StateStore, wake: Wake | None = None) -> AsyncIterator[None]:
    """The stores, opened; all listen by the same `wake`."""
    async with contextlib.AsyncExitStack() as stack:
        for store in stores:
            stack.push_async_callback(store.close)
            await store.open(wake or Wake())
        yield


async def read(store: StateStore, name: str = "limit") -> Stored:
    """A value as it is, by a turn that changes nothing."""
    seen: list[Stored] = []
    await store.turn(name, seen.append)
    return seen[-1]


class Writing:
    """A change that writes a value, and records what it was called with."""

    def __init__(self, value: bytes) -> None:
        self.value = value
        self.seen: list[bytes | None] = []

    def __call__(self, stored: Stored) -> bytes:
        self.seen.append(stored.value)
        return self.value
