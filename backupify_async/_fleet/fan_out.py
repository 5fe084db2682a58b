"""`fan_out`: one coroutine function for many keys, concurrently, in bounded memory, each key accounted for.

`streaming` has the workers and their theory of operation. Nothing here is about backups.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Generator, Hashable, Iterable
from types import TracebackType
from typing import Any, Generic, TypeVar

from backupify_async._checks import check_count
from backupify_async._fleet.outcomes import Results
from backupify_async._fleet.streaming import Outcomes
from backupify_async.errors import FanOutAborted

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


def fan_out(
    function: Callable[[K], Awaitable[T]],
    keys: Iterable[K] | AsyncIterable[K],
    *,
    concurrency: int = 32,
    ordered: bool = False,
    max_failures: int | None = None,
) -> "FanOut[K, T]":
    """Call a coroutine function once for each key, concurrently, in bounded memory.

    Await it for `Results`; or stream: `async with fan_out(...) as outcomes: async for outcome in outcomes`.

    Args:
        function: What to call. An error is the outcome of its key, and stops no other call.
        keys: An iterable or async iterable of any length, read as the work goes on. An async one is read by
            one task at a time, and closed at the end.
        concurrency: How many calls are in flight at once.
        ordered: Whether outcomes come in the order of the keys. At most 2 x `concurrency` keys are then
            taken and not yet handed out, so a slow one delays those after it.
        max_failures: How many failures to accept. After one more, no further key is begun. None for any
            number.

    Raises:
        ValueError: A number is out of range; the message names it.
        TypeError: `keys` is not iterable, or is a str, whose letters are not meant as keys.
    """
    return FanOut(function, keys, concurrency=concurrency, ordered=ordered, max_failures=max_failures)


class FanOut(Generic[K, T]):
    """A fan-out that is not begun yet. Use it once: await it for `Results`, or enter it for `Outcomes`.

    Awaiting it, or iterating over its outcomes, raises:
        FanOutAborted: It stopped early. If it was awaited, the error has what was done until then.
        Exception: What the iterable of keys raised, after the outcomes of the keys before.
    """

    def __init__(
        self,
        function: Callable[[K], Awaitable[T]],
        keys: Iterable[K] | AsyncIterable[K],
        *,
        concurrency: int,
        ordered: bool = False,
        ahead: bool = False,
        max_failures: int | None = None,
        stop_at: Callable[[BaseException], str | None] | None = None,
    ) -> None:
        check_count("concurrency", concurrency)
        if max_failures is not None:
            check_count("max_failures", max_failures, minimum=0)
        if isinstance(keys, str | bytes) or not isinstance(keys, Iterable | AsyncIterable):
            raise TypeError(f"keys must be an iterable or an async iterable of keys, not {keys!r}")
        self._outcomes = Outcomes(
            function,
            keys,
            concurrency=concurrency,
            ordered=ordered,
            ahead=ahead,
            max_failures=max_failures,
            stop_at=stop_at,
        )
        self._used = False
        self._results: Results[K, T] = Results({}, {})

    @property
    def results(self) -> Results[K, T]:
        """What is done so far, where the fan-out is awaited.

        It remains when the source of the keys raises, and when the await is cancelled.
        """
        return self._results

    def stop(self, reason: str) -> None:
        """Begin no more keys. Call it in the loop that runs the fan-out.

        Args:
            reason: What `FanOutAborted` says.
        """
        self._outcomes.stop(reason)

    def __await__(self) -> Generator[Any, None, Results[K, T]]:
        return self._gather().__await__()

    async def __aenter__(self) -> "Outcomes[K, T]":
        if self._used:
            raise RuntimeError("this fan-out was used already: make a new one")
        self._used = True
        self._outcomes.begin()
        return self._outcomes

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._outcomes.end()

    async def _gather(self) -> Results[K, T]:
        results = self._results
        self._outcomes.require_hashable_keys()
        try:
            async with self as outcomes:
                async for outcome in outcomes:
                    results.add(outcome)
        except FanOutAborted as aborted:
            aborted.values, aborted.errors = results.values, results.errors
            raise
        except asyncio.CancelledError:
            for outcome in self._outcomes.leftover:  # else they would be lost
                results.add(outcome)
            raise
        return results
