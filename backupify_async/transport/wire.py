"""JSON bytes to models, and back: strict about ids, tolerant of all else.

A list may be a bare array or one array inside an object; a single thing may be bare or wrapped in one key:
the API documents no response body.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar, get_args

import attrs
import orjson
from cattrs.preconf.orjson import make_converter

from backupify_async.errors import DecodeError
from backupify_async.models import Backup, BackupInstance
from backupify_async.transport.request import Response

ModelT = TypeVar("ModelT", Backup, BackupInstance)


class _Unreadable(ValueError):
    """Raised inside, turned into a `DecodeError` that shows the answer."""


def decode_one(response: Response, model: type[ModelT], *, or_list: bool = False) -> ModelT | None:
    """The thing in an answer, or None where the answer says that there is none.

    No body, `null`, `{}`, `[]`, or one key with one of these, all say so.

    Args:
        response: The answer.
        model: What to read it as.
        or_list: Whether a list of one is understood too: who answers a list for none may do so for one.

    Raises:
        DecodeError: The answer is something else.
    """
    if not response.body.strip():
        return None
    raw = _parse(response)
    try:
        return None if _is_nothing(raw) else _thing(_only_one(raw) if or_list else raw, model)
    except _Unreadable as error:
        raise _decode_error(response, str(error)) from None


def decode_present(response: Response, model: type[ModelT]) -> ModelT:
    """The thing in an answer that must have one.

    Raises:
        DecodeError: There is none, or the answer is something else.
    """
    thing = decode_one(response, model)
    if thing is None:
        raise _decode_error(response, f"no {model.__name__} in it")
    return thing


def decode_list(response: Response, model: type[ModelT]) -> list[ModelT]:
    """The things in an answer; none where it has no body, or says `null`.

    Raises:
        DecodeError: The answer is not one array of things, bare or inside an object.
    """
    if not response.body.strip():
        return []
    raw = _parse(response)
    if isinstance(raw, dict):
        arrays = [value for value in raw.values() if isinstance(value, list)]
        if len(arrays) == 1:
            raw = arrays[0]
        elif len(raw) == 1:
            raw = next(iter(raw.values()))
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise _decode_error(response, "neither an array nor an object with one array in it")
    try:
        return [_thing(item, model) for item in raw]
    except _Unreadable as error:
        raise _decode_error(response, str(error)) from None


def to_plain(model: object) -> dict[str, Any]:
    """A model as plain JSON types: dates as ISO 8601 text, `extra` beside the fields."""
    plain: dict[str, Any] = _CONVERTER.unstructure(model)
    return plain


def to_json(model: Backup | BackupInstance) -> bytes:
    """A model as JSON, such as the server could have sent; `from_json` reads the same model back."""
    plain = to_plain(model)
    extra = plain.pop("extra")
    # What a field could not be read from stands in `extra` under the field's own name.
    return orjson.dumps({name: value for name, value in plain.items() if value is not None} | extra)


def from_json(body: bytes, model: type[ModelT]) -> ModelT:
    """The model that `to_json` made JSON of.

    Raises:
        ValueError: It is no such JSON.
    """
    return _thing(orjson.loads(body), model)


def _parse(response: Response) -> Any:
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError as error:
        problem = f"no JSON: {error.msg}"
    # Raised out here, so that orjson's exception, which holds the whole body, is not even its context.
    raise _decode_error(response, problem)


def _decode_error(response: Response, problem: str) -> DecodeError:
    return DecodeError(problem, response.message.url.path, response.content_type, response.excerpt)


def _is_nothing(raw: Any) -> bool:
    if isinstance(raw, dict) and len(raw) == 1 and "id" not in raw:
        raw = next(iter(raw.values()))
    return raw is None or raw in ({}, [])


def _only_one(raw: Any) -> Any:
    """The one in a list of one, bare or in an envelope."""
    if isinstance(raw, dict) and len(raw) == 1 and "id" not in raw:
        inner = next(iter(raw.values()))
        raw = inner if isinstance(inner, list) else raw
    return raw[0] if isinstance(raw, list) and len(raw) == 1 else raw


def _thing(raw: Any, model: type[ModelT]) -> ModelT:
    if isinstance(raw, dict) and "id" not in raw:
        wrapped = [value for value in raw.values() if isinstance(value, dict) and "id" in value]
        if len(wrapped) == 1:
            raw = wrapped[0]
    if not isinstance(raw, dict) or "id" not in raw:
        raise _Unreadable(f"no {model.__name__}: an object with an id was expected")
    thing: ModelT = _CONVERTER.structure(raw, model)
    return thing


def _id(raw: Any, _type: object) -> int | str:
    if isinstance(raw, bool) or not isinstance(raw, int | str) or raw == "":
        raise _Unreadable(f"an id must be a whole number or a text, not {type(raw).__name__}")
    return raw


def _id_or_none(raw: Any, _type: object) -> int | str | None:
    return None if isinstance(raw, bool) or not isinstance(raw, int | str) else raw


def _text_or_none(raw: Any, _type: object) -> str | None:
    return raw if isinstance(raw, str) else None


def _date_or_none(raw: Any, _type: object) -> datetime | None:
    """An ISO 8601 date as UTC; one without an offset is taken for UTC, as Rails writes it."""
    if not isinstance(raw, str):
        return None
    try:
        date = datetime.fromisoformat(raw)
    except ValueError:  # it may have a lower-case "z", or spaces around it
        try:
            date = datetime.fromisoformat(raw.strip().upper())
        except ValueError:
            return None
    if date.tzinfo is UTC:
        return date
    try:
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except OverflowError:
        return None


def _tolerant(model: type[ModelT]) -> Callable[[Mapping[str, Any], object], ModelT]:
    """A structure hook that keeps in `extra` what the model does not know, or could not read."""
    fields = [
        (field.name, _CONVERTER.get_structure_hook(field.type), field.type)
        for field in attrs.fields(model)
        if field.name != "extra"
    ]
    names = frozenset(name for name, _, _ in fields)
    build: Callable[..., ModelT] = model

    def structure(raw: Mapping[str, Any], _type: object) -> ModelT:
        read: list[Any] = []  # in the order of the fields: a page of backups is read often
        extra = {}
        for name, hook, kind in fields:
            told = raw.get(name)
            value = None if told is None and name != "id" else hook(told, kind)
            if value is None and told is not None:
                extra[name] = told
            read.append(value)
        if not names.issuperset(raw):
            extra |= {name: value for name, value in raw.items() if name not in names}
        return build(*read, extra)

    return structure


def _is_exactly(kind: object) -> Callable[[object], bool]:
    arguments = set(get_args(kind))
    return lambda candidate: set(get_args(candidate)) == arguments


# cattrs takes None for "None" and "false" for True: each primitive gets a hook of its own, and unions by
# their arguments, for `int | str` and `Union[int, str]` are different types to it.
_CONVERTER = make_converter(detailed_validation=False)
_CONVERTER.register_structure_hook_func(_is_exactly(int | str), _id)
_CONVERTER.register_structure_hook_func(_is_exactly(int | str | None), _id_or_none)
_CONVERTER.register_structure_hook_func(_is_exactly(str | None), _text_or_none)
_CONVERTER.register_structure_hook_func(_is_exactly(datetime | None), _date_or_none)
_CONVERTER.register_structure_hook_factory(attrs.has, _tolerant)
_CONVERTER.register_unstructure_hook(datetime, datetime.isoformat)
_CONVERTER.register_unstructure_hook(Enum, lambda member: member.value)
