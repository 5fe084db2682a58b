"""A token keeper with a clock and a source of tokens that a test controls."""

import asyncio
from collections.abc import Awaitable, Callable

from backupify_async import Token
from backupify_async._transport.token_keeper import TokenKeeper


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0
        self.reads = 0

    def __call__(self) -> float:
        self.reads += 1
        assert self.reads < 500, "it loops"
        return self.time


class Source:
    """Returns tokens or raises errors, one after another, while `open` is set; `asked` counts the calls."""

    def __init__(self, *gives: Token | Exception) -> None:
        self.gives = list(gives)
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self) -> Token:
        self.asked += 1
        await self.open.wait()
        given = self.gives.pop(0)
        if isinstance(given, Exception):
            raise given
        return given


def keeper(ask: Callable[[], Awaitable[Token]], clock: Clock) -> TokenKeeper:
    return TokenKeeper(ask, clock, lambda _: None)
