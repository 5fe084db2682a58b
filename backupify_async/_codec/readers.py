"""One reader per model, made from its fields: a new model is one attrs class and nothing else.

One rule for all of them:

- A field without a default must be there and of its type, `id` above all: otherwise the object is unreadable.
- A field with a default keeps the default (None in our models) where the value is missing, null or of another
  type.
- `extra`, where the class has it, gets every other key, and the raw value of each field that was of another
  type, or was a date without an offset. Without `extra` these are dropped.

cattrs finds the hook for each type: nested models, enums, lists and unions work as its users expect. Only the
reader of a class is ours: cattrs has no hook that sees the rest of the object, and its own generated function
with a second pass for `extra` takes twice the time (93 µs against 43 for a page of 20 backups).
"""

import inspect
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin

import attrs
from cattrs import BaseConverter, Converter
from cattrs.cols import list_structure_factory
from cattrs.dispatch import StructureHook
from cattrs.preconf.orjson import make_converter

from backupify_async._codec.dates import as_utc, parse_date

ModelT = TypeVar("ModelT", bound=attrs.AttrsInstance)

Reader = Callable[[dict[str, Any]], ModelT]
_FieldReader = Callable[[dict[str, Any], str], Any]
"""Takes a field's value out of the raw object and returns it. What stays in the object becomes `extra`."""
_EXACT = frozenset({bool, int, str})
_ID_WORDS = {int: "an integer", str: "a non-empty string"}


class Unreadable(ValueError):
    """An object that cannot be read as the model. It becomes a `DecodeError` that shows the response."""


def reader(model: type[ModelT]) -> Reader[ModelT]:
    """The function that reads a raw object as a model, and consumes the object.

    Args:
        model: Any attrs class.

    Raises:
        TypeError: It is something else.
    """
    read = _READERS.get(model)
    if read is None:
        if not (inspect.isclass(model) and attrs.has(model)):
            raise TypeError(f"a model must be an attrs class, not {model!r}")
        read = _READERS[model] = _make_reader(model)
    return read


@cache
def required_names(model: type[attrs.AttrsInstance]) -> frozenset[str]:
    """The fields without a default: `id` for our own models."""
    return frozenset(
        field.name for field in attrs.fields(model) if field.init and field.default is attrs.NOTHING
    )


def _make_reader(model: type[Any]) -> Reader[Any]:
    """The reader that one would write by hand: `return model(read_id(raw, "id"), ..., raw)`.

    It is compiled, as attrs compiles `__init__`: a loop over the fields takes a fifth longer.
    """
    attrs.resolve_types(model)
    names: dict[str, Any] = {"model": model}
    arguments = []
    for field in attrs.fields(model):
        if not field.init:
            continue
        keyword = f"{field.alias}=" if field.kw_only else ""
        if field.name == "extra":
            arguments.append(f"{keyword}raw")
            continue
        names[f"read_{field.name}"] = _field_reader(field)
        arguments.append(f"{keyword}read_{field.name}(raw, {field.name!r})")
    exec(f"def read(raw): return model({', '.join(arguments)})", names)  # noqa: S102 - only names of fields
    return cast("Reader[Any]", names["read"])


def _field_reader(field: "attrs.Attribute[Any]") -> _FieldReader:
    members = _members(field.type)
    if field.name == "id" and members <= {int, str}:
        return _id_reader(members)
    if members <= _EXACT and field.default is not attrs.NOTHING:
        read = _exact_reader(members)
    elif members == {datetime} and field.default is not attrs.NOTHING:
        read = _read_date
    else:
        structure = _CONVERTER.get_structure_hook(field.type)
        if field.default is attrs.NOTHING:
            return _required_reader(structure, field.type)
        read = _structuring_reader(structure, field.type)
    return read if field.default is None else _with_default(read, field.default)


def _members(kind: Any) -> set[Any]:
    """The members of a union, without None; of any other type, the type itself."""
    members = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return {*members} - {NoneType}


