"""Clients for tests over sockets, which never wait."""

from typing import Any

from backupify_async import (
    BackupifyClient,
    BackupifyError,
    ClientCredentials,
    RateLimit,
    Reconciliation,
    RetryPolicy,
    StaticToken,
    TriggerResult,
)
from backupify_async.testing import Fault, RequestRecord, SimulatedBackupify

AT_ONCE = RetryPolicy(base=0, cap=0)
"""Retries and pauses without a delay: the order of events is the same, and no test waits."""

SETTLED = Reconciliation(settling=0, patience=0)
"""For servers that act at once or never: one check is enough."""

TOKEN = "b64+of/a-token=="


def client_of(server: SimulatedBackupify | str, **options: Any) -> BackupifyClient:
    """A client of a simulated server, or of any server by its base URL, with a static token."""
    where: dict[str, Any]
    if isinstance(server, str):
        where = {"base_url": server, "credentials": StaticToken(TOKEN)}
    else:
        where = {"base_url": server.base_url, "credentials": ClientCredentials("demo", "demo")}
    at_once = {"rate_limit": RateLimit(None, adaptive=False), "retry": AT_ONCE, "reconciliation": SETTLED}
    return BackupifyClient(**{**at_once, **where, **options})


def asked(server: SimulatedBackupify, operation: str | None = None) -> list[RequestRecord]:
    """The requests that a simulated server received, without those for tokens."""
    return [
        request
        for request in server.requests
        if request.operation != "token" and operation in (None, request.operation)
    ]


async def trigger(*faults: Fault, **settings: Any) -> tuple[TriggerResult | BackupifyError, int, int]:
    """The result of a trigger of instance 7, how often it was sent, and how many backups it started."""
    async with SimulatedBackupify(faults=faults, **settings) as server, client_of(server) as client:
        result: TriggerResult | BackupifyError
        try:
            result = await client.backups.trigger(7)
        except BackupifyError as error:
            result = error
        return result, len(asked(server, "trigger")), len(server.triggers[7])
