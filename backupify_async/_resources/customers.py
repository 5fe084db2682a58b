"""Customers: list their instances."""

from backupify_async._paging.paginator import Paginator, paginate
from backupify_async._transport.session import Session
from backupify_async.models import BackupInstance


class Customers:
    """`client.customers`: the customers that the credentials can access."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def instances(
        self, customer_id: int | str, *, per_page: int | None = None, prefetch: int = 0
    ) -> Paginator[BackupInstance]:
        """List the instances of one customer.

        Args:
            customer_id: The customer.
            per_page: Items per page. The server may cap or ignore it.
            prefetch: How many pages to request ahead, concurrently, where the links number the pages. Each
                request counts against `max_concurrency` and the rate limit.

        Raises:
            TypeError, ValueError: An argument is invalid; the message names it.
        """
        return paginate(
            self._session.send,
            BackupInstance,
            "/v1/customers/{customer_id}/backup_instances",
            per_page=per_page,
            prefetch=prefetch,
            customer_id=customer_id,
        )
