"""The values of a row as text: in JSON, in CSV, and in a table."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from backupify_async._escaping import printable

EXTRA = "extra"
"""The key in a row of the server's fields that have no column."""
EXTRA_FIELD = f"{EXTRA}."
"""Begins the name of a column for one of them."""


def value_of(row: Mapping[str, object], name: str) -> object:
    """The value of a column; None for a field of `extra` that this row does not have."""
    if not name.startswith(EXTRA_FIELD):
        return row[name]
    extra = row[EXTRA]
    return extra.get(name.removeprefix(EXTRA_FIELD)) if isinstance(extra, Mapping) else None


def json_line(row: Mapping[str, object], names: Sequence[str] | None = None) -> str:
    """A row as a line of JSON; without `extra` where that is nested more deeply than `json` can write."""
    if names is not None:
        row = {name: value_of(row, name) for name in names}
    try:
        return f"{json.dumps(row, default=_iso)}\n"
    except RecursionError:
        row = {name: value for name, value in row.items() if name.partition(".")[0] != EXTRA}
        return f"{json.dumps(row, default=_iso)}\n"


def csv_line(cells: Sequence[str]) -> str:
    """The cells as a line of CSV, quoted as in RFC 4180, but with LF at its end."""
    # The csv module quotes a cell that contains a line end only if that is part of `lineterminator`.
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()[:-2] + "\n"


def csv_cell(value: object) -> str:
    """A value for CSV: dates in ISO 8601, control characters escaped, a missing value empty."""
    return "" if value is None else printable(_text(value))


def table_cell(value: object) -> str:
    """A value for a table: dates in UTC, control characters escaped."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    return printable(_text(value))


def _text(value: object) -> str:
    """A value as text: JSON where it is neither text, number nor date; "" where `json` cannot write it."""
    if isinstance(value, bool | float | list | dict):
        try:
            return json.dumps(value)
        except RecursionError:
            return ""
    return _iso(value)


def _iso(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
