"""When a session can be used: opened once, in one event loop, and closed for good."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import TypeGuard

from backupify_async._transport.loops import running_loop
from backupify_async._transport.rate import Limiter, OpenableLimiter
from backupify_async._transport.scopes import CallScopes
from backupify_async._transport.transport import Transport
from backupify_async.config import Settings
from backupify_async.errors import ClientClosed, ConfigurationError


async def open_parts(transport: Transport, limiter: Limiter, settings: Settings) -> None:
    """Open a session's transport, and then its limiter, if that is one to be opened."""
    await transport.open(settings)
    if _is_openable(limiter):
        try:
            await limiter.open()
        except BaseException:
            await close_parts(transport, limiter)
            raise


async def close_parts(transport: Transport, limiter: Limiter) -> None:
    """Close what `open_parts` opened."""
    try:
        if _is_openable(limiter):
            await limiter.close()
    finally:
        await transport.close()


def _is_openable(limiter: Limiter) -> TypeGuard[OpenableLimiter]:
    # As in `Acquisition`: no `isinstance`, which reads the properties up to Python 3.11.
    return callable(getattr(limiter, "open", None)) and callable(getattr(limiter, "close", None))


class Lifecycle:
    """Opens and closes a session, and knows its event loop.

    Args:
        acquire: Opens what the session uses.
        release: Closes that; it runs once, after all calls have ended.
    """

    def __init__(
        self, acquire: Callable[[], Awaitable[None]], release: Callable[[], Coroutine[None, None, None]]
    ) -> None:
        self._acquire = acquire
        self._release = release
        self._opening = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Task[None] | None = None
        self.scopes = CallScopes()

    async def open(self) -> None:
        """Open the session, in the running loop."""
        loop = running_loop()
        async with self._opening:
            if self._loop is None and not self.scopes.closed:
                await self._acquire()
                self._loop = loop
        self.require_open()

    async def close(self) -> None:
        """End all calls, then close the session. Cancelling it does not stop it; a second call waits, too."""
        if running_loop() is not self._loop and self._loop is not None:
            raise ConfigurationError("the client was opened in another event loop: close it there")
        if self._closing is None:
            self.scopes.close()
            self._closing = asyncio.create_task(self._close(), name="backupify_async close")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        try:
            await self.scopes.end_all()
        finally:
            async with self._opening:  # else what is being opened would stay open
                await self._release()

    @property
    def was_opened(self) -> bool:
        """Whether it has a loop."""
        return self._loop is not None

    def require_open(self) -> None:
        """Refuse to work before `open()`, after `close()` and in another loop.

        Raises:
            ClientClosed: It was closed.
            ConfigurationError: It is not open, or in another loop; the message says which.
        """
        if self.scopes.closed:
            raise ClientClosed("the client is closed, and does not reopen: make a new one")
        if self._loop is None:
            raise ConfigurationError("the client is not open: use `async with`, or await open()")
        if running_loop() is not self._loop:
            raise ConfigurationError("the client was opened in another event loop: make one for each loop")

    def now(self) -> float:
        """The loop's time, in seconds, once the session was opened."""
        return self._loop.time()  # type: ignore[union-attr] # calls begin with require_open()

    def utc(self, when: float) -> datetime:
        """The wall-clock time for a time of the loop."""
        return datetime.now(UTC) + timedelta(seconds=when - self.now())
