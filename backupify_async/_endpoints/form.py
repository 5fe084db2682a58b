"""Forms and queries as Rails reads them: nested values with brackets. Pure.

    {"customer": {"name": "Ada", "tags": ["a", "b"]}}
    customer[name]=Ada&customer[tags][]=a&customer[tags][]=b     (and then percent-encoded)

The API document shows the brackets (`backup_instance[customer_id]=7`). Lists are read so by Rack.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TypeAlias
from urllib.parse import quote_plus

Scalar: TypeAlias = str | int | float | bool | date
Value: TypeAlias = "Scalar | Mapping[str, Value] | Sequence[Value] | None"
Fields: TypeAlias = Mapping[str, Value]


def encode(fields: Fields, name: str = "form") -> str:
    """Encode fields as `application/x-www-form-urlencoded`, the form of a body and of a query.

    Args:
        fields: Names with their values. None is left out, a bool is `true` or `false`, a date is ISO 8601.
            A mapping nests its names in brackets; a sequence repeats its own with `[]`.
        name: What to call the fields in an error.

    Raises:
        TypeError: A name is no str, or a value has no form.
        ValueError: An empty list or mapping, which a form cannot express; an infinite number or NaN; half a
            surrogate pair; a list in a list, which Rack does not read.
    """
    if not isinstance(fields, Mapping):
        raise TypeError(f"{name} must be a mapping, not {type(fields).__name__}")
    pairs = (pair for key, value in _named(fields, name) for pair in _pairs(key, value))
    return "&".join(f"{_quoted(path)}={_quoted(text)}" for path, text in pairs)


def _named(fields: Fields, where: str) -> Iterator[tuple[str, Value]]:
    """The fields of a mapping, whose names must be texts."""
    for name, value in fields.items():
        if not isinstance(name, str):
            raise TypeError(f"{where}: a name must be a str, not {type(name).__name__}")
        yield name, value


def _pairs(path: str, value: Value) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, Mapping):
        if not value:
            raise ValueError(f"{path}: a form cannot hold an empty mapping")
        for key, inner in _named(value, path):
            yield from _pairs(f"{path}[{key}]", inner)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        if not value:
            raise ValueError(f"{path}: a form cannot hold an empty list")
        for inner in value:
            if inner is None or (isinstance(inner, Sequence) and not isinstance(inner, str)):
                raise ValueError(
                    f"{path}: a list in a form holds texts, numbers or mappings, not {inner!r:.40}"
                )
            yield from _pairs(f"{path}[]", inner)
    else:
        yield path, _text(path, value)


def _text(path: str, value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return str(int(value))
        case float() if math.isfinite(value):
            return repr(float(value))
        case float():
            raise ValueError(f"{path}: a form cannot hold {value!r}")
        case date():  # a datetime is one
            return value.isoformat()
        case _:
            raise TypeError(f"{path}: a form cannot hold a {type(value).__name__}")


def _quoted(text: str) -> str:
    try:
        return quote_plus(text)
    except UnicodeEncodeError:
        raise ValueError(f"not a complete Unicode string: {text!r:.40}") from None
