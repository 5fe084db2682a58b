"""Values as plain JSON types: what `json.dumps`, a web framework or a log takes as it is."""

import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from enum import Enum
from typing import Any

import attrs

_PLAIN = frozenset({bool, int, str, type(None)})


class Plain:
    """What can be made plain JSON types of; a base of attrs classes."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Its fields by name, as plain JSON types.

        A date is ISO 8601 text, a kind its value, an error its `type` and `message` with its own fields. The
        keys of `values` and `errors` are texts, as JSON has them. `extra` stands as it came.
        """
        return plain_fields(self, _names(type(self)))


def plain_fields(value: object, names: Iterable[str]) -> dict[str, Any]:
    """Some fields of a value by name, as plain JSON types."""
    return {name: _plain_field(name, getattr(value, name)) for name in names}


def plain(value: object) -> Any:
    """A value as plain JSON types; what is nothing that JSON knows, as its text.

    A float that is no number, or has no end, is null: JSON has none (RFC 8259 section 6).
    """
    if type(value) in _PLAIN:  # by far the most; no kind whose base is int or str
        return value
    match value:
        case Enum():
            return plain(value.value)
        case int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case date():
            return value.isoformat()
        case Plain():
            return value.to_dict()
        case BaseException():
            return plain_error(value)
        case Mapping():
            return _plain_mapping(value)
        case list() | tuple():
            return [plain(item) for item in value]
        case AbstractSet():
            return sorted((plain(item) for item in value), key=str)
        case _:
            return str(value)


def plain_error(error: BaseException) -> dict[str, Any]:
    """An error as plain JSON types: the name of its class, its message, and its fields, where it has such."""
    told = {"type": type(error).__name__, "message": str(error)}
    return told | plain_fields(error, _names(type(error)))


def _names(kind: type) -> list[str]:
    return [field.name for field in attrs.fields(kind)] if attrs.has(kind) else []


def _plain_field(name: str, value: object) -> Any:
    # What the server sent is JSON already, and as deep as the server likes.
    return dict(value) if name == "extra" and isinstance(value, Mapping) else plain(value)


def _plain_mapping(mapping: Mapping[Any, object]) -> dict[str, Any]:
    names = [str(key) for key in mapping]
    if len({*names}) < len(names):  # 42 and "42" are two keys, and JSON would drop one
        names = [repr(key) for key in mapping]
    return {name: plain(value) for name, value in zip(names, mapping.values(), strict=True)}
