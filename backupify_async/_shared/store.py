"""The seam between shared values and their store: a protocol, and the values that pass through it."""

from collections.abc import Callable
from typing import Protocol

import attrs

LIMIT, TOKEN = "limit", "token"
"""The names of the values that are shared."""


class StoreUnavailable(Exception):
    """The store is away, too slow, or hangs. Whether the value was changed is unknown."""


class StoreMisused(StoreUnavailable):
    """The store is shared in a way that cannot work, which does not pass by itself; the message says how."""


class BadRecord(Exception):
    """A stored value cannot be read. A `Change` raises it; the store then puts the value aside.

    Attributes:
        version: The version that the value has, if it is one that this release does not know.
    """

    def __init__(self, why: str, version: object = None) -> None:
        super().__init__(why)
        self.version = version if isinstance(version, int) else None


@attrs.frozen
class Stored:
    """A value as it was read, and the time at which it was.

    Attributes:
        value: The bytes; None if nothing is stored: the store is new, or was emptied.
        now: The store's clock in seconds: CLOCK_MONOTONIC of this machine, or the TIME of Redis.
        epoch: Which clock that is: times of two epochs cannot be compared. The boot id of the machine; "" for
            Redis.
        wall: Seconds since 1970, by this machine or by Redis.
    """

    value: bytes | None
    now: float
    epoch: str
    wall: float


def note_put_aside(newer: set[str], name: str, bad: BadRecord, place: str = "") -> None:
    """Take note that a value was put aside.

    Args:
        newer: The names for which a value of another version was put aside before; this one is added.
        name: The name of the value.
        bad: What was wrong with it.
        place: Where the store is, for the message.

    Raises:
        StoreMisused: It is of another version, and is back: a member of that version writes it.
    """
    if bad.version is None:
        return
    if name in newer:
        raise StoreMisused(f"two versions of backupify_async share this store{place and f': {place}'}")
    newer.add(name)


Change = Callable[[Stored], bytes | None]
"""Computes the value to write from the value that is stored; None leaves that one as it is.

It is called again if another member was faster, so it has no side effects beyond those that its next call
overwrites. If it raises `BadRecord`, the store puts the value aside and calls it again, with no value. Any
other exception passes through `StateStore.turn`, and nothing is written.
"""


class StateStore(Protocol):
    """Where members of a group keep their shared values, each under a name.

    What an implementation must keep:

    - Every method but `close` may raise `StoreUnavailable`, and ends within a second.
    - No lock is held over an `await`: a member that stops would stop the others.
    - A turn that is cancelled leaves the old value or the new one, never a part of it.
    - A value that is torn, or for which `change` raises `BadRecord`, is put aside under another name with a
      logged warning, and the store is taken to be empty.
    """

    async def open(self, on_change: Callable[[], None]) -> None:
        """Connect. It is called once, in the event loop in which all else is called.

        Args:
            on_change: Called in the event loop whenever another member has announced something.
        """
        ...

    async def turn(self, name: str, change: Change) -> None:
        """Read the value of this name, change it, and write it, so that no other member's change is lost.

        Args:
            name: `LIMIT` or `TOKEN`.
            change: Computes the new value.
        """
        ...

    async def announce(self) -> None:
        """Wake the other members: call their `on_change`. A member that misses it loses only time."""
        ...

    async def close(self) -> None:
        """Disconnect. The values stay. It does not raise, and can be called without a successful `open`."""
        ...
