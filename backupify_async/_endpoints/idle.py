"""What a 404 to get-active means: that nothing runs, or that there is no such instance.

The API documents neither, and both are 404 with a body. A second look, at the instance itself, tells; but a
sweep over idle instances must not pay two calls each. So the body is remembered: once it came with an
instance that exists, it means *idle* the next time too, as long as it never came with a missing one.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from enum import Enum

import attrs

_REMEMBERED = 64  # bodies; a server that writes something new into each one only fills this once


class _Meaning(Enum):
    UNKNOWN = "not looked at yet"
    UNTOLD = "the look at it failed"
    IDLE = "came with instances that exist, only"
    EITHER = "came with a missing instance"


@attrs.define
class _Body:
    meaning: _Meaning = _Meaning.UNKNOWN
    look: asyncio.Lock = attrs.field(factory=asyncio.Lock)


class IdleMemory:
    """Remembers what 404 bodies of get-active meant, for one client."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[bytes, _Body] = OrderedDict()
        self.answered = 0
        """How many 404s were taken for "idle" without a second look."""

    async def is_idle(self, body: bytes, exists: Callable[[], Awaitable[bool]]) -> bool:
        """Whether a 404 with this body means that the instance exists and nothing runs.

        Looks are one at a time per body, until its meaning is known: the others wait for the first.

        Args:
            body: The 404's body.
            exists: Looks whether the instance exists; what it raises is passed on.
        """
        known = self._remember(body)
        if known.meaning is _Meaning.UNKNOWN:
            async with known.look:
                if known.meaning is _Meaning.UNKNOWN:
                    return await self._look(known, exists)
        if known.meaning is _Meaning.IDLE:
            self.answered += 1
            return True
        return await self._look(known, exists)

    def came_with_missing(self, body: bytes) -> None:
        """A 404 with this body came where an instance is missing: it is looked at each time from now on."""
        self._remember(body).meaning = _Meaning.EITHER

    async def _look(self, known: _Body, exists: Callable[[], Awaitable[bool]]) -> bool:
        try:
            idle = await exists()
        except BaseException:
            if known.meaning is _Meaning.UNKNOWN:
                known.meaning = _Meaning.UNTOLD  # nobody waits for the next look: it may fail as well
            raise
        if not idle:
            known.meaning = _Meaning.EITHER
        elif known.meaning is not _Meaning.EITHER:
            known.meaning = _Meaning.IDLE
        return idle

    def _remember(self, body: bytes) -> _Body:
        known = self._bodies.setdefault(body, _Body())
        self._bodies.move_to_end(body)
        if len(self._bodies) > _REMEMBERED:
            self._bodies.popitem(last=False)
        return known
