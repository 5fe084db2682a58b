"""Form parameters with brackets, as Rails reads them (`parse_nested_query` of Rack): pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_NESTED = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
_KEY = re.compile(r"\[([^\[\]]*)\]")
_MAX_DEPTH = 32  # that of Rack


def nested(form: Iterable[tuple[str, str]]) -> Mapping[str, Any] | None:
    """The parameters of a form as nested mappings.

    `a[b]=1` is `{"a": {"b": "1"}}`, and `a[b][]=1&a[b][]=2` is `{"a": {"b": ["1", "2"]}}`. Of two equal names
    the last one counts. A name with other brackets is taken as it is. Lists of mappings (`a[][b]`) are not
    read: no operation has one.

    Args:
        form: The names and values, decoded.

    Returns:
        The parameters; None where a name is used as two types (`a=1&a[b]=2`) or nested too deep. Rails
        answers both with 400.
    """
    parameters: dict[str, Any] = {}
    for name, value in form:
        keys = _keys(name)
        if len(keys) > _MAX_DEPTH or not _insert(parameters, keys, value):
            return None
    return parameters


def _keys(name: str) -> list[str]:
    found = _NESTED.fullmatch(name)
    return [name] if found is None else [found[1], *_KEY.findall(found[2])]


def _insert(parameters: dict[str, Any], keys: list[str], value: str) -> bool:
    """Whether the type matches that of the values before."""
    key, *inner = keys
    if not inner:
        parameters[key] = value
        return True
    if inner == [""]:
        items = parameters.setdefault(key, [])
        if isinstance(items, list):
            items.append(value)
        return isinstance(items, list)
    mapping = parameters.setdefault(key, {})
    return isinstance(mapping, dict) and _insert(mapping, inner, value)
