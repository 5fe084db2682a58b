"""Values as JSON types: `json.dumps`, web frameworks and log formatters accept them."""

import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from enum import Enum
from typing import Any

import attrs

_SCALARS = frozenset({bool, int, str, type(None)})


class ToDict:
    """A base of attrs classes that can be converted to JSON types."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, as JSON types.

        A date is ISO 8601 text, an enum member its value, an error its `type` and `message` with its fields.
        The keys of `values` and `errors` are strings, as in JSON. `extra` is unchanged.
        """
        return fields_to_dict(self, _field_names(type(self)))


def fields_to_dict(value: object, names: Iterable[str]) -> dict[str, Any]:
    """Some fields of a value by name, as JSON types."""
    return {name: _field_to_json_types(name, getattr(value, name)) for name in names}


def number_or_text(number: float) -> float | str:
    """A number as JSON has them, and NaN and infinity as text, from which `float` reads them back."""
    return number if math.isfinite(number) else str(number)


def to_json_types(value: object) -> Any:
    """A value as JSON types; a value of an unknown type as its `str`.

    NaN and infinite floats are null: JSON has neither (RFC 8259 §6).
    """
    if type(value) in _SCALARS:  # most values; excludes an enum whose base is int or str
        return value
    match value:
        case Enum():
            return to_json_types(value.value)
        case int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case date():
            return value.isoformat()
        case ToDict():
            return value.to_dict()
        case BaseException():
            return error_to_dict(value)
        case Mapping():
            return _mapping_to_json_types(value)
        case list() | tuple():
            return [to_json_types(item) for item in value]
        case AbstractSet():
            return sorted((to_json_types(item) for item in value), key=str)
        case _:
            return str(value)


def error_to_dict(error: BaseException) -> dict[str, Any]:
    """An error as JSON types: its class name, its message, and the fields of an attrs class."""
    result = {"type": type(error).__name__, "message": str(error)}
    return result | fields_to_dict(error, _field_names(type(error)))


def _field_names(kind: type) -> list[str]:
    return [field.name for field in attrs.fields(kind)] if attrs.has(kind) else []


def _field_to_json_types(name: str, value: object) -> Any:
    # `extra` is JSON already, and nested as deeply as the server likes.
    return dict(value) if name == "extra" and isinstance(value, Mapping) else to_json_types(value)


def _mapping_to_json_types(mapping: Mapping[Any, object]) -> dict[str, Any]:
    names = [str(key) for key in mapping]
    if len({*names}) < len(names):  # 42 and "42" are two keys, and JSON would keep only one
        names = [repr(key) for key in mapping]
    return {name: to_json_types(value) for name, value in zip(names, mapping.values(), strict=True)}
