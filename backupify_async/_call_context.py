"""What a call inherits from the context in which it is made: a count of attempts, its priority, its age.

The transport sends and the fan-out reports, and neither imports the other. The fan-out puts a count into its
context, and the transport increments it.
"""

import itertools
from contextvars import ContextVar
from types import TracebackType

import attrs


@attrs.define
class AttemptCount:
    """How many requests were sent for one key of a fan-out."""

    sent: int = 0


ATTEMPTS: ContextVar[AttemptCount | None] = ContextVar("backupify_async_attempts", default=None)


BACKGROUND: ContextVar[bool] = ContextVar("backupify_async_background", default=False)
"""Whether a call lets others pass at the gate."""

_GROUP: ContextVar["CallGroup | None"] = ContextVar("backupify_async_call_group", default=None)
_BEGINNINGS = itertools.count(1)
_FEW = 8  # calls: as many as a trigger makes that is reconciled twice and sent again


class CallGroup:
    """Several calls of one operation: they are queued by the time at which the first of them began.

    Otherwise the second call of each group would wait for the first calls of all groups that began meanwhile,
    and at a low rate nothing would end for a long time. This holds for its first few calls only. Each further
    call counts from when it is made, so that a list of many pages does not delay other calls.

    A group within another one is part of that one.

    Args:
        began: When its first call began, if that was before; 0 for now.
    """

    __slots__ = ("began", "calls_left")

    def __init__(self, began: int = 0) -> None:
        self.began = began or next(_BEGINNINGS)
        self.calls_left = _FEW

    def __enter__(self) -> None:
        if _GROUP.get() is None:
            _GROUP.set(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if _GROUP.get() is self:  # no token, because a coroutine can be closed in another context
            _GROUP.set(None)


def begin_call() -> int:
    """The beginning of a call that is made now: a number, lower for what began earlier; never 0."""
    group = _GROUP.get()
    if group is None or not group.calls_left:
        return next(_BEGINNINGS)
    group.calls_left -= 1
    return group.began
