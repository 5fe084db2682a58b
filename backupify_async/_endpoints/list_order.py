"""Whether a list of backups ascends, as documented, by its first and its last page. Pure."""

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
    UNKNOWN = "no order can be seen"


def order(beginning: Sequence[Backup], end: Sequence[Backup]) -> Order:
    """How a list is sorted, by the ids and the dates of its first and its last backup.

    Ids that are no numbers have no order, and neither have dates that are equal or missing. If ids and dates
    contradict each other, the order is unknown.

    Args:
        beginning: The backups on its first page.
        end: The backups on its last page that is not empty.
    """
    first, last = beginning[0], end[-1]
    orders = {_order_of(whole_number(first.id), whole_number(last.id)), _order_of(_date(first), _date(last))}
    orders.discard(Order.UNKNOWN)
    return orders.pop() if len(orders) == 1 else Order.UNKNOWN


def refuse_descending(beginning: Sequence[Backup], end: Sequence[Backup]) -> None:
    """Refuse a list whose end is surely older than its beginning.

    Raises:
        PaginationError: The list descends.
    """
    if order(beginning, end) is Order.DESCENDS:
        raise PaginationError(
            f"the list descends from backup {beginning[0].id!r} to {end[-1].id!r}, but the API promises "
            "ascending ids: its last backup is not the newest"
        )


def require_ascending(beginning: Sequence[Backup], end: Sequence[Backup]) -> None:
    """Refuse a list whose end is not surely newer than its beginning. A single page shows all, and passes.

    Raises:
        PaginationError: The list descends, or its order is unknown.
    """
    if beginning is not end and order(beginning, end) is not Order.ASCENDS:
        raise PaginationError(
            f"nothing shows that the list ascends from backup {beginning[0].id!r} to {end[-1].id!r}: "
            "its last backup may not be the newest"
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
