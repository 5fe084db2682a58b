"""What the server does for each operation: from a request to its true answer, given the state. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from attrs import frozen

from backupify_async.testing._answers import JSON, Answer, Asked, Operation, error_answer, json_answer, number
from backupify_async.testing._log import Triggers
from backupify_async.testing._paging import cut, link_header
from backupify_async.testing._settings import Settings
from backupify_async.testing._state import Instance, SimulatedBackup, Tokens, World

T = TypeVar("T")

NO_INSTANCE = "Backup instance not found"
NO_ACTIVE_BACKUP = "No active backup"


@frozen
class ServerContext:
    """All that an operation may look at or change."""

    settings: Settings
    world: World
    tokens: Tokens
    triggers: Triggers


def token(desk: ServerContext, asked: Asked) -> Answer:
    """Hand out a token by client credentials."""
    form, settings = asked.form, desk.settings
    if not {"client_id", "client_secret", "grant_type"} <= set(form):
        return error_answer(400, "invalid_request")
    if form["grant_type"] != "client_credentials":
        return error_answer(400, "unsupported_grant_type")
    if (form["client_id"], form["client_secret"]) != (settings.client_id, settings.client_secret):
        return error_answer(401, "invalid_client")
    if form.get("scope", "").split() != ["write"]:
        return error_answer(400, "invalid_scope")
    access = {"access_token": desk.tokens.issue(asked.at), "token_type": "bearer"}
    return json_answer(200, {**access, "expires_in": settings.token_lifetime, "scope": "write"})


def ping(_desk: ServerContext, _asked: Asked) -> Answer:
    """Say that the server is there."""
    return json_answer(200, {"ping": "pong"})


def list_instances(desk: ServerContext, asked: Asked) -> Answer:
    """A page of all instances, or of those of one backup definition."""
    wanted = asked.query.get("backup_definition_id")
    if wanted is None:
        return _page(desk, asked, desk.world.instances, _instance_json)
    definition_id = number(wanted)
    if definition_id is None:
        return error_answer(400, "backup_definition_id is invalid")
    return _page(desk, asked, desk.world.of_definition(definition_id), _instance_json)


def list_customer_instances(desk: ServerContext, asked: Asked) -> Answer:
    """A page of a customer's instances."""
    customer_id = number(asked.parts["customer_id"])
    instances = None if customer_id is None else desk.world.of_customer(customer_id)
    if instances is None:
        return error_answer(404, "Customer not found")
    return _page(desk, asked, instances, _instance_json)


def get_instance(desk: ServerContext, _asked: Asked, instance: Instance) -> Answer:
    """One instance."""
    return _single(desk, 200, _instance_json(instance, 0, desk.settings.local_time))


def list_backups(desk: ServerContext, asked: Asked, instance: Instance) -> Answer:
    """A page of an instance's backups."""
    backups, shown_to = desk.world.backups(instance), asked.at - desk.settings.list_lag
    if desk.settings.list_lag:
        backups = [backup for backup in backups if backup.started_at <= shown_to]
    return _page(desk, asked, backups, backup_json)


def get_backup(desk: ServerContext, asked: Asked, instance: Instance) -> Answer:
    """One backup of an instance."""
    backup = desk.world.backup(instance, number(asked.parts["backup_id"]))
    if backup is None:
        return error_answer(404, "Backup not found")
    return _single(desk, 200, backup_json(backup, asked.at, desk.settings.local_time))


def get_active(desk: ServerContext, asked: Asked, instance: Instance) -> Answer:
    """The backup that is running, or that there is none."""
    active = desk.world.active(instance, asked.at)
    if active is not None:
        return _single(desk, 200, backup_json(active, asked.at, desk.settings.local_time))
    match desk.settings.idle_answer:
        case 404:
            return error_answer(404, NO_ACTIVE_BACKUP)
        case 204:
            return Answer(204)
        case body:
            return Answer(200, body.encode(), {"Content-Type": JSON})


