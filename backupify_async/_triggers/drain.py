"""The end in good order: no further triggers leave, and those that have left come to their end."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self
from weakref import WeakSet

from backupify_async._checks import check_not_negative
from backupify_async._escaping import printable
from backupify_async._transport.scopes import CancelScope
from backupify_async.errors import ClientDraining

_REASON = "the client is draining"


class Sweep(Protocol):
    """A sweep of triggers that is under way."""

    def stop(self, reason: str) -> None:
        """Begin no more of it."""
        ...


class Drain:
    """What is known of the triggers under way, and whether any more may leave."""

    def __init__(self) -> None:
        self.begun = False
        """Whether none may leave any more."""
        self.under_way: dict[PendingTrigger, None] = {}
        """The triggers from their beginning until their fate is known, in order."""
        self.none_left = asyncio.Event()
        """Set whenever the last one ends."""
        self._sweeps: WeakSet[Sweep] = WeakSet()

    def watch(self, sweep: Sweep) -> None:
        """Stop a sweep where the drain begins before it ends."""
        self._sweeps.add(sweep)
        if self.begun:
            sweep.stop(_REASON)

    def require_not_begun(self, backup_instance_id: int | str) -> None:
        """Let a trigger leave only before the drain.

        Raises:
            ClientDraining: The drain has begun.
        """
        if self.begun:
            raise ClientDraining(
                f"{_REASON}: no backup of instance {printable(str(backup_instance_id))} was triggered"
            )

    async def run(self, timeout: float | None) -> int:  # noqa: ASYNC109 - it ends with a number, not an error
        """Let no more triggers leave, and wait for those that have left.

        Args:
            timeout: Seconds to wait at most; None for as long as it takes.

        Returns:
            How many are still under way.

        Raises:
            ValueError: `timeout` is no number from 0 up; nothing is drained.
        """
        if timeout is not None:
            check_not_negative("timeout", timeout)
        self.begun = True
        for sweep in list(self._sweeps):
            sweep.stop(_REASON)
        for trigger in self.under_way:
            if not trigger.is_open():
                trigger.end(_REASON)
        try:
            async with asyncio.timeout(timeout):
                while self.under_way:
                    self.none_left.clear()
                    await self.none_left.wait()
        except TimeoutError:
            pass
        return len(self.under_way)


class PendingTrigger(CancelScope):
    """One trigger, for as long as its context lasts.

    Args:
        drain: Ends it where it has not left yet.
        backup_instance_id: The instance.
        is_open: Whether it has left, and what became of it is to be found out.

    Raises:
        ClientDraining: The drain has begun before it left.
    """

    __slots__ = ("_drain", "_instance_id", "is_open")

    def __init__(self, drain: Drain, backup_instance_id: int | str, is_open: Callable[[], bool]) -> None:
        super().__init__()
        self._drain = drain
        self._instance_id = backup_instance_id
        self.is_open = is_open

    def __enter__(self) -> Self:
        self._drain.require_not_begun(self._instance_id)
        self._drain.under_way[self] = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._drain.under_way[self]
        if not self._drain.under_way:
            self._drain.none_left.set()
        if self.ended_by() is not None and kind is asyncio.CancelledError:
            self._drain.require_not_begun(self._instance_id)
