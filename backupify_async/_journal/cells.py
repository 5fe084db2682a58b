"""Cells of a journal's table, read strictly: a file can be damaged, or changed by hand.

Each function raises `ValueError` where a cell is not what this library writes. Nothing is made fit: a date
without an offset, say, would be compared with others much later.
"""

import json
import math
from datetime import datetime
from typing import Any

from backupify_async.ids import identifier


def text(cell: object) -> str:
    """A text."""
    if isinstance(cell, str):
        return cell
    raise _misfit(cell, "a text belongs")


def flag(cell: object) -> bool:
    """A yes or no."""
    if cell not in (0, 1):
        raise _misfit(cell, "0 or 1 belongs")
    return bool(cell)


def date(cell: object) -> datetime:
    """A date with its offset."""
    read = datetime.fromisoformat(text(cell))
    if read.tzinfo is None:
        raise _misfit(cell, "a date with an offset belongs")
    return read


def items(read: object) -> list[Any]:
    """The values of an array, as JSON has it."""
    if isinstance(read, list):
        return read
    raise _misfit(read, "an array belongs")


def value(cell: object) -> object:
    """Any JSON."""
    try:
        return json.loads(text(cell))
    except RecursionError:
        raise _misfit(cell, "JSON belongs that is not nested so deep") from None


def backup_id(read: object) -> int | str:
    """The id of a backup, as JSON has it."""
    if isinstance(read, int | str) and not isinstance(read, bool):
        return read
    raise _misfit(read, "an id belongs")


def seconds(read: object) -> float:
    """A number of seconds, as JSON has it."""
    if isinstance(read, int | float) and not isinstance(read, bool) and math.isfinite(read):
        return read
    raise _misfit(read, "seconds belong")


def instance_id(cell: object, *, is_number: bool) -> int | str:
    """The id of an instance, a number or a text."""
    written = text(cell)
    read: int | str = int(written) if is_number else written
    identifier(read)
    if str(read) != written:
        raise _misfit(cell, "an id belongs")
    return read


def _misfit(found: object, wanted: str) -> ValueError:
    return ValueError(f"{found!r:.80} where {wanted}")