# Exact types, as orjson makes them: True is an int to isinstance.
def _id_reader(kinds: AbstractSet[Any]) -> _FieldReader:
    def read(raw: dict[str, Any], name: str) -> Any:
        value = raw.pop(name, None)
        if type(value) in kinds and value != "":
            return value
        raise Unreadable(f"an id must be {expected}, not {type(value).__name__}")

    expected = " or ".join(word for kind, word in _ID_WORDS.items() if kind in kinds)
    return read


def _exact_reader(kinds: AbstractSet[Any]) -> _FieldReader:
    def read(raw: dict[str, Any], name: str) -> Any:
        value = raw.pop(name, None)
        if value is None or type(value) in kinds:
            return value
        raw[name] = value
        return None

    return read


def _read_date(raw: dict[str, Any], name: str) -> datetime | None:
    value = raw.pop(name, None)
    if value is None:
        return None
    try:
        date = datetime.fromisoformat(value)
        if date.tzinfo is UTC:  # most dates: a call less for each
            return date
    except (TypeError, ValueError):
        pass
    return _read_unusual_date(raw, name, value)


def _read_unusual_date(raw: dict[str, Any], name: str, value: Any) -> datetime | None:
    try:
        date = parse_date(value)
    except (TypeError, ValueError):
        raw[name] = value
        return None
    if date.tzinfo is None:
        raw[name] = value  # code that decides by the date must see that it has no offset
    return as_utc(date)


def _structuring_reader(structure: Callable[[Any, Any], Any], kind: Any) -> _FieldReader:
    def read(raw: dict[str, Any], name: str) -> Any:
        value = raw.pop(name, None)
        if value is None:
            return None
        try:
            return structure(value, kind)
        except Exception:  # noqa: BLE001 - a hook of cattrs, or a validator of the model, raises what it likes
            raw[name] = value
            return None

    return read


def _required_reader(structure: Callable[[Any, Any], Any], kind: Any) -> _FieldReader:
    def read(raw: dict[str, Any], name: str) -> Any:
        value = raw.pop(name, None)
        try:
            return structure(value, kind)
        except Exception:  # noqa: BLE001 - as above
            raise Unreadable(f"{name} is required, and is missing or unreadable") from None

    return read


def _with_default(read: _FieldReader, default: Any) -> _FieldReader:
    """A reader for a field whose default is another than None."""
    make = getattr(default, "factory", lambda: default)  # attrs keeps `factory=list` as attrs.Factory(list)

    def read_or_default(raw: dict[str, Any], name: str) -> Any:
        value = read(raw, name)
        return make() if value is None else value

    return read_or_default


def _make_converter() -> Converter:
    """The hooks for the types of fields. None coerces: cattrs by default reads None as "None"."""
    converter = make_converter(detailed_validation=False)
    for kind in _EXACT:
        converter.register_structure_hook(kind, _exact_hook(kind))
    converter.register_structure_hook(float, _exact_hook(float, int))
    converter.register_structure_hook(datetime, lambda value, _: as_utc(parse_date(value)))
    converter.register_structure_hook_factory(_is_list, _list_hook)
    converter.register_structure_hook_factory(attrs.has, _nested_hook)
    return converter


def _exact_hook(*kinds: type) -> StructureHook:
    def structure(value: Any, _kind: Any) -> Any:
        if type(value) in kinds:
            return value
        raise TypeError(f"not {kinds[0].__name__}")

    return structure


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list


def _list_hook(kind: Any, converter: BaseConverter) -> StructureHook:
    structure_items = list_structure_factory(kind, converter)

    def structure(value: Any, kind: Any) -> Any:
        if type(value) is list:  # cattrs takes any iterable: a string is one
            return structure_items(value, kind)
        raise TypeError("not a list")

    return structure


def _nested_hook(model: type[Any]) -> StructureHook:
    """A hook that finds its reader at the first use: a model may contain itself."""
    read: Reader[Any] | None = None

    def structure(value: Any, _kind: Any) -> Any:
        nonlocal read
        if read is None:
            read = _make_reader(model)
        return read({**value})  # a copy: where it is unreadable, the raw value belongs in `extra` whole

    return structure


_READERS: dict[type[Any], Reader[Any]] = {}
_CONVERTER = _make_converter()
