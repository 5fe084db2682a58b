"""Reads the Retry-After header."""

import email.utils
import re
from datetime import UTC, datetime

_LONGEST = 7 * 86_400.0  # seconds; a longer wait is taken as a mistake
_SECONDS = re.compile(r"\d+(?:\.\d*)?", re.ASCII)


def read_retry_after(value: str, date: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks to wait (RFC 9110 §10.2.3), fractions allowed.

    None where it is negative, in the past, longer than a week, or neither a number nor a date.

    Args:
        value: The header.
        date: The Date header of the same response. A date to wait for is by the server's clock, not by ours.
        now: Our own time, used where the server sends no Date.
    """
    value = value.strip()
    if _SECONDS.fullmatch(value):
        seconds = float(value)
    else:
        until = http_date(value)
        if until is None:
            return None
        seconds = (until - (http_date(date) or now)).total_seconds()
        if seconds <= 0:
            return None
    return seconds if seconds <= _LONGEST else None


def http_date(value: str | None) -> datetime | None:
    """Read a date in any of the three forms of RFC 9110 §5.6.7; None where it is not one."""
    if value is None:
        return None
    try:
        date = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
