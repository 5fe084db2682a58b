"""Whether a call is background work, which lets others pass at the gate.

Who knows that (a fleet) and who needs it (the gate) do not know each other; they meet here.
"""

from contextvars import ContextVar

BACKGROUND: ContextVar[bool] = ContextVar("backupify_async_background", default=False)
