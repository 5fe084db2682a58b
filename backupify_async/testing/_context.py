"""What an operation can read and change, and how it presents what it found. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from attrs import frozen

from backupify_async.testing._log import StartedBackups
from backupify_async.testing._messages import Request, Response, error_response, json_response
from backupify_async.testing._pagination import link_header, paginate
from backupify_async.testing._settings import ServerSettings
from backupify_async.testing._state import ServerState, Tokens

T = TypeVar("T")


@frozen
class ServerContext:
    """What an operation can read and change."""

    settings: ServerSettings
    state: ServerState
    tokens: Tokens
    triggers: StartedBackups


def page_response(
    context: ServerContext,
    request: Request,
    items: Sequence[T],
    to_json: Callable[[T, float, float | None], Mapping[str, Any]],
) -> Response:
    """The page of a list that a request asks for, with its Link header.

    Args:
        context: The state and the settings of the server.
        request: The request.
        items: The whole list.
        to_json: Makes JSON of an item, the current time and the setting `local_time`.

    Returns:
        The response; a 400 where `page` or `per_page` is not a number.
    """
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


def single_response(context: ServerContext, status: int, value: Mapping[str, Any]) -> Response:
    """A response with one object, in the singular of the envelope."""
    envelope = context.settings.envelope
    return json_response(status, value if envelope is None else {envelope.removesuffix("s"): value})
