"""What response headers say about a limit: the quota, and when a wait ends.

Three families of quota headers are read: the IETF draft's `RateLimit` (its older form `limit=100,
remaining=50, reset=5` and its newer one `"default";r=50;t=5`), the draft's earlier `RateLimit-Remaining`
and `RateLimit-Reset`, and the older `X-RateLimit-*`. A reset is in seconds, or an epoch in seconds or
milliseconds; its magnitude shows which. A quota is ignored if its reset is missing, in the past, or more
than a week ahead.
"""

import contextlib
import email.utils
import re
from collections.abc import Mapping
from functools import partial

import attrs
from multidict import MultiMapping, istr

_WEEK = 7 * 86_400.0
_EPOCH = 1e9  # seconds: any reset above it is a date
_EPOCH_MILLISECONDS = 1e11
_DATE_LATE = 2.0  # seconds by which a Date can lag: it has whole seconds, and uvicorn keeps it for another
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:[;,].*)?", re.ASCII)
_ITEM = re.compile(r"(?:^|[;,\s])(remaining|reset|r|t)\s*=\s*(\d+(?:\.\d+)?)", re.ASCII | re.IGNORECASE)

# Pairs of headers: the calls that remain, and the reset. Another pair is one more entry here.
_PAIRS = (
    ("RateLimit-Remaining", "RateLimit-Reset"),
    ("X-RateLimit-Remaining", "X-RateLimit-Reset"),
    ("X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"),
)
# An `istr` folds its case once: these are looked up in every response.
_ANNOUNCING = tuple(map(istr, ("RateLimit", *(remaining for remaining, _ in _PAIRS))))


@attrs.frozen
class Quota:
    """A quota, as the headers of one response announce it.

    Attributes:
        remaining: How many more calls are allowed before the reset.
        reset: Seconds until the reset.
        epoch: The reset as an epoch in seconds, if the server sent it as a date.
        rounding: Seconds by which `reset` can be too long; None to judge by the number itself.
    """

    remaining: float
    reset: float
    epoch: float | None = None
    rounding: float | None = None


def read_quota(headers: Mapping[str, str], wall: float) -> Quota | None:
    """The quota that a response announces; of several, the one with the fewest calls remaining.

    Args:
        headers: The response's headers.
        wall: Our time as an epoch in seconds, used if the response has no Date.
    """
    for name in _ANNOUNCING:
        if name in headers:
            break
    else:
        return None  # as with most servers
    quota = partial(_quota, wall=wall, late=0.0)
    with contextlib.suppress(ValueError, OverflowError):
        date = email.utils.parsedate_to_datetime(headers.get("Date", "")).timestamp()
        quota = partial(_quota, wall=date, late=_DATE_LATE)
    text = _whole(headers, "RateLimit")
    announced = [quota(*_structured(item)) for item in text.split(",")]  # the newer form lists policies
    announced.append(quota(*_structured(text)) if not any(announced) else None)  # the older one, fields
    announced += [quota(*(_number(headers.get(name)) for name in pair)) for pair in _PAIRS]
    known = [quota for quota in announced if quota is not None]
    return min(known, key=lambda quota: (quota.remaining, -quota.reset), default=None)


def _whole(headers: Mapping[str, str], name: str) -> str:
    """A list header; several lines of it are one list (RFC 9110 §5.3)."""
    return ",".join(headers.getall(name, ())) if isinstance(headers, MultiMapping) else headers.get(name, "")


def _structured(text: str) -> tuple[float | None, float | None]:
    fields: dict[str, float] = {}
    for name, value in _ITEM.findall(text):
        fields.setdefault({"r": "remaining", "t": "reset"}.get(name.lower(), name.lower()), float(value))
    return fields.get("remaining"), fields.get("reset")


def _number(text: str | None) -> float | None:
    found = None if text is None else _NUMBER.fullmatch(text)
    return None if found is None else float(found[1])


def _quota(remaining: float | None, reset: float | None, *, wall: float, late: float) -> Quota | None:
    if remaining is None or reset is None:
        return None
    if reset <= _EPOCH:
        return Quota(remaining, reset) if reset <= _WEEK else None
    exact = reset > _EPOCH_MILLISECONDS  # seconds are rounded up, or have one added, as in slowapi
    epoch = reset / 1000 if exact else reset
    ahead = epoch - wall
    if not 0 <= ahead <= _WEEK:
        return None
    return Quota(remaining, ahead, epoch, rounding=late + (not exact))


@attrs.frozen
class TimeInterval:
    """An interval in which something happens, in seconds of one clock."""

    low: float
    high: float

    def intersect(self, other: "TimeInterval") -> "TimeInterval | None":
        """What both have in common, or None."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return TimeInterval(low, high) if low <= high else None

    def shifted(self, seconds: float) -> "TimeInterval":
        """The interval, moved."""
        return TimeInterval(self.low + seconds, self.high + seconds)


def wait_end(
    now: float, sent_time: float, seconds: float, *, rounded_down: bool, rounding: float | None = None
) -> TimeInterval:
    """When a wait ends that a response asks for.

    Args:
        now: When the response arrived.
        sent_time: When its request was sent.
        seconds: The wait; a fraction is taken to be exact.
        rounded_down: Whether the server rounds whole seconds down, and not up.
        rounding: Seconds by which the wait can be too long; None to judge by the number itself.
    """
    if rounding is None:
        rounding = float(seconds == int(seconds))
    shift = rounding > 0 and rounded_down
    return TimeInterval(sent_time + seconds - rounding + shift, now + seconds + shift)
