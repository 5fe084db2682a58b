"""Figures of a run, from what the server has recorded. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

import attrs

from backupify_async.testing import RequestRecord

SETTLED = 5.0
"""Seconds after which a limit should be known."""


@attrs.frozen
class Figures:
    """What a group reached.

    Attributes:
        used: Percent of the limit that was used.
        refused: Percent of all requests that were refused,
        refused_later: and of those after the first 5 s.
        fairness: Jain's index of the members' accepted calls: 1 is fair.
    """

    used: float
    refused: float
    refused_later: float
    fairness: float


def calls_of(records: Iterable[RequestRecord]) -> list[RequestRecord]:
    """The requests that are no token requests."""
    return [record for record in records if record.operation != "token"]


def accepted(records: Iterable[RequestRecord], begin: float, end: float) -> int:
    """How many requests were accepted in a time."""
    return sum(record.status != 429 and begin <= record.at < end for record in records)


def refused(records: Iterable[RequestRecord], begin: float, end: float) -> int:
    """How many requests were refused in a time."""
    return sum(record.status == 429 and begin <= record.at < end for record in records)


def figures(records: Sequence[RequestRecord], begin: float, seconds: float, allowed: float) -> Figures:
    """The figures of a run.

    Args:
        records: What the server received.
        begin: When the members began, by the server's clock.
        seconds: How long they sent.
        allowed: How many calls the server accepts in that time.
    """
    end = begin + seconds
    return Figures(
        100 * accepted(records, begin, end) / allowed,
        _share(records, begin, end),
        _share(records, begin + min(SETTLED, seconds / 2), end),
        fairness(records, begin, end),
    )


def fairness(records: Iterable[RequestRecord], begin: float, end: float) -> float:
    """Jain's index of the accepted calls of each member in a time."""
    shares = Counter(
        record.user_agent for record in records if record.status != 429 and begin <= record.at < end
    )
    squares = sum(share**2 for share in shares.values())
    return sum(shares.values()) ** 2 / max(1, len(shares) * squares)


def _share(records: Sequence[RequestRecord], begin: float, end: float) -> float:
    no, yes = refused(records, begin, end), accepted(records, begin, end)
    return 100 * no / max(1, no + yes)


def percentile(sorted_values: Sequence[float], part: float) -> float:
    """A percentile of sorted values; 0 of none."""
    return sorted_values[int(part * (len(sorted_values) - 1))] if sorted_values else 0.0
