"""Whether a list of backups ascends, as documented: by what its beginning and its end show. Pure."""

from collections.abc import Sequence
from enum import Enum

from backupify_async._endpoints.server_clock import is_set
from backupify_async.errors import PaginationError
from backupify_async.ids import whole_number
from backupify_async.models import Backup


class Order(Enum):
    """How the items of a list follow each other."""

    ASCENDS = "the newest last"
    DESCENDS = "the newest first"
    UNKNOWN = "it cannot be told"


def order(beginning: Sequence[Backup], end: Sequence[Backup]) -> Order:
    """How a list goes, by the ids of its first and its last backup and by their dates.

    Ids that are no numbers have no order, and dates that are the same or missing have none. Ids and dates
    that contradict each other tell nothing.

    Args:
        beginning: What is on its first page.
        end: What is on its last page that is not empty.
    """
    first, last = beginning[0], end[-1]
    told = {_order_of(whole_number(first.id), whole_number(last.id)), _order_of(_date(first), _date(last))}
    told.discard(Order.UNKNOWN)
    return told.pop() if len(told) == 1 else Order.UNKNOWN


def refuse_descending(beginning: Sequence[Backup], end: Sequence[Backup]) -> None:
    """Refuse a list whose end is surely older than its beginning.

    Raises:
        PaginationError: It is.
    """
    if order(beginning, end) is Order.DESCENDS:
        raise PaginationError(
            f"the list descends from backup {beginning[0].id!r} to {end[-1].id!r}, where the API promises "
            "ascending ids: what is at its end is not the newest"
        )


def require_ascending(beginning: Sequence[Backup], end: Sequence[Backup]) -> None:
    """Refuse a list whose end is not surely newer than its beginning, but for one page, which shows all.

    Raises:
        PaginationError: It is not.
    """
    if beginning is not end and order(beginning, end) is not Order.ASCENDS:
        raise PaginationError(
            f"nothing tells that the list ascends from backup {beginning[0].id!r} to {end[-1].id!r}: "
            "what is at its end need not be the newest"
        )


def _date(backup: Backup) -> float | None:
    for date in (backup.created_at, backup.started_at):
        if date is not None and is_set(date.timestamp()):
            return date.timestamp()
    return None


def _order_of(first: float | None, last: float | None) -> Order:
    if first is None or last is None or first == last:
        return Order.UNKNOWN
    return Order.ASCENDS if first < last else Order.DESCENDS
