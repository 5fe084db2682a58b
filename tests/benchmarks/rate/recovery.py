"""Scores of a run: how soon the client is back at the limit, and how many refusals it causes otherwise."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from enum import StrEnum

import attrs

_SHARE = 0.9  # of the limit, from which on it counts as reached
_SECONDS, _CALLS = 2.0, 8  # the share is measured over the longer of the two
_EXEMPT = 15.0  # seconds after a moment in which refusals are needed to learn the limit
_REFUSED_SHARE, _REFUSED_A_MINUTE = 0.01, 10  # permitted otherwise: the larger of the two
_ALMOST = 1e-9


class Kind(StrEnum):
    """How a server changes at a moment."""

    START = "start"
    OUTAGE = "outage begins"
    BACK = "outage ends"
    RISE = "rise"
    FALL = "fall"


DEADLINES = {Kind.START: 10.0, Kind.BACK: 15.0, Kind.RISE: 25.0}
"""Seconds after a moment until which a client must be back at the limit."""


@attrs.frozen
class Moment:
    """A time in seconds at which a server changes."""

    at: float
    kind: Kind


def span(allowed: float, period: float) -> float:
    """Seconds over which accepted calls are compared with a limit.

    Args:
        allowed: Calls a second that the server allows.
        period: Seconds over which its limit is an average; 0 for an even limit.
    """
    return max(_SECONDS, _CALLS / allowed, period)


def seconds_to_limit(
    accepted: Sequence[float], begin: float, end: float, allowed: float, period: float = 0.0
) -> float | None:
    """Seconds from `begin` until 0.9 of the limit is used; None: never.

    Args:
        accepted: When calls were accepted, in order.
        begin: When this limit begins.
        end: When this limit or the run ends.
        allowed: Calls a second that the server allows.
        period: As in `span`.
    """
    over = span(allowed, period)
    needed = math.ceil(_SHARE * allowed * over - _ALMOST)
    first = bisect_left(accepted, begin)
    last = first + needed - 1  # the call with which enough are accepted
    while last < len(accepted) and accepted[last] <= end:
        since = max(begin, accepted[last] - over)
        if since + over > end:
            return None
        if bisect_right(accepted, accepted[last]) - bisect_left(accepted, since) >= needed:
            return since - begin
        last += 1
    return None


def share(accepted: Sequence[float], begin: float, end: float, allowed: float) -> float:
    """Percent of the limit that was used from `begin` to `end`; arguments as in `seconds_to_limit`."""
    passed = bisect_left(accepted, end) - bisect_left(accepted, begin)
    return 100 * passed / (allowed * (end - begin))


@attrs.frozen
class Refusals:
    """The refusals outside the exempt spans.

    Attributes:
        count: How many there are.
        sent: How many calls were sent outside these spans.
        seconds: Seconds outside these spans.
    """

    count: int
    sent: int
    seconds: float

    @property
    def per_minute(self) -> float:
        """How many a minute; in less than a minute, how many."""
        return self.count / max(1.0, self.seconds / 60)

    @property
    def too_many(self) -> bool:
        """Whether they are more than permitted."""
        allowed = max(_REFUSED_SHARE * self.sent, _REFUSED_A_MINUTE * max(1.0, self.seconds / 60))
        return self.count > allowed


def refusals(
    responses: Iterable[tuple[float, int]],
    moments: Sequence[Moment],
    end: float,
    unavoidable: frozenset[float],
) -> Refusals:
    """Count the refusals that are more than 15 s after each moment.

    Args:
        responses: When the server responded, and with which status.
        moments: When the server changed.
        end: When the run ended.
        unavoidable: When the server refused a call although the limit permitted it.
    """
    begins = sorted(moment.at for moment in moments)
    ends = [*begins[1:], end]
    spans = [(at + _EXEMPT, until) for at, until in zip(begins, ends, strict=True) if at + _EXEMPT < until]
    starts = [begin for begin, _ in spans]
    count = sent = 0
    for when, status in responses:
        number = bisect_right(starts, when) - 1
        if number >= 0 and when < spans[number][1]:
            sent += 1
            count += status != 200 and when not in unavoidable
    return Refusals(count, sent, sum(until - begin for begin, until in spans))
