"""An event loop whose clock jumps to the next timer instead of waiting for it.

`looptime`, which the tests use, waits 42 idle rounds before each jump, because sockets or threads could be
active. Here there are none, which makes this loop several times faster.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _IdleSelector:
    """A selector without files. Waiting only moves the virtual time."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("all tasks wait, and there is no timer")
        self._loop.now += timeout
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop of timers and tasks only, in virtual time from 0 on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._selector = _IdleSelector(self)

    def time(self) -> float:
        """Seconds of virtual time."""
        return self.now

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """There is no other thread."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
