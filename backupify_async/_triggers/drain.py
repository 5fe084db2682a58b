"""A graceful stop: no more triggers are sent, and the pending ones are followed to their end."""

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


class Stoppable(Protocol):
    """A fan-out of triggers, as far as a drain needs it."""

    def stop(self, reason: str) -> None:
        """Begin nothing more."""
        ...


class Drain:
    """The pending triggers of one client, and whether any more may be sent."""

    def __init__(self) -> None:
        self.begun = False
        """Whether no more may be sent."""
        self.pending: dict[PendingTrigger, None] = {}
        """The triggers from their beginning until their outcome is known, in order."""
        self.reconciling = 0
        """How many of them have lost their response and are being reconciled."""
        self._all_ended = asyncio.Event()
        self._fan_outs: WeakSet[Stoppable] = WeakSet()

    def stops(self, fan_out: Stoppable) -> None:
        """Let the drain stop this fan-out."""
        self._fan_outs.add(fan_out)
        if self.begun:
            fan_out.stop(_REASON)

    def require_not_begun(self, backup_instance_id: int | str) -> None:
        """Refuse to send a trigger after the drain has begun.

        Raises:
            ClientDraining: It has begun.
        """
        if self.begun:
            raise ClientDraining(
                f"{_REASON}: no backup of instance {printable(str(backup_instance_id))} was triggered"
            )

    async def run(self, timeout: float | None) -> int:  # noqa: ASYNC109 - it ends with a number, not an error
        """Send no more triggers, and wait for the pending ones.

        Args:
            timeout: Seconds to wait at most; None for no limit.

        Returns:
            How many are still pending.

        Raises:
            ValueError: `timeout` is not a number from 0 up; nothing is drained.
        """
        if timeout is not None:
            check_not_negative("timeout", timeout)
        self.begun = True
        for fan_out in list(self._fan_outs):
            fan_out.stop(_REASON)
        for trigger in self.pending:
            if not trigger.is_open():
                trigger.end(_REASON)
        try:
            async with asyncio.timeout(timeout):
                while self.pending:
                    self._all_ended.clear()
                    await self._all_ended.wait()
        except TimeoutError:
            pass
        return len(self.pending)

    def remove(self, trigger: "PendingTrigger") -> None:
        """Remove a trigger that has ended."""
        del self.pending[trigger]
        if not self.pending:
            self._all_ended.set()


class PendingTrigger(CancelScope):
    """One trigger, for as long as its context lasts.

    Args:
        drain: Ends it if it was not sent yet.
        backup_instance_id: The instance.
        is_open: Whether something was sent whose end must be waited for.

    Raises:
        ClientDraining: The drain has begun before it was sent.
    """

    __slots__ = ("_drain", "_instance_id", "is_open")

    def __init__(self, drain: Drain, backup_instance_id: int | str, is_open: Callable[[], bool]) -> None:
        super().__init__()
        self._drain = drain
        self._instance_id = backup_instance_id
        self.is_open = is_open

    def __enter__(self) -> Self:
        self._drain.require_not_begun(self._instance_id)
        self._drain.pending[self] = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drain.remove(self)
        if self.ended_by() is not None and kind is asyncio.CancelledError:
            self._drain.require_not_begun(self._instance_id)
