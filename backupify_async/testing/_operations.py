"""The operations of the server: from a request and the state to the correct response. No I/O."""

from collections.abc import Callable

from backupify_async.testing import _account_operations as accounts
from backupify_async.testing._context import ServerContext, page_response, single_response
from backupify_async.testing._messages import (
    JSON,
    Operation,
    Request,
    Response,
    error_response,
    json_response,
    number,
)
from backupify_async.testing._representations import backup_json, instance_json
from backupify_async.testing._state import Instance

NO_INSTANCE = "Backup instance not found"
NO_ACTIVE_BACKUP = "No active backup"


def token(context: ServerContext, request: Request) -> Response:
    """Issue a token for client credentials."""
    form = {name: value for name, value in request.form if value}
    settings = context.settings
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
        return page_response(context, request, context.state.instances, instance_json)
    definition_id = number(wanted)
    if definition_id is None:
        return error_response(400, "backup_definition_id is invalid")
    return page_response(context, request, context.state.of_definition(definition_id), instance_json)


def get_instance(context: ServerContext, _request: Request, instance: Instance) -> Response:
    """One instance."""
    return single_response(context, 200, instance_json(instance, 0, context.settings.local_time))


def list_backups(context: ServerContext, request: Request, instance: Instance) -> Response:
    """A page of an instance's backups."""
    backups, visible_until = context.state.backups(instance), request.at - context.settings.list_lag
    if context.settings.list_lag:
        backups = [backup for backup in backups if backup.started_at <= visible_until]
    return page_response(context, request, backups, backup_json)


def get_backup(context: ServerContext, request: Request, instance: Instance) -> Response:
    """One backup of an instance."""
    backup = context.state.backup(instance, number(request.parts["backup_id"]))
    if backup is None:
        return error_response(404, "Backup not found")
    return single_response(context, 200, backup_json(backup, request.at, context.settings.local_time))


def get_active(context: ServerContext, request: Request, instance: Instance) -> Response:
    """The active backup, or the response that there is none."""
    active = context.state.active(instance, request.at)
    if active is not None:
        return single_response(context, 200, backup_json(active, request.at, context.settings.local_time))
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
        return single_response(context, 201, backup_json(started, request.at, context.settings.local_time))
    match context.settings.active_conflict:
        case 200:
            return single_response(context, 200, backup_json(active, request.at, context.settings.local_time))
        case status:
            return error_response(status, "A backup is already active")


_GENERAL: dict[Operation, Callable[[ServerContext, Request], Response]] = {
    "token": token,
    "ping": ping,
    "get_vendor": accounts.get_vendor,
    "list_definitions": accounts.list_definitions,
    "get_definition": accounts.get_definition,
    "list_customers": accounts.list_customers,
    "get_customer": accounts.get_customer,
    "create_customer": accounts.create_customer,
    "update_customer": accounts.update_customer,
    "list_customer_instances": accounts.list_customer_instances,
    "list_instances": list_instances,
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
