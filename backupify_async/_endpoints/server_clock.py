"""What the server's clock shows, by the one thing that tells it: the Date of an answer.

Our own times are the loop's, which never jump. `Date` has whole seconds, and was written at some moment
between the request's leaving and the answer's coming: so a clock's lead is known between two bounds only.
"""

import time
from datetime import UTC, datetime, timedelta

import attrs

from backupify_async._transport.hearing import DateSeen
from backupify_async._transport.retry_after import http_date

_NO_CLOCK = timedelta(days=3650)  # a Date that is further off than ten years is no clock's
_WHOLE_SECOND = 1.0
# A date without an offset is somebody's local time: UTC-12 to UTC+14 are in use (IANA time zone database).
MOST_BEHIND = timedelta(hours=12).total_seconds()
MOST_AHEAD = timedelta(hours=14).total_seconds()
# Many systems write a date that nobody set as the one that they count from (.NET, SQL, Excel, Unix, FAT,
# Postgres and Cocoa: year 1 to the first day of 2001), or as the last one that they know.
_FIRST_SET = datetime(2001, 1, 2, tzinfo=UTC).timestamp()
_LAST_SET = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


@attrs.frozen
class ClockOffset:
    """How far a clock is ahead of the loop's, in seconds: what to add to the loop's time to get an epoch's.

    Attributes:
        lowest: At least so far.
        highest: At most so far.
    """

    lowest: float
    highest: float

    def or_also(self, other: "ClockOffset | None") -> "ClockOffset":
        """The bounds that hold both."""
        if other is None:
            return self
        return ClockOffset(min(self.lowest, other.lowest), max(self.highest, other.highest))


def our_offset(now: float) -> float:
    """How far this machine's clock is ahead of the loop's, which shows `now`, in seconds."""
    return time.time() - now


def is_set(seconds: float) -> bool:
    """Whether somebody may have set a date, which is given in seconds of the epoch."""
    return _FIRST_SET <= seconds < _LAST_SET


def server_time(header: str | None) -> datetime | None:
    """What the server's clock showed as it answered, in whole seconds; None without a credible Date."""
    date = http_date(header)
    return None if date is None or abs(date - datetime.now(UTC)) > _NO_CLOCK else date


def offset_before(seen: DateSeen | None, ours: float) -> ClockOffset | None:
    """How far the server's clock is ahead of the loop's, by a Date that came before.

    Args:
        seen: The Date.
        ours: How far our own clock is ahead of the loop's now, in seconds. Where it was another much when the
            Date came, the machine has slept since, or its clock was set: then it tells nothing of now.
    """
    if seen is None or abs(ours - seen.our_offset) > _WHOLE_SECOND:
        return None
    return read_offset(seen.date, seen.sent_time, seen.received)


def read_offset(header: str | None, left: float, received: float) -> ClockOffset | None:
    """How far the server's clock is ahead of the loop's, where a credible Date tells.

    Args:
        header: The Date of an answer; None where it has none.
        left: When its request left, by the loop's clock, in seconds.
        received: When it had come, by the loop's clock, in seconds.
    """
    date = server_time(header)
    if date is None:
        return None
    written = date.timestamp()
    return ClockOffset(written - received, written + _WHOLE_SECOND - left)
