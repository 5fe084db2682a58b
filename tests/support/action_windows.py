"""A trigger whose response was lost, and the window in which the server can have acted on it."""

from datetime import UTC, datetime
from typing import Any

import attrs

from backupify_async._endpoints.server_clock import ClockOffset
from backupify_async._triggers.window import ActionWindow
from backupify_async.models import SentTrigger

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()
TOLERANCE = 300.0
# Sent just after noon by our clock. The response was lost two seconds later, and the server can act for 30
# seconds more.
TRIGGER = SentTrigger(1, datetime.fromtimestamp(NOON + 0.7, UTC))
WINDOW = ActionWindow(TRIGGER, sent_time=0.7, latest=32.7, settled=32.7, our_offset=ClockOffset(NOON, NOON))
SAME = ClockOffset(NOON - 0.1, NOON + 1)
"""The offset where a Date shows the same time as our clock."""


def window_with(**trigger: Any) -> ActionWindow:
    return attrs.evolve(WINDOW, trigger=attrs.evolve(TRIGGER, **trigger))


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOON + seconds, UTC)
