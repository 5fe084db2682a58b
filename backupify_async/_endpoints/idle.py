"""What a 404 to get-active means: the instance is idle, or it does not exist.

The API documents neither case, and both are a 404 with a body. A second request, for the instance, shows
which. But a fleet of idle instances must not pay two requests each. So the body is remembered: once it came
with an instance that exists, it means *idle* from then on, as long as it never came with a missing one.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from enum import Enum

import attrs

_MOST_BODIES = 64  # a server that writes something new into each body only fills this once


class _Meaning(Enum):
    UNKNOWN = "not checked yet"
    CHECK_FAILED = "its check failed"
    IDLE = "came only with instances that exist"
    EITHER = "came with a missing instance"


@attrs.define
class _Body:
    meaning: _Meaning = _Meaning.UNKNOWN
    checking: asyncio.Lock = attrs.field(factory=asyncio.Lock)


class IdleMemory:
    """Remembers what the bodies of 404s to get-active meant, for one client."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[bytes, _Body] = OrderedDict()
        self.answered = 0
        """How many 404s were taken for "idle" without a second request."""

    async def is_idle(self, body: bytes, exists: Callable[[], Awaitable[bool]]) -> bool:
        """Whether a 404 with this body means that the instance exists and is idle.

        Until a body's meaning is known, its checks run one at a time: other calls wait for the first.

        Args:
            body: The 404's body.
            exists: Checks whether the instance exists. What it raises is passed on.
        """
        known = self._remember(body)
        if known.meaning is _Meaning.UNKNOWN:
            async with known.checking:
                if known.meaning is _Meaning.UNKNOWN:
                    return await self._check(known, exists)
        if known.meaning is _Meaning.IDLE:
            self.answered += 1
            return True
        return await self._check(known, exists)

    def came_with_missing(self, body: bytes) -> None:
        """Note that this body came where an instance is missing: from now on it is checked each time."""
        self._remember(body).meaning = _Meaning.EITHER

    async def _check(self, known: _Body, exists: Callable[[], Awaitable[bool]]) -> bool:
        try:
            idle = await exists()
        except BaseException:
            if known.meaning is _Meaning.UNKNOWN:
                known.meaning = _Meaning.CHECK_FAILED  # no call waits for the next check: it can fail too
            raise
        if not idle:
            known.meaning = _Meaning.EITHER
        elif known.meaning is not _Meaning.EITHER:
            known.meaning = _Meaning.IDLE
        return idle

    def _remember(self, body: bytes) -> _Body:
        known = self._bodies.setdefault(body, _Body())
        self._bodies.move_to_end(body)
        if len(self._bodies) > _MOST_BODIES:
            self._bodies.popitem(last=False)
        return known
