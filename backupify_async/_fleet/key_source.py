"""The source of a fan-out's keys."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Hashable,
    Iterable,
    Iterator,
)
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class KeySource(Generic[K]):
    """Reads keys one at a time, in order, from an iterable or an async iterable.

    Attributes:
        ended: Whether no more keys are taken: there are none, reading failed, or no more are wanted.
        taken: How many keys were taken. The number of a key is how many were taken before it.

    Args:
        keys: The keys.
    """

    def __init__(self, keys: Iterable[K] | AsyncIterable[K]) -> None:
        self.ended = False
        self.taken = 0
        self._stopped = False
        self._require_hashable = False
        self._async_keys: AsyncIterator[K] | None = aiter(keys) if isinstance(keys, AsyncIterable) else None
        self._keys: Iterator[K] = iter(()) if isinstance(keys, AsyncIterable) else iter(keys)
        self._lock = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None

    @property
    def is_async(self) -> bool:
        """Whether reading a key may wait."""
        return self._async_keys is not None

    def require_hashable(self) -> None:
        """Refuse a key that is not hashable when it is read."""
        self._require_hashable = True

    def take(self) -> tuple[int, K] | None:
        """The next key of an iterable and its number; None where there is none, or none is wanted."""
        if self.ended:
            return None
        try:
            key = next(self._keys)
        except StopIteration:
            self.ended = True
        except BaseException:
            self.ended = True
            raise
        return None if self.ended else self._number(key)

    async def take_async(self, room: Callable[[], Awaitable[None]]) -> tuple[int, K] | None:
        """The same for an async iterable, which one worker reads at a time.

        Args:
            room: Waits until a key may be taken; it is awaited with the lock held.
        """
        async with self._lock:
            await room()
            if self.ended:
                return None
            assert self._async_keys is not None  # noqa: S101 - it `is_async`
            self._reader = asyncio.current_task()
            try:
                key = await anext(self._async_keys)
            except StopAsyncIteration:
                self.ended = True
            except BaseException as error:
                self.ended = True
                if not isinstance(error, asyncio.CancelledError) or not self._stopped:
                    raise  # else `stop` cancelled the wait for a key that is not wanted any more
            finally:
                self._reader = None
            return None if self.ended else self._number(key)

    def stop(self) -> None:
        """Take no more keys, and cancel the wait for one."""
        self.ended = self._stopped = True
        if self._reader is not None:
            self._reader.cancel()

    async def close(self) -> None:
        """Close an async iterable that can be closed."""
        await close_async(self._async_keys)

    def _number(self, key: K) -> tuple[int, K]:
        if self._require_hashable and not isinstance(key, Hashable):
            self.ended = True
            raise TypeError(f"a key that is awaited must be hashable, and {key!r} is not: stream instead")
        number = self.taken
        self.taken += 1
        return number, key


async def as_async(keys: Iterable[K] | AsyncIterable[K]) -> AsyncGenerator[K, None]:
    """Read an iterable or an async iterable; an async one is closed at the end, where it can be."""
    if not isinstance(keys, AsyncIterable):
        for key in keys:
            yield key
        return
    source = aiter(keys)
    try:
        async for key in source:
            yield key
    finally:
        await close_async(source)


async def close_async(source: object) -> None:
    """Close an async iterator that can be closed."""
    close = getattr(source, "aclose", None)
    if close is not None:
        await close()
