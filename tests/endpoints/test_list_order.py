"""Whether a list ascends: its last backup is compared with its first, by id and by date."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from backupify_async import Backup, PaginationError
from backupify_async._endpoints.list_order import Order, order, refuse_descending, require_ascending
from tests.support.clients import client_of
from tests.support.raw_servers import ScriptedServer, http, raw_server


def one(backup_id: int | str, day: int | None = None, **fields: Any) -> Backup:
    created = None if day is None else datetime(2026, 1, day, tzinfo=UTC)
    return Backup(backup_id, created_at=created, **fields)


def refusal(
    check: Callable[[list[Backup], list[Backup]], None], first: list[Backup], last: list[Backup]
) -> str | None:
    """The message with which a check refuses a list; None if it accepts the list."""
    try:
        check(first, last)
    except PaginationError as error:
        return str(error)
    return None


TABLE = [
    (one(1), one(2), Order.ASCENDS),
    (one("9"), one("10"), Order.ASCENDS),
    (one(2), one(1), Order.DESCENDS),
    (one("a", 1), one("b", 2), Order.ASCENDS),
    (one("a", 2), one("b", 1), Order.DESCENDS),
    (one("a"), one("b"), Order.UNKNOWN),
    (one("a", 1), one("b"), Order.UNKNOWN),
    (one("a", 1), one("b", 1), Order.UNKNOWN),
    (one(1, 1), one(2, 1), Order.ASCENDS),
    (one(1, 2), one(2, 1), Order.UNKNOWN),
    (one(2, 1), one(1, 2), Order.UNKNOWN),
    (one(1, 1), one(2, 2), Order.ASCENDS),
    (one(1), one(1), Order.UNKNOWN),
]


@pytest.mark.parametrize(("first", "last", "expected"), TABLE)
def test_the_first_and_the_last_backup_show_the_order(first: Backup, last: Backup, expected: Order) -> None:
    assert order([first, one(5)], [one(6), last]) is expected


def test_the_start_date_replaces_a_missing_creation_date() -> None:
    began = [one(name, started_at=datetime(2026, 1, day, tzinfo=UTC)) for name, day in (("a", 1), ("b", 2))]
    assert order(began[:1], began[1:]) is Order.ASCENDS


@pytest.mark.parametrize(("first", "last", "expected"), TABLE)
def test_a_reader_of_the_list_refuses_only_what_surely_descends(
    first: Backup, last: Backup, expected: Order
) -> None:
    message = refusal(refuse_descending, [first], [last])
    if expected is Order.DESCENDS:
        assert "the list descends from backup" in str(message)
    else:
        assert message is None


@pytest.mark.parametrize(("first", "last", "expected"), TABLE)
def test_reconciliation_accepts_only_what_surely_ascends(
    first: Backup, last: Backup, expected: Order
) -> None:
    message = refusal(require_ascending, [first], [last])
    if expected is Order.ASCENDS:
        assert message is None
    else:
        assert "nothing shows that the list ascends from backup" in str(message)


def test_a_single_page_is_accepted_whatever_its_order() -> None:
    page = [one(2), one(1)]
    assert refusal(require_ascending, page, page) is None


@pytest.mark.parametrize("per_page", [2, 1])
async def test_the_newest_of_a_descending_list_is_an_error_and_not_the_oldest(per_page: int) -> None:
    last = http(200, b'[{"id":1}]', "Link: <?page=1>; rel=prev")
    first = http(200, b'[{"id":3},{"id":2}]', "Link: <?page=2>; rel=last, <?page=2>; rel=next")
    responses = (first, last) if per_page == 1 else (http(200, b'[{"id":2},{"id":1}]'),) * 2
    for call in ("latest", "newest"):
        async with raw_server(ScriptedServer(*responses)) as url, client_of(url) as client:
            with pytest.raises(PaginationError, match="the list descends"):
                await (client.backups.latest(1) if call == "latest" else client.backups.list(1).newest(1))
