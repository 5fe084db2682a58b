"""The log of what a server was asked, without a secret and without a token in it."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future

from attrs import field, frozen

from backupify_async.testing._answers import Asked, Operation
from backupify_async.testing._faults import Fault
from backupify_async.testing._state import SimulatedBackup

_KEPT = 1_000_000  # a few hundred megabytes; a server that runs for days shall not eat the machine
_SECRET = re.compile("token|secret|password|key|auth", re.IGNORECASE)


@frozen(kw_only=True)
class RequestRecord:
    """One request that a simulated server has decided about.

    Attributes:
        operation: what it asked for (`get_active`, `trigger` ...), or None where no route is known.
        method: in capitals.
        path: without the query, still percent-encoded.
        query: the parameters after the question mark; values that look like secrets are left out.
        instance_id: the backup instance in the path, or None.
        status: the status of the answer, or None where a fault kept it back; noted before the answer leaves.
        fault: what it met, or None.
        at: when it arrived, in seconds since the epoch on the server's clock.
        request_id: the X-Request-Id of the answer.
        user_agent: as the client called itself.
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


class Triggers(Mapping[int, list[SimulatedBackup]]):
    """The backups that were started by POST, by instance id; an id without any has an empty list."""

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
        return f"Triggers({dict(self)!r})"

    def add(self, backup: SimulatedBackup) -> None:
        """Note one more."""
        self._started.setdefault(backup.backup_instance_id, []).append(backup)


class Log:
    """What was asked, in the order of arrival; read and waited for from any thread.

    Plain list operations, each of them atomic, take the place of a lock: a lock would block the loop.

    Args:
        kept: beyond so many records the older half is forgotten.
    """

    def __init__(self, *, kept: int = _KEPT) -> None:
        self.triggers = Triggers()
        self._kept = kept
        self._count = 0
        self._records: list[RequestRecord] = []
        self._waiting: dict[Future[None], int] = {}

    @property
    def records(self) -> list[RequestRecord]:
        """A copy of all that is kept."""
        return list(self._records)

    def add(self, asked: Asked, *, status: int | None, fault: Fault | None, request_id: str) -> None:
        """Note one request and how it was answered."""
        self._records.append(
            RequestRecord(
                operation=asked.operation,
                method=asked.method,
                path=asked.path,
                query={
                    name: "[FILTERED]" if _SECRET.search(name) else value
                    for name, value in asked.query.items()
                },
                instance_id=asked.instance_id,
                status=status,
                fault=fault,
                at=asked.at,
                request_id=request_id,
                user_agent=asked.user_agent,
            )
        )
        self._count += 1
        if len(self._records) > self._kept:
            del self._records[: self._kept // 2]
        if self._waiting:
            self._wake()

    async def reaches(self, count: int) -> None:
        """Wait until so many requests in all have been noted."""
        waiter: Future[None] = Future()
        self._waiting[waiter] = count
        self._wake()  # only after it has been put in, so that a record of just now is not missed
        try:
            await asyncio.wrap_future(waiter)
        finally:
            self._waiting.pop(waiter, None)

    def _wake(self) -> None:
        for waiter, count in list(self._waiting.items()):
            # Two threads may come by here at once: whoever takes the waiter out wakes it.
            # One that was cancelled meanwhile takes no result.
            mine = count <= self._count and self._waiting.pop(waiter, None) is not None
            if mine and waiter.set_running_or_notify_cancel():
                waiter.set_result(None)
