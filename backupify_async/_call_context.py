"""How often requests were sent for one key of a fan-out.

The transport sends and the fan-out reports; neither imports the other. They meet here: the fan-out sets a
count in its context, the transport raises it.
"""

import itertools
from contextvars import ContextVar
from types import TracebackType

import attrs


@attrs.define
class AttemptCount:
    """A number that whoever sends raises by one each time."""

    sent: int = 0


ATTEMPTS: ContextVar[AttemptCount | None] = ContextVar("backupify_async_attempts", default=None)


BACKGROUND: ContextVar[bool] = ContextVar("backupify_async_background", default=False)
"""Whether a call lets others pass at the gate."""

_OPERATION: ContextVar["Operation | None"] = ContextVar("backupify_async_operation", default=None)
_BEGINNINGS = itertools.count(1)
_FEW = 8  # calls: as many as a trigger takes that is looked for twice and sent again


class Operation:
    """An operation begins here: the calls made in its context count as begun when it began.

    Else the second call of each operation would stand behind the first calls of all that began meanwhile,
    and at a slow rate nothing would end for long. Only its first few calls do: each further one counts from
    when it is asked for, so that a list of many pages keeps nobody waiting.

    Within another operation it is a part of that one.

    Args:
        began: When its first call began, if that was before; 0 for now.
    """

    __slots__ = ("began", "calls_left")

    def __init__(self, began: int = 0) -> None:
        self.began = began or next(_BEGINNINGS)
        self.calls_left = _FEW

    def __enter__(self) -> None:
        if _OPERATION.get() is None:
            _OPERATION.set(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if _OPERATION.get() is self:  # no token: a coroutine may be closed in another context than its own
            _OPERATION.set(None)


def begin_call() -> int:
    """When a call that is asked for now counts as begun: a number, lower for what began earlier; never 0."""
    operation = _OPERATION.get()
    if operation is None or not operation.calls_left:
        return next(_BEGINNINGS)
    operation.calls_left -= 1
    return operation.began
