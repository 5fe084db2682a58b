"""The fields of a journal's record, read strictly: a file can be damaged, or edited by hand.

Each function raises `ValueError` where a field is not what this library writes. Nothing is repaired: a date
without an offset, for example, would be compared with others much later.
"""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any

from backupify_async.ids import identifier


def required(record: Mapping[str, object], names: "itemgetter[Any]") -> tuple[Any, ...]:
    """The fields of these names, all of which must be there."""
    try:
        fields: tuple[Any, ...] = names(record)
    except KeyError as missing:
        raise ValueError(f"a record without {missing}") from None
    return fields


def text(field: object) -> str:
    """A text."""
    if isinstance(field, str):
        return field
    raise _mismatch(field, "a text")


def optional_text(field: object) -> str | None:
    """A text, or None."""
    return None if field is None else text(field)


def number(field: object) -> int:
    """The number of an entry."""
    if isinstance(field, int) and not isinstance(field, bool) and field > 0:
        return field
    raise _mismatch(field, "a number above 0")


def flag(field: object) -> bool:
    """True or false, also as 1 or 0."""
    if field not in (0, 1):
        raise _mismatch(field, "0 or 1")
    return bool(field)


def date(field: object) -> datetime:
    """A date with its offset."""
    read = datetime.fromisoformat(text(field))
    if read.tzinfo is None:
        raise _mismatch(field, "a date with an offset")
    return read


def items(read: object) -> list[Any]:
    """The values of a JSON array."""
    if isinstance(read, list):
        return read
    raise _mismatch(read, "an array")


def value(field: object) -> object:
    """Any JSON value."""
    try:
        return json.loads(text(field))
    except RecursionError:
        raise _mismatch(field, "JSON that is less deeply nested") from None


def backup_id(read: object) -> int | str:
    """The id of a backup, a JSON number or string."""
    if isinstance(read, int | str) and not isinstance(read, bool):
        return read
    raise _mismatch(read, "an id")


def seconds(read: object) -> float:
    """A number of seconds, a JSON number."""
    if isinstance(read, int | float) and not isinstance(read, bool) and math.isfinite(read):
        return read
    raise _mismatch(read, "a number of seconds")


def instance_id(field: object, *, is_number: bool) -> int | str:
    """The id of an instance, a number or a text."""
    written = text(field)
    read: int | str = int(written) if is_number else written
    identifier(read)
    if str(read) != written:
        raise _mismatch(field, "an id")
    return read


def _mismatch(found: object, expected: str) -> ValueError:
    return ValueError(f"expected {expected}, found {found!r:.80}")
