"""What a server says of its quota in the headers of each answer.

Three families are read: the IETF draft's `RateLimit` (its older form `limit=100, remaining=50, reset=5` and
its newer one `"default";r=50;t=5`), its older `RateLimit-Remaining` with `RateLimit-Reset`, and the
`X-RateLimit-*` that came before. A reset is seconds, or an epoch in seconds or milliseconds; its size tells
which.

What contradicts itself is not believed: no reset, one in the past, or one more than a week ahead.
"""

import contextlib
import email.utils
import re
from collections.abc import Mapping
from functools import partial

import attrs
from multidict import MultiMapping, istr

_WEEK = 7 * 86_400.0
_EPOCH = 1e9  # seconds: any reset above is a date
_EPOCH_MILLISECONDS = 1e11
_DATE_LATE = 2.0  # seconds of the clock beyond a Date: it is whole ones, and uvicorn keeps it for another
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:[;,].*)?", re.ASCII)
_ITEM = re.compile(r"(?:^|[;,\s])(remaining|reset|r|t)\s*=\s*(\d+(?:\.\d+)?)", re.ASCII | re.IGNORECASE)
_FAMILIES = ("RateLimit", "X-RateLimit", "X-Rate-Limit")

# `istr` folds its case once: these are looked for in every answer.
_DRAFTS = istr("RateLimit")
_DRAFTS_OLD, _GITHUBS, _OTHERS = (istr(f"{family}-Remaining") for family in _FAMILIES)


@attrs.frozen
class Quota:
    """What is left of a quota.

    Attributes:
        remaining: How many calls are left.
        reset: Seconds until there are more.
        epoch: The time of that by the server's clock, in seconds, where the server told it so.
        rounding: By how many seconds it may be too long; None where no more is known than the number.
    """

    remaining: float
    reset: float
    epoch: float | None = None
    rounding: float | None = None


def read_quota(headers: Mapping[str, str], wall: float) -> Quota | None:
    """The quota that an answer tells; the tightest, where it tells several.

    Args:
        headers: The answer's headers; names are looked up as they are written here.
        wall: Our time, as an epoch in seconds, where the answer has no Date of the server's own.
    """
    if not (_GITHUBS in headers or _DRAFTS in headers or _DRAFTS_OLD in headers or _OTHERS in headers):
        return None  # most servers announce nothing
    quota = partial(_quota, wall=wall, late=0.0)
    with contextlib.suppress(ValueError, OverflowError):
        date = email.utils.parsedate_to_datetime(headers.get("Date", "")).timestamp()
        quota = partial(_quota, wall=date, late=_DATE_LATE)
    text = _whole(headers, "RateLimit")
    told = [quota(*_structured(item)) for item in text.split(",")]  # the newer form lists policies
    told.append(quota(*_structured(text)) if not any(told) else None)  # the older one, fields
    for family in _FAMILIES:
        remaining, reset = (_number(headers.get(f"{family}-{name}")) for name in ("Remaining", "Reset"))
        told.append(quota(remaining, reset))
    known = [quota for quota in told if quota is not None]
    return min(known, key=lambda quota: (quota.remaining, -quota.reset), default=None)


def _whole(headers: Mapping[str, str], name: str) -> str:
    """A header that is a list: its lines make one (RFC 9110 §5.3)."""
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
    exact = reset > _EPOCH_MILLISECONDS  # in seconds it is rounded up, or a second is added, as slowapi does
    epoch = reset / 1000 if exact else reset
    ahead = epoch - wall
    if not 0 <= ahead <= _WEEK:
        return None
    return Quota(remaining, ahead, epoch, rounding=late + (not exact))
