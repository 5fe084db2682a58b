"""JSON that a strict parser refuses for one text in it: the rest of it is read all the same.

That is only for what was refused: it takes ten times as long. What is no JSON for another reason stays so.
"""

import codecs
import json
import re
from typing import Any, NoReturn

import orjson

_HALF = re.compile(
    "[\\ud800-\\udfff]"
)  # of a surrogate pair; or a byte that is no UTF-8, as "surrogateescape" has it
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def parse_tolerantly(body: bytes) -> Any:
    """The value that a body stands for, read around a byte order mark and texts that are no Unicode.

    A byte order mark is ignored (RFC 8259 §8.1). Half a surrogate pair, or a byte that is no UTF-8, becomes a
    replacement character; an id that has such is none.

    Raises:
        ValueError: It is no JSON, or an `id` is such a text.
        RecursionError: It is nested too deeply.
    """
    text = body.removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape")
    number = orjson.loads  # so that numbers are what they are everywhere else
    return _mended(json.loads(text, parse_int=number, parse_float=number, parse_constant=_refuse))


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return _HALF.sub(_REPLACEMENT, value)
    if isinstance(value, list):
        return [_mended(one) for one in value]
    if isinstance(value, dict):
        return {_mended(name): _member(name, one) for name, one in value.items()}
    return value


def _member(name: str, value: Any) -> Any:
    if isinstance(value, str) and (name == "id" or name.endswith("_id")) and _HALF.search(value):
        if name == "id":
            raise ValueError("an id is no Unicode")
        return None
    return _mended(value)
