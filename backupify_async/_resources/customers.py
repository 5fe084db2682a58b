"""Customers: which instances are theirs."""

from backupify_async._paging.paginator import Paginator, paginate
from backupify_async._transport.session import Session
from backupify_async.models import BackupInstance


class Customers:
    """`client.customers`: the customers that the credentials may see."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def instances(
        self, customer_id: int | str, *, per_page: int | None = None, prefetch: int = 0
    ) -> Paginator[BackupInstance]:
        """All instances of one customer.

        Args:
            customer_id: The customer.
            per_page: How many to ask for at once; the server may cap or ignore it.
            prefetch: How many pages to ask for ahead of the one in hand, side by side, where the links number
                them. Each holds its place and its slot like any other call.

        Raises:
            TypeError, ValueError: An argument makes no sense; the message names it.
        """
        return paginate(
            self._session.send,
            BackupInstance,
            "/v1/customers/{customer_id}/backup_instances",
            per_page=per_page,
            prefetch=prefetch,
            customer_id=customer_id,
        )
