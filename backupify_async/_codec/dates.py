"""ISO 8601 text to datetimes: pure."""

from datetime import UTC, datetime
from typing import Any


def parse_date(raw: Any) -> datetime:
    """A date in UTC; one without an offset stays naive, for it proves little.

    A lower-case "z" and surrounding spaces are accepted.

    Raises:
        TypeError, ValueError: It is not a date, or one outside of what a datetime can hold.
    """
    try:
        date = datetime.fromisoformat(raw)
    except ValueError:
        date = datetime.fromisoformat(raw.strip().upper())
    if date.tzinfo is None or date.tzinfo is UTC:
        return date
    try:
        return date.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"outside of the range of datetime: {date}") from None


def as_utc(date: datetime) -> datetime:
    """A date with an offset: a naive one is taken for UTC, as Rails writes it."""
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date
