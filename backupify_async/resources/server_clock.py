"""What the server's clock shows, by the one thing that tells it: the Date of an answer.

Our own times are the loop's, which never jump. `Date` has whole seconds, and was written at some moment
between the request's leaving and the answer's coming: so a clock's lead is known between two bounds only.
"""

import time
from datetime import UTC, datetime, timedelta

import attrs

from backupify_async.models import Backup
from backupify_async.transport.refusals import http_date
from backupify_async.transport.request import Response

_NO_CLOCK = timedelta(days=3650)  # a Date that is further off than ten years is no clock's
_WHOLE_SECOND = 1.0
# How long before the sending a backup must have been created to be surely not its work. With the server's
# Date its clock is known to the second; without, only ours is, which may be off.
_BEFORE_BY_DATE = 5.0
_BEFORE_BY_OUR_CLOCK = 60.0


@attrs.frozen
class Lead:
    """How far a clock is ahead of the loop's, in seconds: what to add to the loop's time to get an epoch's.

    Attributes:
        lowest: At least so far.
        highest: At most so far.
    """

    lowest: float
    highest: float

    def or_also(self, other: "Lead | None") -> "Lead":
        """The bounds that hold both."""
        if other is None:
            return self
        return Lead(min(self.lowest, other.lowest), max(self.highest, other.highest))


def our_lead(now: float) -> float:
    """How far this machine's clock is ahead of the loop's, which shows `now`, in seconds."""
    return time.time() - now


def read_lead(response: Response, received: float) -> Lead | None:
    """How far the server's clock is ahead of the loop's, where a credible Date tells.

    Args:
        response: An answer.
        received: When it had come, by the loop's clock, in seconds.
    """
    date = http_date(response.headers.get("Date"))
    if date is None or abs(date - datetime.now(UTC)) > _NO_CLOCK:
        return None
    written = date.timestamp()
    return Lead(written - received, written + _WHOLE_SECOND - response.message.left)


def was_there_before(backup: Backup, response: Response, received: float) -> bool:
    """Whether the backup in the answer to a trigger was surely created before that left.

    Args:
        backup: The backup.
        response: The answer that holds it.
        received: When it had come, by the loop's clock, in seconds.
    """
    created = backup.created_at or backup.started_at
    if created is None:
        return False
    lead = read_lead(response, received)
    begin = our_lead(received) - _BEFORE_BY_OUR_CLOCK if lead is None else lead.lowest - _BEFORE_BY_DATE
    return created.timestamp() < response.message.left + begin
