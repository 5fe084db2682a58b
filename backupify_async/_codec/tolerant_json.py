"""JSON with a text in it that a strict parser refuses: only that text is lost.

It takes ten times as long, so it runs only on what the strict parser refused. What is invalid for another
reason is refused here too.
"""

import codecs
import json
import re
from typing import Any, NoReturn

import orjson

# Half a surrogate pair, or a byte that is not UTF-8: "surrogateescape" decodes it to half a pair.
_LONE_SURROGATE = re.compile("[\\ud800-\\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def parse_tolerantly(body: bytes) -> Any:
    """The JSON value of a body, in spite of a byte order mark and of texts that are not Unicode.

    A byte order mark is ignored (RFC 8259 §8.1). Half a surrogate pair, or a byte that is not UTF-8, becomes
    a replacement character. An id with one is dropped.

    Raises:
        ValueError: It is not JSON, or an `id` is such a text.
        RecursionError: It is nested too deeply.
    """
    text = body.removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape")
    number = orjson.loads  # the same numbers as from the strict parser
    return _repaired(json.loads(text, parse_int=number, parse_float=number, parse_constant=_refuse))


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE_SURROGATE.sub(_REPLACEMENT, value)
    if isinstance(value, list):
        return [_repaired(item) for item in value]
    if isinstance(value, dict):
        return {_repaired(name): _repaired_member(name, member) for name, member in value.items()}
    return value


def _repaired_member(name: str, value: Any) -> Any:
    if isinstance(value, str) and (name == "id" or name.endswith("_id")) and _LONE_SURROGATE.search(value):
        if name == "id":
            raise ValueError("an id is not Unicode")
        return None
    return _repaired(value)
