"""How often requests were sent for one key of a fan-out.

The transport sends and the fan-out reports; neither imports the other. They meet here: the fan-out sets a
count in its context, the transport raises it.
"""

from contextvars import ContextVar

import attrs


@attrs.define
class AttemptCount:
    """A number that whoever sends raises by one each time."""

    sent: int = 0


ATTEMPTS: ContextVar[AttemptCount | None] = ContextVar("backupify_async_attempts", default=None)