def trigger(desk: ServerContext, asked: Asked, instance: Instance) -> Answer:
    """Start a backup, unless one is running."""
    active = desk.world.active(instance, asked.at)
    if active is None:
        started = desk.world.start(instance, asked.at)
        desk.triggers.add(started)
        return _single(desk, 201, backup_json(started, asked.at, desk.settings.local_time))
    match desk.settings.active_conflict:
        case 200:
            return _single(desk, 200, backup_json(active, asked.at, desk.settings.local_time))
        case status:
            return error_answer(status, "A backup is already active")


_PLAIN: dict[Operation, Callable[[ServerContext, Asked], Answer]] = {
    "token": token,
    "ping": ping,
    "list_instances": list_instances,
    "list_customer_instances": list_customer_instances,
}
_OF_AN_INSTANCE: dict[Operation, Callable[[ServerContext, Asked, Instance], Answer]] = {
    "get_instance": get_instance,
    "list_backups": list_backups,
    "get_active": get_active,
    "get_backup": get_backup,
    "trigger": trigger,
}


def act(desk: ServerContext, asked: Asked) -> Answer:
    """Do what is asked.

    Args:
        desk: the server's state and settings.
        asked: the request; its token has been looked at.

    Returns:
        The true answer.
    """
    if asked.operation is None:
        return error_answer(404, "Not Found")
    if (plain := _PLAIN.get(asked.operation)) is not None:
        return plain(desk, asked)
    instance = desk.world.instance(asked.instance_id)
    if instance is None:
        return error_answer(404, NO_INSTANCE)
    if instance.id in desk.settings.forbidden:
        return error_answer(403)
    return _OF_AN_INSTANCE[asked.operation](desk, asked, instance)


def _page(
    desk: ServerContext,
    asked: Asked,
    items: Sequence[T],
    shown: Callable[[T, float, float | None], Mapping[str, Any]],
) -> Answer:
    settings = desk.settings
    here = cut(asked.query, len(items), per_page=settings.per_page, max_per_page=settings.max_per_page)
    if here is None:
        return error_answer(400, "page, per_page is invalid")
    listed: Any = [shown(item, asked.at, settings.local_time) for item in items[here.items]]
    headers = {"Total": str(here.total), "Per-Page": str(here.per_page)}
    link = link_header(f"{settings.link_base or asked.origin}{asked.path}", asked.query, here)
    if link is not None:
        headers["Link"] = link
    return json_answer(200, listed if settings.envelope is None else {settings.envelope: listed}, headers)


def _single(desk: ServerContext, status: int, thing: Mapping[str, Any]) -> Answer:
    envelope = desk.settings.envelope
    return json_answer(status, thing if envelope is None else {envelope.removesuffix("s"): thing})


def backup_json(backup: SimulatedBackup, now: float, local_time: float | None = None) -> Mapping[str, Any]:
    """A backup as it is at `now` (seconds since the epoch); `local_time` as the setting."""
    completed_at = None if backup.is_active(now) else _stamp(backup.completes_at, local_time)
    started_at = _stamp(backup.started_at, local_time)
    return {
        "id": backup.id,
        "backup_instance_id": backup.backup_instance_id,
        "status": "running" if completed_at is None else "completed",
        "created_at": started_at,
        "started_at": started_at,
        "completed_at": completed_at,
        "updated_at": completed_at or started_at,
    }


def _instance_json(instance: Instance, _now: float, local_time: float | None) -> Mapping[str, Any]:
    return {
        "id": instance.id,
        "customer_id": instance.customer_id,
        "backup_definition_id": instance.backup_definition_id,
        "backup_frequency": "daily",
        "created_at": _stamp(instance.created_at, local_time),
        "updated_at": _stamp(instance.created_at, local_time),
    }


def _stamp(seconds: float, local_time: float | None) -> str:
    ahead = 0.0 if local_time is None else local_time * 3600
    text = datetime.fromtimestamp(seconds + ahead, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + ("Z" if local_time is None else "")
