"""The operations on the vendor, its backup definitions and its customers. No I/O."""

from collections.abc import Mapping

from backupify_async.testing._accounts import Customer
from backupify_async.testing._context import ServerContext, page_response, single_response
from backupify_async.testing._forms import nested
from backupify_async.testing._messages import Request, Response, error_response, json_response, number
from backupify_async.testing._representations import (
    customer_json,
    definition_json,
    instance_json,
    vendor_json,
)

_NO_CUSTOMER = error_response(404, "Customer not found")


def get_vendor(context: ServerContext, request: Request) -> Response:
    """The vendor of the token."""
    value = vendor_json(context.state.vendor, request.at, context.settings.local_time)
    return single_response(context, 200, value)


def list_definitions(context: ServerContext, request: Request) -> Response:
    """A page of the backup definitions, optionally those of one vendor."""
    definitions, wanted = context.state.definitions, request.query.get("vendor_id")
    if wanted is not None:
        vendor_id = number(wanted)
        if vendor_id is None:
            return error_response(400, "vendor_id is invalid")
        definitions = tuple(each for each in definitions if each.vendor_id == vendor_id)
    return page_response(context, request, definitions, definition_json)


def get_definition(context: ServerContext, request: Request) -> Response:
    """One backup definition."""
    wanted = number(request.parts["definition_id"])
    for definition in context.state.definitions:
        if definition.id == wanted:
            value = definition_json(definition, request.at, context.settings.local_time)
            return single_response(context, 200, value)
    return error_response(404, "Backup definition not found")


def list_customers(context: ServerContext, request: Request) -> Response:
    """A page of the customers."""
    customers = context.state.customers
    return page_response(
        context,
        request,
        customers.ids,
        lambda each, now, local_time: customer_json(customers[each], now, local_time),
    )


def get_customer(context: ServerContext, request: Request) -> Response:
    """One customer."""
    customer_id = _customer_id(context, request)
    if customer_id is None:
        return _NO_CUSTOMER
    return _customer_response(context, request, 200, context.state.customers[customer_id])


def create_customer(context: ServerContext, request: Request) -> Response:
    """Create a customer, which has no instances."""
    form = _customer_form(request)
    if isinstance(form, Response):
        return form
    created = context.state.customers.create(form["name"], form.get("email"), request.at)
    return _customer_response(context, request, 201, created)


def update_customer(context: ServerContext, request: Request) -> Response:
    """Change the name of a customer. The API documents no other parameter."""
    form = _customer_form(request)
    if isinstance(form, Response):
        return form
    customer_id = _customer_id(context, request)
    if customer_id is None:
        return _NO_CUSTOMER
    renamed = context.state.customers.rename(customer_id, form["name"], request.at)
    return _customer_response(context, request, 200, renamed)


def list_customer_instances(context: ServerContext, request: Request) -> Response:
    """A page of a customer's instances."""
    customer_id = _customer_id(context, request)
    if customer_id is None:
        return _NO_CUSTOMER
    return page_response(context, request, context.state.of_customer(customer_id), instance_json)


def _customer_id(context: ServerContext, request: Request) -> int | None:
    """The customer in the path; None for an unknown one."""
    customer_id = number(request.parts["customer_id"])
    return customer_id if customer_id in context.state.customers.ids else None


def _customer_response(context: ServerContext, request: Request, status: int, customer: Customer) -> Response:
    value = customer_json(customer, request.at, context.settings.local_time)
    return single_response(context, status, value)


def _customer_form(request: Request) -> Mapping[str, str] | Response:
    """The parameters of a customer, or the response that refuses them: 400 by Grape, 422 by the model."""
    parameters = nested(request.form)
    if parameters is None:
        return error_response(400)
    customer = parameters.get("customer", {})
    if not isinstance(customer, dict):
        return error_response(400, "customer is invalid")
    form = {name: customer[name] for name in ("name", "email") if name in customer}
    for name, value in form.items():
        if not isinstance(value, str):
            return error_response(400, f"customer[{name}] is invalid")
    if "name" not in form:
        return error_response(400, "customer[name] is missing")
    if not form["name"].strip():
        return json_response(422, {"errors": {"name": ["can't be blank"]}})
    return form
