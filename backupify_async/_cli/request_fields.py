"""The fields of `backupify api`: `customer[name]=Ada` to nested mappings. Pure.

The inverse of `_endpoints/form.py`, for what a person writes: brackets nest, and `[]` appends to a list.
"""

import re
from collections.abc import Iterable
from typing import TypeAlias
from urllib.parse import parse_qsl

Nested: TypeAlias = "str | list[Nested] | dict[str, Nested]"

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")


def nest(fields: Iterable[tuple[str, str]]) -> dict[str, Nested]:
    """Nest fields by the brackets in their names.

    As Rack reads forms, `a[][x]=1&a[][y]=2&a[][x]=3` is a list of two mappings: a name that the last mapping
    has already begins the next one.

    Args:
        fields: Names with their values, in order.

    Raises:
        ValueError: A name is invalid, is given twice without `[]`, or is both a value and a mapping or list.
    """
    nested: dict[str, Nested] = {}
    for name, value in fields:
        found = _NAME.fullmatch(name)
        if found is None:
            raise ValueError(f"not a field's name: {name!r}; brackets nest: customer[name]")
        _put(nested, [found[1], *_BRACKETS.findall(found[2])], value, name)
    return nested


def split_field(text: str) -> tuple[str, str]:
    """Split `name=value`.

    Raises:
        ValueError: There is no equals sign.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"a field is given as name=value, not {text!r}")
    return name, value


def split_query(path: str) -> tuple[str, list[tuple[str, str]]]:
    """Split a path from the query after it, whose fields are decoded."""
    plain, _, query = path.partition("?")
    return plain, parse_qsl(query, keep_blank_values=True)


def _put(mapping: dict[str, Nested], keys: list[str], value: str, name: str) -> None:
    key, rest = keys[0], keys[1:]
    if not rest:
        if key in mapping:
            raise ValueError(f"{name} is given twice; {name}[] makes a list")
        mapping[key] = value
        return
    inner = mapping.setdefault(key, [] if rest[0] == "" else {})
    if isinstance(inner, list) and rest[0] == "":
        _append(inner, rest[1:], value, name)
    elif isinstance(inner, dict) and rest[0] != "":
        _put(inner, rest, value, name)
    else:
        raise ValueError(f"{name}: the fields before it give {key} another form")


def _append(items: list[Nested], keys: list[str], value: str, name: str) -> None:
    if not keys:
        items.append(value)
        return
    if keys[0] == "":
        raise ValueError(f"{name}: a form has no list in a list")
    last = items[-1] if items else None
    if not isinstance(last, dict) or _has(last, keys):
        items.append(last := {})
    _put(last, keys, value, name)


def _has(value: Nested, keys: list[str]) -> bool:
    """Whether a mapping has a value where these keys lead. A list takes any number."""
    for key in keys:
        if key == "" or not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True
