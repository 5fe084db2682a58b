"""The calls of a client by name, each with an id."""

from collections.abc import Callable, Coroutine
from typing import Any

from backupify_async import BackupifyClient

Call = Callable[[BackupifyClient, Any], Coroutine[Any, Any, Any]]

CALLS_WITH_AN_ID: dict[str, Call] = {
    "get": lambda client, value: client.backups.get(value, 1),
    "get a backup": lambda client, value: client.backups.get(1, value),
    "get_active": lambda client, value: client.backups.get_active(value),
    "latest": lambda client, value: client.backups.latest(value),
    "trigger": lambda client, value: client.backups.trigger(value),
    "instance": lambda client, value: client.instances.get(value),
    "list": lambda client, value: _collect(lambda: client.backups.list(value)),
    "customer": lambda client, value: _collect(lambda: client.customers.instances(value)),
}


async def _collect(begin: Callable[[], Any]) -> Any:
    return await begin().collect()
