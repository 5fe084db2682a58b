"""JSON bytes to models, and back: strict about ids, tolerant of all else.

A list may be a bare array or one array inside an object; a single thing may be bare or wrapped in one key:
the API documents no response body.
"""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import attrs
import orjson
from cattrs import Converter

from backupify_async._codec.tolerant_json import parse_tolerantly
from backupify_async._transport.request import Response
from backupify_async.errors import DecodeError
from backupify_async.ids import whole_number
from backupify_async.models import Backup, BackupInstance

ModelT = TypeVar("ModelT", Backup, BackupInstance)

_ERRORS = frozenset({"error", "errors"})
_NO_ENVELOPES = _ERRORS | {"id"}


class _Unreadable(ValueError):
    """Raised inside, turned into a `DecodeError` that shows the answer."""


def decode_one(response: Response, model: type[ModelT]) -> ModelT | None:
    """The thing in an answer, or None where the answer says that there is none.

    No body, `null`, `{}`, `[]`, or one key with one of these, all say so.

    Args:
        response: The answer.
        model: What to read it as.

    Raises:
        DecodeError: The answer is something else.
    """
    return _one(response, model) if response.body.strip() else None


def decode_present(response: Response, model: type[ModelT]) -> ModelT:
    """The thing in an answer that must have one.

    Raises:
        DecodeError: There is none, or the answer is something else.
    """
    thing = decode_one(response, model)
    if thing is None:
        raise _decode_error(response, f"no {model.__name__} in it")
    return thing


def decode_active(backup_instance_id: int | str, response: Response) -> Backup | None:
    """The backup of an instance in an answer that may say that there is none, and says so aloud.

    Without a body only a 204 does, and a 200 that announces none: else the body was lost on the way, as that
    of a gzip that was cut behind its header.

    Raises:
        DecodeError: The answer is something else, or about another instance.
    """
    if not response.body.strip():
        if response.status == 204 or _announces_nothing(response):
            return None
        raise _decode_error(response, "no body, where none was announced")
    active = _one(response, Backup, or_list=True)
    if active is not None and active.backup_instance_id != backup_instance_id:
        require_same(response, "instance", backup_instance_id, active.backup_instance_id)
    return active


def decode_list(response: Response, model: type[ModelT]) -> list[ModelT]:
    """The things in an answer; none where it says `null`.

    Raises:
        DecodeError: The answer is not one array of things, bare or inside an object. No bytes are no JSON
            (RFC 8259 §2), and no list's end.
    """
    raw = _parse(response)
    if isinstance(raw, dict):
        if any(raw.get(name) for name in _ERRORS):
            raise _decode_error(response, "an error in place of a list")
        arrays = [value for name, value in raw.items() if isinstance(value, list) and name not in _ERRORS]
        raw = arrays[0] if len(arrays) == 1 and len(raw) > 1 else _inner(raw)
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise _decode_error(response, "neither an array nor an object with one array in it")
    read = _READ[model]
    try:
        return [read(_object(item, model), model) for item in raw]
    except _Unreadable as error:
        raise _decode_error(response, str(error)) from None


def require_same(response: Response, what: str, asked: int | str, told: int | str | None) -> None:
    """Refuse an answer about another thing than was asked for, where both ids are whole numbers.

    Args:
        response: The answer.
        what: What the ids are of: "instance".
        asked: The id that was asked for.
        told: The id that the answer names; None where it names none.

    Raises:
        DecodeError: It is about another.
    """
    if asked == told or told is None:
        return
    one, other = whole_number(asked), whole_number(told)
    if one is not None and other is not None and one != other:
        raise _decode_error(response, f"it is about {what} {other}, and {what} {one} was asked for")


def to_json(model: Backup | BackupInstance) -> bytes:
    """A model as JSON, such as the server could have sent; `from_json` reads the same model back."""
    fields = attrs.asdict(model, recurse=False)
    extra = fields.pop("extra")
    # What a field could not be read from stands in `extra` under the field's own name.
    return orjson.dumps({name: value for name, value in fields.items() if value is not None} | extra)


def from_json(body: bytes, model: type[ModelT]) -> ModelT:
    """The model that `to_json` made JSON of.

    Raises:
        ValueError: It is no such JSON.
    """
    return _thing(_object(orjson.loads(body), model), model)


def _one(response: Response, model: type[ModelT], *, or_list: bool = False) -> ModelT | None:
    """The thing in a body; of a list of one too, where who answers a list for none may do so for one."""
    raw = _parse(response)
    try:
        if type(raw) is not dict or "id" not in raw:  # most answers are the thing itself
            if _is_nothing(raw):
                return None
            raw = _object(_only_one(raw) if or_list else raw, model)
        return _thing(raw, model)
    except _Unreadable as error:
        raise _decode_error(response, str(error)) from None


