"""How soon a client is back at the limit, and how many refusals it causes otherwise: pure scores."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from enum import StrEnum

import attrs

_SHARE = 0.9  # of what the server allows
_SECONDS, _CALLS = 2.0, 8  # what is looked at: the longer of the two
_EXEMPT = 15.0  # seconds behind a moment in which refusals are the price of finding out
_REFUSED_SHARE, _REFUSED_A_MINUTE = 0.01, 10  # what is borne otherwise: the larger
_ALMOST = 1e-9


class Kind(StrEnum):
    """What happens to a server at a moment."""

    START = "start"
    OUTAGE = "outage begins"
    BACK = "outage ends"
    RISE = "rise"
    FALL = "fall"


MUST = {Kind.START: 10.0, Kind.BACK: 15.0, Kind.RISE: 25.0}
"""Seconds in which a client must be back at the limit."""


@attrs.frozen
class Moment:
    """When something happens, in seconds."""

    at: float
    kind: Kind


def span(allowed: float, period: float) -> float:
    """The seconds over which accepted calls are compared with a limit.

    Args:
        allowed: Calls a second that the server allows.
        period: Seconds over which its limit is an average; 0 where it is even.
    """
    return max(_SECONDS, _CALLS / allowed, period)


def seconds_to_limit(
    accepted: Sequence[float], begin: float, end: float, allowed: float, period: float = 0.0
) -> float | None:
    """Seconds until the accepted calls that follow are at least 0.9 of what the server allows; None: never.

    Args:
        accepted: When calls were accepted, in order.
        begin: From when on.
        end: Until when this limit holds, or anybody looks.
        allowed: Calls a second that the server allows.
        period: As in `span`.
    """
    over = span(allowed, period)
    needed = math.ceil(_SHARE * allowed * over - _ALMOST)
    first = bisect_left(accepted, begin)
    last = first + needed - 1  # the call that makes it enough
    while last < len(accepted) and accepted[last] <= end:
        since = max(begin, accepted[last] - over)
        if since + over > end:
            return None
        if bisect_right(accepted, accepted[last]) - bisect_left(accepted, since) >= needed:
            return since - begin
        last += 1
    return None


def share(accepted: Sequence[float], begin: float, end: float, allowed: float) -> float:
    """Percent of the limit that was let pass from `begin` to `end`; arguments as in `seconds_to_limit`."""
    passed = bisect_left(accepted, end) - bisect_left(accepted, begin)
    return 100 * passed / (allowed * (end - begin))


@attrs.frozen
class Refusals:
    """The refusals outside the exempt spans.

    Attributes:
        count: How many.
        sent: How many calls were sent there.
        seconds: How long that is.
    """

    count: int
    sent: int
    seconds: float

    @property
    def per_minute(self) -> float:
        """How many a minute; of less than a minute, how many."""
        return self.count / max(1.0, self.seconds / 60)

    @property
    def too_many(self) -> bool:
        """Whether they are more than a server is to bear."""
        allowed = max(_REFUSED_SHARE * self.sent, _REFUSED_A_MINUTE * max(1.0, self.seconds / 60))
        return self.count > allowed


def refusals(
    answers: Iterable[tuple[float, int]], moments: Sequence[Moment], end: float, unavoidable: frozenset[float]
) -> Refusals:
    """Count refusals more than 15 s behind every moment.

    Args:
        answers: When the server answered, and with which status.
        moments: What happened.
        end: When the run ended.
        unavoidable: When the server refused for no reason of the limit's.
    """
    begins = sorted(moment.at for moment in moments)
    ends = [*begins[1:], end]
    spans = [(at + _EXEMPT, until) for at, until in zip(begins, ends, strict=True) if at + _EXEMPT < until]
    starts = [begin for begin, _ in spans]
    count = sent = 0
    for when, status in answers:
        number = bisect_right(starts, when) - 1
        if number >= 0 and when < spans[number][1]:
            sent += 1
            count += status != 200 and when not in unavoidable
    return Refusals(count, sent, sum(until - begin for begin, until in spans))
