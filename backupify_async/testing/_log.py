"""The request log of a server. It holds no secrets and no tokens."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future

from attrs import field, frozen

from backupify_async.testing._faults import Fault
from backupify_async.testing._messages import Operation, Request
from backupify_async.testing._state import SimulatedBackup

_MAX_RECORDS = 1_000_000  # a few hundred megabytes, for a server that runs for days
_SECRET = re.compile("token|secret|password|key|auth", re.IGNORECASE)


@frozen(kw_only=True)
class RequestRecord:
    """One request to a simulated server.

    Attributes:
        operation: The operation (`get_active`, `trigger` ...); None for an unknown route.
        method: The method, in capitals.
        path: The path without the query, percent-encoded.
        query: The query parameters; values that look like secrets are filtered.
        instance_id: The backup instance in the path, or None.
        status: The status of the response; None where a fault suppressed it. Recorded before it is sent.
        fault: The fault that was applied, or None.
        at: The time of arrival, in seconds since the epoch on the server's clock.
        request_id: The X-Request-Id of the response.
        user_agent: The User-Agent header.
    """

    operation: Operation | None
    method: str
    path: str
    query: Mapping[str, str] = field(hash=False)
    instance_id: int | None
    status: int | None
    fault: Fault | None
    at: float
    request_id: str
    user_agent: str


class StartedBackups(Mapping[int, list[SimulatedBackup]]):
    """The backups that were started by POST, by instance id; an empty list for an id without any."""

    def __init__(self) -> None:
        self._started: dict[int, list[SimulatedBackup]] = {}

    def __getitem__(self, instance_id: int) -> list[SimulatedBackup]:
        return list(self._started.get(instance_id, ()))

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._started))

    def __len__(self) -> int:
        return len(self._started)

    def __contains__(self, instance_id: object) -> bool:
        return instance_id in self._started

    def __repr__(self) -> str:
        return f"StartedBackups({dict(self)!r})"

    def add(self, backup: SimulatedBackup) -> None:
        """Record a backup."""
        self._started.setdefault(backup.backup_instance_id, []).append(backup)


class Log:
    """The requests in the order of arrival. Any thread can read it and wait for it.

    It needs no lock, which would block the loop: each list operation is atomic.

    Args:
        max_records: When there are more, the older half is dropped.
    """

    def __init__(self, *, max_records: int = _MAX_RECORDS) -> None:
        self.triggers = StartedBackups()
        self._max_records = max_records
        self._count = 0
        self._records: list[RequestRecord] = []
        self._waiting: dict[Future[None], int] = {}

    @property
    def records(self) -> list[RequestRecord]:
        """A copy of the records."""
        return list(self._records)

    def add(self, request: Request, *, status: int | None, fault: Fault | None, request_id: str) -> None:
        """Record a request and the status of its response."""
        self._records.append(
            RequestRecord(
                operation=request.operation,
                method=request.method,
                path=request.path,
                query={
                    name: "[FILTERED]" if _SECRET.search(name) else value
                    for name, value in request.query.items()
                },
                instance_id=request.instance_id,
                status=status,
                fault=fault,
                at=request.at,
                request_id=request_id,
                user_agent=request.user_agent,
            )
        )
        self._count += 1
        if len(self._records) > self._max_records:
            del self._records[: self._max_records // 2]
        if self._waiting:
            self._wake()

    async def reaches(self, count: int) -> None:
        """Wait until `count` requests in all have been recorded."""
        waiter: Future[None] = Future()
        self._waiting[waiter] = count
        self._wake()  # after it was added: a record can have come in between
        try:
            await asyncio.wrap_future(waiter)
        finally:
            self._waiting.pop(waiter, None)

    def _wake(self) -> None:
        for waiter, count in list(self._waiting.items()):
            # Two threads can be here at once: the one that removes the waiter wakes it. A cancelled waiter
            # takes no result.
            mine = count <= self._count and self._waiting.pop(waiter, None) is not None
            if mine and waiter.set_running_or_notify_cancel():
                waiter.set_result(None)
