"""When the server can have acted on a trigger, by the loop's clock."""

import asyncio
from datetime import UTC, datetime

import attrs

from backupify_async._endpoints.server_clock import ClockOffset, our_offset
from backupify_async.config import Settings
from backupify_async.models import SentTrigger

_UNTIMED_ATTEMPT = 60.0  # seconds that a process may have waited for a response without an attempt time-out


@attrs.frozen
class ActionWindow:
    """When the server can have acted on a trigger. Times are seconds of the loop's clock.

    The loop's clock never jumps, but it stands still while the machine sleeps. The wall clock can be set. So
    both clock offsets are noted when the request is sent, and later readings only widen them.

    Attributes:
        trigger: What was sent.
        sent_time: When it was sent.
        latest: Until when the server may act on it.
        settled: From when on a snapshot shows what it did. This is `latest`, or later where `latest` is a
            guess or the server asked to wait.
        our_offset: How far this machine's wall clock was ahead of the loop's since then: lowest and highest.
        server_offset: How far the server's clock was ahead of the loop's when it was sent; None if unknown.
        of_previous_run: Whether another process sent it. Then later readings are of other clocks than
            `server_offset`, and do not widen it.
    """

    trigger: SentTrigger
    sent_time: float
    latest: float
    settled: float
    our_offset: ClockOffset
    server_offset: ClockOffset | None = None
    of_previous_run: bool = False

    def widened(self, offset: float) -> "ActionWindow":
        """The window after a reading of this machine's wall clock, `offset` seconds ahead of the loop's."""
        return attrs.evolve(self, our_offset=ClockOffset(offset, offset).or_also(self.our_offset))

    def server_clock(self, read: ClockOffset | None) -> ClockOffset | None:
        """How far the server's clock is ahead of the loop's; None where no Date shows it.

        Args:
            read: The offset by the Dates of responses that came after the trigger was sent.
        """
        noted, slept = self.server_offset, self.our_offset.highest - self.our_offset.lowest  # at most
        if noted is None:
            return None if read is None else ClockOffset(read.lowest - slept, read.highest)
        if self.of_previous_run:
            return noted
        return ClockOffset(noted.lowest, noted.highest + slept) if read is None else read.or_also(noted)


def response_timeout(settings: Settings) -> float:
    """Seconds after which a process has given up the response to an attempt."""
    return settings.timeouts.attempt or _UNTIMED_ATTEMPT


def utc(now: float) -> datetime:
    """The UTC time by this machine's wall clock, when the loop's clock shows `now`."""
    return datetime.fromtimestamp(now + our_offset(now), UTC)


def window_of_previous_run(trigger: SentTrigger, settings: Settings) -> ActionWindow:
    """The window of a trigger that another process sent, from what that process recorded."""
    now, settling = asyncio.get_running_loop().time(), settings.reconciliation.settling
    ours = our_offset(now)
    sent = trigger.sent_at.timestamp() - ours
    latest = sent + response_timeout(settings)
    if trigger.response_by is not None:
        latest = trigger.response_by.timestamp() - ours
    server_offset = None
    if trigger.clock_offset is None:
        sent, latest = min(sent, now), min(latest, now)
    else:  # this machine's clock can have been set back since: by its present time, both can be in the future
        server_offset = ClockOffset(*(ours + ahead for ahead in trigger.clock_offset))
    return ActionWindow(
        trigger, sent, latest + settling, now + settling, ClockOffset(ours, ours), server_offset, True
    )
