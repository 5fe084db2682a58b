"""The end in good order: no further triggers leave, and those that have left come to their end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from weakref import WeakSet

from backupify_async.errors import ClientDraining


class Sweep(Protocol):
    """A sweep of triggers that is under way."""

    def stop(self, reason: str) -> None:
        """Begin no more of it."""
        ...


class Drain:
    """What is known of the triggers under way, and whether any more may leave."""

    def __init__(self) -> None:
        self._begun = False
        self._under_way = 0
        self._none_left = asyncio.Event()
        self._sweeps: WeakSet[Sweep] = WeakSet()

    def watch(self, sweep: Sweep) -> None:
        """Stop a sweep where the drain begins before it ends."""
        self._sweeps.add(sweep)
        if self._begun:
            sweep.stop(_REASON)

    @contextmanager
    def under_way(self, backup_instance_id: int | str) -> Iterator[None]:
        """A trigger, from its beginning until its fate is known.

        Raises:
            ClientDraining: None may begin any more.
        """
        self.require_not_begun(backup_instance_id)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._none_left.set()

    def require_not_begun(self, backup_instance_id: int | str) -> None:
        """Let a trigger leave only before the drain.

        Raises:
            ClientDraining: The drain has begun.
        """
        if self._begun:
            raise ClientDraining(f"{_REASON}: no backup of instance {backup_instance_id} was triggered")

    async def run(self, timeout: float | None) -> int:  # noqa: ASYNC109 - it ends with a number, not an error
        """Let no more triggers leave, and wait for those under way.

        Args:
            timeout: Seconds to wait at most; None for as long as it takes.

        Returns:
            How many are still under way.
        """
        self._begun = True
        for sweep in list(self._sweeps):
            sweep.stop(_REASON)
        try:
            async with asyncio.timeout(timeout):
                while self._under_way:
                    self._none_left.clear()
                    await self._none_left.wait()
        except TimeoutError:
            pass
        return self._under_way


_REASON = "the client is draining"
