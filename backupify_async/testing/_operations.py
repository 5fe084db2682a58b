"""The operations of the server: from a request and the state to the correct response. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from attrs import frozen

from backupify_async.testing._log import Triggers
from backupify_async.testing._messages import (
    JSON,
    Operation,
    Request,
    Response,
    error_response,
    json_response,
    number,
)
from backupify_async.testing._pagination import link_header, paginate
from backupify_async.testing._settings import Settings
from backupify_async.testing._state import Instance, ServerState, SimulatedBackup, Tokens

T = TypeVar("T")

NO_INSTANCE = "Backup instance not found"
NO_ACTIVE_BACKUP = "No active backup"


@frozen
class ServerContext:
    """What an operation can read and change."""

    settings: Settings
    state: ServerState
    tokens: Tokens
    triggers: Triggers


def token(context: ServerContext, request: Request) -> Response:
    """Issue a token for client credentials."""
    form, settings = request.form, context.settings
    if not {"client_id", "client_secret", "grant_type"} <= set(form):
        return error_response(400, "invalid_request")
    if form["grant_type"] != "client_credentials":
        return error_response(400, "unsupported_grant_type")
    if (form["client_id"], form["client_secret"]) != (settings.client_id, settings.client_secret):
        return error_response(401, "invalid_client")
    if form.get("scope", "").split() != ["write"]:
        return error_response(400, "invalid_scope")
    access = {"access_token": context.tokens.issue(request.at), "token_type": "bearer"}
    return json_response(200, {**access, "expires_in": settings.token_lifetime, "scope": "write"})


def ping(_context: ServerContext, _request: Request) -> Response:
    """The health check."""
    return json_response(200, {"ping": "pong"})


def list_instances(context: ServerContext, request: Request) -> Response:
    """A page of the instances, optionally those of one backup definition."""
    wanted = request.query.get("backup_definition_id")
    if wanted is None:
        return _page(context, request, context.state.instances, _instance_json)
    definition_id = number(wanted)
    if definition_id is None:
        return error_response(400, "backup_definition_id is invalid")
    return _page(context, request, context.state.of_definition(definition_id), _instance_json)


def list_customer_instances(context: ServerContext, request: Request) -> Response:
    """A page of a customer's instances."""
    customer_id = number(request.parts["customer_id"])
    instances = None if customer_id is None else context.state.of_customer(customer_id)
    if instances is None:
        return error_response(404, "Customer not found")
    return _page(context, request, instances, _instance_json)


def get_instance(context: ServerContext, _request: Request, instance: Instance) -> Response:
    """One instance."""
    return _single(context, 200, _instance_json(instance, 0, context.settings.local_time))


def list_backups(context: ServerContext, request: Request, instance: Instance) -> Response:
    """A page of an instance's backups."""
    backups, visible_until = context.state.backups(instance), request.at - context.settings.list_lag
    if context.settings.list_lag:
        backups = [backup for backup in backups if backup.started_at <= visible_until]
    return _page(context, request, backups, backup_json)


def get_backup(context: ServerContext, request: Request, instance: Instance) -> Response:
    """One backup of an instance."""
    backup = context.state.backup(instance, number(request.parts["backup_id"]))
    if backup is None:
        return error_response(404, "Backup not found")
    return _single(context, 200, backup_json(backup, request.at, context.settings.local_time))


def get_active(context: ServerContext, request: Request, instance: Instance) -> Response:
    """The active backup, or the response that there is none."""
    active = context.state.active(instance, request.at)
    if active is not None:
        return _single(context, 200, backup_json(active, request.at, context.settings.local_time))
    match context.settings.idle_response:
        case 404:
            return error_response(404, NO_ACTIVE_BACKUP)
        case 204:
            return Response(204)
        case body:
            return Response(200, body.encode(), {"Content-Type": JSON})


def trigger(context: ServerContext, request: Request, instance: Instance) -> Response:
    """Start a backup, unless one is active."""
    active = context.state.active(instance, request.at)
    if active is None:
        started = context.state.start(instance, request.at)
        context.triggers.add(started)
        return _single(context, 201, backup_json(started, request.at, context.settings.local_time))
    match context.settings.active_conflict:
        case 200:
            return _single(context, 200, backup_json(active, request.at, context.settings.local_time))
        case status:
            return error_response(status, "A backup is already active")


_GENERAL: dict[Operation, Callable[[ServerContext, Request], Response]] = {
    "token": token,
    "ping": ping,
    "list_instances": list_instances,
    "list_customer_instances": list_customer_instances,
}
_OF_AN_INSTANCE: dict[Operation, Callable[[ServerContext, Request, Instance], Response]] = {
    "get_instance": get_instance,
    "list_backups": list_backups,
    "get_active": get_active,
    "get_backup": get_backup,
    "trigger": trigger,
}


def perform(context: ServerContext, request: Request) -> Response:
    """Perform the operation of a request.

    Args:
        context: The state and the settings of the server.
        request: The request, with a valid token.

    Returns:
        The correct response.
    """
    if request.operation is None:
        return error_response(404, "Not Found")
    if (operation := _GENERAL.get(request.operation)) is not None:
        return operation(context, request)
    instance = context.state.instance(request.instance_id)
    if instance is None:
        return error_response(404, NO_INSTANCE)
    if instance.id in context.settings.forbidden:
        return error_response(403)
    return _OF_AN_INSTANCE[request.operation](context, request, instance)


def _page(
    context: ServerContext,
    request: Request,
    items: Sequence[T],
    to_json: Callable[[T, float, float | None], Mapping[str, Any]],
) -> Response:
    settings = context.settings
    here = paginate(request.query, len(items), per_page=settings.per_page, max_per_page=settings.max_per_page)
    if here is None:
        return error_response(400, "page, per_page is invalid")
    listed: Any = [to_json(item, request.at, settings.local_time) for item in items[here.items]]
    headers = {"Total": str(here.total), "Per-Page": str(here.per_page)}
    link = link_header(f"{settings.link_base or request.origin}{request.path}", request.query, here)
    if link is not None:
        headers["Link"] = link
    return json_response(200, listed if settings.envelope is None else {settings.envelope: listed}, headers)


def _single(context: ServerContext, status: int, value: Mapping[str, Any]) -> Response:
    envelope = context.settings.envelope
    return json_response(status, value if envelope is None else {envelope.removesuffix("s"): value})


def backup_json(backup: SimulatedBackup, now: float, local_time: float | None = None) -> Mapping[str, Any]:
    """A backup at `now` (seconds since the epoch); `local_time` is the setting."""
    completed_at = None if backup.is_active(now) else _date(backup.completes_at, local_time)
    started_at = _date(backup.started_at, local_time)
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
        "created_at": _date(instance.created_at, local_time),
        "updated_at": _date(instance.created_at, local_time),
    }


def _date(seconds: float, local_time: float | None) -> str:
    ahead = 0.0 if local_time is None else local_time * 3600
    text = datetime.fromtimestamp(seconds + ahead, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + ("Z" if local_time is None else "")
