"""Response bodies to models.

A list is a bare array, or the only array in an object. A single object is bare, or the only value of an
envelope: the API documents no response body.
"""

import contextlib
from collections.abc import Set as AbstractSet
from typing import Any

import attrs
import orjson

from backupify_async._codec.readers import ModelT, Unreadable, reader, required_names
from backupify_async._codec.tolerant_json import parse_tolerantly
from backupify_async._transport.transport import Response
from backupify_async.errors import DecodeError
from backupify_async.ids import whole_number
from backupify_async.models import Backup

_ERRORS = frozenset({"error", "errors"})
_NO_ENVELOPES = _ERRORS | {"id"}


def decode_one(response: Response, model: type[ModelT]) -> ModelT | None:
    """The object in a response, or None where the response says that there is none.

    An empty body, `null`, `{}`, `[]`, and an object of one key that holds one of these, say that.

    Args:
        response: The response.
        model: The attrs class to read it as.

    Raises:
        DecodeError: The body is something else.
    """
    return _one(response, model) if response.body.strip() else None


def decode_present(response: Response, model: type[ModelT]) -> ModelT:
    """The object in a response that must have one.

    Raises:
        DecodeError: There is none, or the body is something else.
    """
    found = decode_one(response, model)
    if found is None:
        raise _decode_error(response, f"no {model.__name__} in it")
    return found


def decode_active(backup_instance_id: int | str, response: Response) -> Backup | None:
    """The active backup of an instance, or None where the response states that there is none.

    An empty body states it with a 204 only, or with a 200 whose head announces an empty body: otherwise the
    body was lost on the way, as that of a gzip which was cut after its header.

    Raises:
        DecodeError: The body is something else, or about another instance.
    """
    if not response.body.strip():
        if response.status == 204 or _announces_no_body(response):
            return None
        raise _decode_error(response, "the body is empty, and the headers do not announce that")
    active = _one(response, Backup, or_list=True)
    if active is not None and active.backup_instance_id != backup_instance_id:
        require_same(response, "instance", backup_instance_id, active.backup_instance_id)
    return active


def decode_list(response: Response, model: type[ModelT]) -> list[ModelT]:
    """The objects in a response; none where it is `null`.

    Raises:
        DecodeError: The body is not one array of such objects, bare or in an object. An empty body is not
            JSON (RFC 8259 §2), and does not end a list.
    """
    items = decode_items(response)
    read = reader(model)
    try:
        return [read(_object(item, model)) for item in items]
    except Unreadable as error:
        raise _decode_error(response, str(error)) from None


def decode_items(response: Response) -> list[Any]:
    """The items in a response as raw JSON; none where it is `null`.

    Raises:
        DecodeError: The body is not one array, bare or in an object.
    """
    raw = parse_body(response)
    if isinstance(raw, dict):
        if any(raw.get(name) for name in _ERRORS):
            raise _decode_error(response, "an error in place of a list")
        arrays = [value for name, value in raw.items() if isinstance(value, list) and name not in _ERRORS]
        raw = arrays[0] if len(arrays) == 1 and len(raw) > 1 else _unwrapped(raw)
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise _decode_error(response, "neither an array nor an object with one array in it")
    return raw


def decode_objects(response: Response) -> list[dict[str, Any]]:
    """The items in a response as raw JSON objects.

    Raises:
        DecodeError: The body is not one array of objects, bare or in an object.
    """
    items = decode_items(response)
    for item in items:
        if not isinstance(item, dict):
            raise _decode_error(response, f"a list of objects was expected, not of {type(item).__name__}")
    return items


def parse_body(response: Response) -> Any:
    """The JSON value of a body.

    Raises:
        DecodeError: It is not JSON.
    """
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError as error:
        problem = f"not JSON: {error.msg}"
    with contextlib.suppress(ValueError, RecursionError):
        return parse_tolerantly(response.body)
    # Raised outside of the handler: the exception that holds the whole body must not be its context.
    raise _decode_error(response, problem)


def require_same(response: Response, what: str, requested: int | str, received: int | str | None) -> None:
    """Refuse a response about another object than was requested, where both ids are whole numbers.

    Args:
        response: The response.
        what: What the ids are of: "instance".
        requested: The id in the request.
        received: The id in the response; None where it names none.

    Raises:
        DecodeError: It is about another object.
    """
    if requested == received or received is None:
        return
    one, other = whole_number(requested), whole_number(received)
    if one is not None and other is not None and one != other:
        raise _decode_error(response, f"it is about {what} {other}, but {what} {one} was requested")


def _one(response: Response, model: type[ModelT], *, or_list: bool = False) -> ModelT | None:
    """The object in a body; with `or_list`, also the only one in a list: "none" may be `[]`."""
    raw = parse_body(response)
    try:
        if type(raw) is not dict or "id" not in raw:  # most bodies are the bare object
            if _is_nothing(raw):
                return None
            raw = _object(_only_item(raw) if or_list else raw, model)
        return reader(model)(raw)
    except Unreadable as error:
        raise _decode_error(response, str(error)) from None


def _decode_error(response: Response, problem: str) -> DecodeError:
    return DecodeError(
        problem, response.request.url.path, response.content_type, response.excerpt, response.status
    )


def _announces_no_body(response: Response) -> bool:
    headers = response.headers
    length, coding = headers.get("Content-Length", ""), headers.get("Content-Encoding", "identity")
    return response.status == 200 and length.strip() == "0" and coding.strip().lower() == "identity"


def _is_nothing(raw: Any) -> bool:
    inner = _unwrapped(raw)
    return inner is None or inner in ({}, [])


def _unwrapped(raw: Any) -> Any:
    """The value in an envelope, which is an object of one key; any other value as it is."""
    if isinstance(raw, dict) and len(raw) == 1:
        ((name, inner),) = raw.items()
        return raw if name in _NO_ENVELOPES else inner
    return raw


def _only_item(raw: Any) -> Any:
    """The item of a list of one, bare or in an envelope; any other value as it is."""
    if isinstance(raw, dict) and len(raw) == 1:
        inner = next(iter(raw.values()))
        raw = inner if isinstance(inner, list) else raw
    return raw[0] if isinstance(raw, list) and len(raw) == 1 else raw


def _object(raw: Any, model: type[ModelT]) -> dict[str, Any]:
    """The object that has an id, or all that the model requires; bare or in an envelope."""
    if not isinstance(raw, dict):
        raise Unreadable(f"no {model.__name__}: an object was expected")
    if "id" in raw:
        return raw
    required = required_names(model)
    if not required:
        inner = _unwrapped(raw)
        is_envelope = isinstance(inner, dict) and not raw.keys() <= attrs.fields_dict(model).keys()
        return inner if is_envelope else raw
    if required <= raw.keys():
        return raw
    wrapped = [
        value
        for value in raw.values()
        if isinstance(value, dict) and ("id" in value or required <= value.keys())
    ]
    if len(wrapped) != 1:
        raise Unreadable(f"no {model.__name__}: an object with {_listed(required)} was expected")
    return wrapped[0]


def _listed(names: AbstractSet[str]) -> str:
    return "an id" if names == {"id"} else ", ".join(sorted(names))