def _parse(response: Response) -> Any:
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError as error:
        problem = f"no JSON: {error.msg}"
    with contextlib.suppress(ValueError, RecursionError):
        return parse_tolerantly(response.body)
    # Raised out here, so that an exception which holds the whole body is not even its context.
    raise _decode_error(response, problem)


def _decode_error(response: Response, problem: str) -> DecodeError:
    return DecodeError(
        problem, response.message.url.path, response.content_type, response.excerpt, response.status
    )


def _announces_nothing(response: Response) -> bool:
    """Whether the head says that no body comes, and not only that what came was nothing."""
    headers = response.headers
    length, coding = headers.get("Content-Length", ""), headers.get("Content-Encoding", "identity")
    return response.status == 200 and length.strip() == "0" and coding.strip().lower() == "identity"


def _is_nothing(raw: Any) -> bool:
    inner = _inner(raw)
    return inner is None or inner in ({}, [])


def _inner(raw: Any) -> Any:
    """What is in an envelope, an object of one key. One that says that it is something else is none."""
    if isinstance(raw, dict) and len(raw) == 1:
        ((name, inner),) = raw.items()
        return raw if name in _NO_ENVELOPES else inner
    return raw


def _only_one(raw: Any) -> Any:
    """The one in a list of one, bare or in an envelope."""
    if isinstance(raw, dict) and len(raw) == 1:
        inner = next(iter(raw.values()))
        raw = inner if isinstance(inner, list) else raw
    return raw[0] if isinstance(raw, list) and len(raw) == 1 else raw


def _thing(raw: dict[str, Any], model: type[ModelT]) -> ModelT:
    thing: ModelT = _READ[model](raw, model)
    return thing


def _object(raw: Any, model: type[ModelT]) -> dict[str, Any]:
    """The object with an id, bare or in an envelope."""
    if isinstance(raw, dict):
        if "id" in raw:
            return raw
        wrapped = [value for value in raw.values() if isinstance(value, dict) and "id" in value]
        if len(wrapped) == 1:
            return wrapped[0]
    raise _Unreadable(f"no {model.__name__}: an object with an id was expected")


# A model is read field by field: each takes what it can read out of the object, and what stays there is the
# model's `extra`. That is half of what a general structure function costs, and a page has twenty of them.


def _backup(raw: dict[str, Any], _type: object) -> Backup:
    return Backup(
        _id(raw),
        _reference(raw, "backup_instance_id"),
        _text(raw, "status"),
        _date(raw, "created_at"),
        _date(raw, "started_at"),
        _date(raw, "completed_at"),
        _date(raw, "updated_at"),
        raw,
    )


def _instance(raw: dict[str, Any], _type: object) -> BackupInstance:
    return BackupInstance(
        _id(raw),
        _reference(raw, "customer_id"),
        _reference(raw, "backup_definition_id"),
        _reference(raw, "backup_frequency"),
        _date(raw, "created_at"),
        _date(raw, "updated_at"),
        raw,
    )


# Exact types, as orjson makes them: True is an int to isinstance.
def _id(raw: dict[str, Any]) -> int | str:
    told = raw.pop("id")
    if type(told) is int or (type(told) is str and told):
        return told
    raise _Unreadable(f"an id must be a whole number or a text, not {type(told).__name__}")


def _reference(raw: dict[str, Any], name: str) -> int | str | None:
    told = raw.pop(name, None)
    if told is None or type(told) is int or type(told) is str:
        return told
    raw[name] = told
    return None


def _text(raw: dict[str, Any], name: str) -> str | None:
    told = raw.pop(name, None)
    if told is None or type(told) is str:
        return told
    raw[name] = told
    return None


def _date(raw: dict[str, Any], name: str) -> datetime | None:
    told = raw.pop(name, None)
    if told is None:
        return None
    date: datetime | None
    try:
        date = datetime.fromisoformat(told)
    except (TypeError, ValueError):
        date = _unusual_date(told)
    if date is not None and date.tzinfo is UTC:
        return date
    has_offset = date is not None and date.tzinfo is not None
    date = None if date is None else _as_utc(date)
    if date is None or not has_offset:  # without one it proves little, and whoever judges has to know that
        raw[name] = told
    return date


def _unusual_date(told: Any) -> datetime | None:
    """A date that may have a lower-case "z", or spaces around it."""
    try:
        return datetime.fromisoformat(told.strip().upper())
    except (AttributeError, ValueError):
        return None


def _as_utc(date: datetime) -> datetime | None:
    """A date as UTC; one without an offset is taken for UTC, as Rails writes it."""
    try:
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except OverflowError:  # at one of the two ends of what a datetime holds
        return None


_CONVERTER = Converter(detailed_validation=False)
_CONVERTER.register_structure_hook(Backup, _backup)
_CONVERTER.register_structure_hook(BackupInstance, _instance)
_READ: dict[type, Callable[[dict[str, Any], type], Any]] = {
    model: _CONVERTER.get_structure_hook(model) for model in (Backup, BackupInstance)
}
