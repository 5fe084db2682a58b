"""Functions and sources of keys for fan-outs without a network, which a test can observe."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from typing import Any

from backupify_async import Outcome, Outcomes


class Work:
    """A coroutine function that takes loop time, fails for chosen keys, and counts its calls in flight.

    Args:
        seconds: How long a call takes; or a function of the key that says so.
        failing: The keys that raise `LookupError`.
    """

    def __init__(
        self, seconds: float | Callable[[Any], float] = 1.0, failing: Collection[object] = ()
    ) -> None:
        self._seconds = seconds
        self._failing = failing
        self.begun: list[Any] = []
        self.ended: list[Any] = []
        self.in_flight = 0
        self.most_in_flight = 0

    async def __call__(self, key: Any) -> str:
        self.begun.append(key)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self._seconds(key) if callable(self._seconds) else self._seconds)
            self.ended.append(key)
        finally:
            self.in_flight -= 1
        if key in self._failing:
            raise LookupError(key)
        return f"did {key}"


class Keys:
    """A lazy source of keys that counts those that were taken, and can raise at its end."""

    def __init__(self, keys: Iterable[Any], fails_with: BaseException | None = None) -> None:
        self._keys = iter(keys)
        self._fails_with = fails_with
        self.taken = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        for key in self._keys:
            self.taken += 1
            return key
        if self._fails_with is not None:
            raise self._fails_with
        raise StopIteration


class AsyncKeys:
    """An async source that fails if two tasks read at once, and records whether it was closed."""

    def __init__(self, keys: Iterable[Any], *, seconds: float = 0.0) -> None:
        self._keys = iter(keys)
        self._seconds = seconds
        self._reading = False
        self.closed = False

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._reading:
            raise RuntimeError("two tasks read at once")
        self._reading = True
        try:
            await asyncio.sleep(self._seconds)
            for key in self._keys:
                return key
            raise StopAsyncIteration
        finally:
            self._reading = False

    async def aclose(self) -> None:
        """Record that it was closed."""
        self.closed = True


class BaseError(BaseException):
    """Neither an `Exception` nor an end of the process, like pyo3's PanicException and pytest's Failed."""


async def drain(outcomes: Outcomes[Any, Any]) -> tuple[list[Outcome[Any, Any]], BaseException | None]:
    """All outcomes, and the error that ended them; None for no error."""
    found: list[Outcome[Any, Any]] = []
    try:
        async for outcome in outcomes:
            found += [outcome]
    except Exception as error:  # noqa: BLE001 - a test checks it
        return found, error
    return found, None


def now() -> float:
    """Seconds by the clock of the loop, which is virtual in these tests."""
    return round(asyncio.get_running_loop().time(), 6)


def other_tasks() -> set[asyncio.Task[Any]]:
    """All tasks but this one."""
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
