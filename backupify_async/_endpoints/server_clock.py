"""What the server's clock shows, by the Date header of its responses.

Our own times are the loop's, which never jump. A `Date` has whole seconds, and was written at some moment
between the request and the response. So a clock offset is known only within two bounds.
"""

import time
from datetime import UTC, datetime, timedelta

import attrs

from backupify_async._transport.feedback import DateSeen
from backupify_async._transport.retry_after import http_date

_NO_CLOCK = timedelta(days=3650)  # a Date that is off by more than ten years is not a clock's
_WHOLE_SECOND = 1.0
# A date without an offset is some local time: UTC-12 to UTC+14 are in use (IANA time zone database).
MOST_BEHIND = timedelta(hours=12).total_seconds()
MOST_AHEAD = timedelta(hours=14).total_seconds()
# Many systems write a date that was never set as the one that they count from (.NET, SQL, Excel, Unix, FAT,
# Postgres and Cocoa: year 1 to the first day of 2001), or as the last one that they can represent.
_FIRST_SET = datetime(2001, 1, 2, tzinfo=UTC).timestamp()
_LAST_SET = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


@attrs.frozen
class ClockOffset:
    """How far a clock is ahead of the loop's, in seconds: add it to the loop's time to get epoch seconds.

    Attributes:
        lowest: The lower bound.
        highest: The upper bound.
    """

    lowest: float
    highest: float

    def or_also(self, other: "ClockOffset | None") -> "ClockOffset":
        """The bounds that include both."""
        if other is None:
            return self
        return ClockOffset(min(self.lowest, other.lowest), max(self.highest, other.highest))


def our_offset(now: float) -> float:
    """How far this machine's clock is ahead of the loop's, which shows `now`, in seconds."""
    return time.time() - now


def is_set(seconds: float) -> bool:
    """Whether a date, in seconds of the epoch, can have been set on purpose."""
    return _FIRST_SET <= seconds < _LAST_SET


def server_time(header: str | None) -> datetime | None:
    """The time of the server's clock in a Date header, in whole seconds; None without a plausible Date."""
    date = http_date(header)
    return None if date is None or abs(date - datetime.now(UTC)) > _NO_CLOCK else date


def offset_before(seen: DateSeen | None, ours: float) -> ClockOffset | None:
    """How far the server's clock is ahead of the loop's, by an earlier Date.

    Args:
        seen: The Date.
        ours: How far our own clock is ahead of the loop's now, in seconds. If that has changed since the
            Date came, the machine has slept or its clock was set. Then the Date shows nothing about now.
    """
    if seen is None or abs(ours - seen.our_offset) > _WHOLE_SECOND:
        return None
    return read_offset(seen.date, seen.sent_time, seen.received)


def read_offset(header: str | None, sent: float, received: float) -> ClockOffset | None:
    """How far the server's clock is ahead of the loop's, by a response; None without a plausible Date.

    Args:
        header: The response's Date; None where it has none.
        sent: When its request was sent, by the loop's clock, in seconds.
        received: When the response had come, by the loop's clock, in seconds.
    """
    date = server_time(header)
    if date is None:
        return None
    written = date.timestamp()
    return ClockOffset(written - received, written + _WHOLE_SECOND - sent)
