"""A scale of time that never jumps, on top of a store's clock that may.

The times in a record are `store clock + offset`. The offset stands in the record, with the store's clock and
the wall clock of the last write. The member that finds the store's clock in another epoch (the machine was
restarted), or moved by more than a second, chooses a new offset so that the scale goes on: by its own
monotonic clock if it was there, and else by the age of the record, which is 0 at least.

A member whose own clock stood still while others wrote (its machine slept) is the one that is wrong: a record
that was written just now is believed.
"""

import attrs

from backupify_async._shared.store import Stored

_JUMP = 1.0  # seconds: clocks do not drift as far, and requests do not take as long
_RECENT = 2.0  # seconds: members write every second


@attrs.frozen
class TimeScale:
    """What relates a record's times to the clock of its store.

    Attributes:
        offset: Seconds by which the scale is ahead of the store's clock.
        now: The store's clock at the last write.
        epoch: Which clock that was.
        wall: The wall clock at the last write.
    """

    offset: float
    now: float
    epoch: str
    wall: float


def read_scale(scale: TimeScale | None, stored: Stored, expected: float | None) -> tuple[float, TimeScale]:
    """The time by the scale, and the scale to write with it.

    Args:
        scale: What the record says; None for a new record.
        stored: What was read, and when.
        expected: What this member's own clock makes of it; None for a member that was not there before.
    """
    if scale is None:
        now = stored.now if expected is None else expected
        return now, TimeScale(now - stored.now, stored.now, stored.epoch, stored.wall)
    written = scale.now + scale.offset
    aged = written + max(0.0, stored.wall - scale.wall)
    if stored.epoch != scale.epoch:
        now = aged if expected is None else max(expected, written)
    else:
        now = stored.now + scale.offset
        elapsed = now - written
        if expected is None:
            now = now if elapsed >= -_JUMP else aged
        elif not -_JUMP <= elapsed <= _RECENT and abs(now - expected) > _JUMP:
            now = max(expected, written)
    return now, TimeScale(now - stored.now, stored.now, stored.epoch, stored.wall)
