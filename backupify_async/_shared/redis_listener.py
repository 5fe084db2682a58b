"""Listens on a Redis channel, on a connection of its own, for as long as a store is open."""

import asyncio
import contextlib
import random
from collections.abc import Callable

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError

from backupify_async._shared.redis_errors import FAULTS

_PING_AFTER = 5.0  # seconds of silence: a connection can be cut without a word
_RESPONSE_WITHIN = 0.9
_CANCEL_AGAIN_AFTER = 0.05
_FIRST_HOLD_OFF = 0.1  # seconds after a lost connection, doubled each time
_LONGEST_HOLD_OFF = 5.0


def hold_off(failures: int, first: float, longest: float) -> float:
    """Seconds until the next try, after so many failures before this one: doubled each time, with jitter."""
    return random.uniform(0.5, 1.0) * min(first * 2.0 ** min(failures, 10), longest)


class RedisListener:
    """Calls a function when another member has published something.

    Args:
        client: The client to take a connection from.
        channel: The channel.
        member: What this member itself publishes.
        on_change: The function. It is called after a lost connection as well, for what was missed.
    """

    def __init__(self, client: "Redis", channel: str, member: bytes, on_change: Callable[[], None]) -> None:
        self._client = client
        self._channel = channel
        self._member = member
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None
        self._back = asyncio.Event()
        self._first: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        """Begin, and wait for the first subscription.

        Raises:
            RedisError: It failed; it is tried again.
            OSError: The same.
        """
        self._task = asyncio.create_task(self._run(), name="backupify_async shared listener")
        error = await asyncio.shield(self._first)
        if error is not None:
            raise error

    async def close(self) -> None:
        """End."""
        while self._task is not None and not self._task.done():
            self._task.cancel()  # up to Python 3.11, `wait_for` in redis-py can swallow a cancellation
            await asyncio.wait([self._task], timeout=_CANCEL_AGAIN_AFTER)

    def on_server_back(self) -> None:
        """Try again at once: the server has just responded to something else."""
        self._back.set()

    async def _run(self) -> None:
        failures = 0
        while True:
            subscription = self._client.pubsub()
            try:
                await self._subscribe(subscription)
                if self._first.done():
                    self._on_change()
                else:
                    self._first.set_result(None)
                failures = 0
                self._back.clear()
                await self._receive(subscription)
            except FAULTS as error:
                if not self._first.done():
                    self._first.set_result(error)
            finally:
                with contextlib.suppress(*FAULTS):
                    await subscription.aclose()  # type: ignore[no-untyped-call]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(hold_off(failures, _FIRST_HOLD_OFF, _LONGEST_HOLD_OFF)):
                    await self._back.wait()
            failures += 1
            self._back.clear()

    async def _subscribe(self, subscription: PubSub) -> None:
        async with asyncio.timeout(_RESPONSE_WITHIN):
            await subscription.subscribe(self._channel)
            while (await subscription.get_message(timeout=_RESPONSE_WITHIN)) is None:
                continue

    async def _receive(self, subscription: PubSub) -> None:
        """Wait for messages, until the connection is lost."""
        pinged = False
        while True:
            message = await subscription.get_message(timeout=_RESPONSE_WITHIN if pinged else _PING_AFTER)
            if message is None and pinged:
                raise RedisConnectionError
            pinged = message is None
            if message is None:
                await subscription.ping()
            elif message["type"] == "message" and message["data"] != self._member:
                self._on_change()
