"""The output formats: rows as a table, as a JSON array, as JSON lines, or as CSV."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, Protocol

import attrs
from rich.cells import cell_len
from rich.color import ColorSystem
from rich.style import Style

from backupify_async._escaping import printable

Row = Mapping[str, object]
Format = Literal["table", "json", "jsonl", "csv"]

_GAP = "  "
_STYLES = {
    "active": Style(color="yellow"),
    "running": Style(color="yellow"),
    "already_active": Style(color="yellow"),
    "started": Style(color="green"),
    "adopted": Style(color="green"),
    "would_start": Style(color="green"),
    "completed": Style(color="green"),
    "failed": Style(color="red"),
    "vanished": Style(color="red"),
    "replaced": Style(color="red"),
    "duplicate": Style(color="red"),
    "error": Style(color="red"),
    "ambiguous": Style(color="red"),
    "idle": Style(dim=True),
    "none": Style(dim=True),
    "previous": Style(dim=True),
}
_FORMULA = ("=", "+", "-", "@")  # OWASP, CSV Injection; tabs and line ends before one are escaped
_HEADING = Style(bold=True)


@attrs.frozen
class Column:
    """A column of the output.

    Attributes:
        name: The key in a row, and the heading.
        width: Its width in a table, in characters; a longer cell shifts those after it.
        in_table: Whether a table has it; the other formats have all columns.
        free_text: Whether it holds text from the server, rather than an id or a date.
    """

    name: str
    width: int
    in_table: bool = True
    free_text: bool = False


@attrs.frozen
class Layout:
    """The columns of a command's rows.

    Attributes:
        columns: The columns, in order.
        dropped_first: The names of those that a table leaves out on a narrow terminal, in this order.
    """

    columns: tuple[Column, ...]
    dropped_first: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The column names."""
        return [column.name for column in self.columns]

    def select(self, names: Sequence[str]) -> "Layout":
        """The layout with these columns only, in this order; a table has all of them.

        Raises:
            ValueError: There is no such column, or one is named twice; the message lists the columns.
        """
        known = {column.name: column for column in self.columns}
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"no field {', '.join(unknown)}; the fields are {', '.join(known)}")
        if len({*names}) < len(names):
            raise ValueError("a field is named twice")
        return Layout(tuple(attrs.evolve(known[name], in_table=True) for name in names), ())


class Writer(Protocol):
    """Formats rows as text."""

    def header(self) -> str:
        """The text before the first row."""
        ...

    def write(self, rows: Sequence[Row]) -> str:
        """The rows as lines."""
        ...

    def footer(self) -> str:
        """The text after the last row, which also ends the output of an interrupted command."""
        ...


class JsonWriter:
    """One JSON array. Each row is a line of its own that begins with its comma, so that it can be streamed.

    Without a header there is no footer: the output of a command that could not begin is empty in all formats.
    """

    def __init__(self, names: Sequence[str] | None = None) -> None:
        self._names = names
        self._separator = ""

    def header(self) -> str:
        """The beginning of the array."""
        self._separator = " "
        return "[\n"

    def write(self, rows: Sequence[Row]) -> str:
        """The rows as JSON objects, with dates in ISO 8601."""
        lines = [f"{_json(row, self._names)}\n" for row in rows]
        if not lines:
            return ""
        text = self._separator + ",".join(lines)
        self._separator = ","
        return text

    def footer(self) -> str:
        """The end of the array."""
        return "]\n" if self._separator else ""


class JsonLinesWriter:
    """JSON lines: one object per line, in ASCII, which is safe in any encoding and on any terminal."""

    def __init__(self, names: Sequence[str] | None = None) -> None:
        self._names = names

    def header(self) -> str:
        """JSON lines have no header."""
        return ""

    def write(self, rows: Sequence[Row]) -> str:
        """The rows as JSON objects, with dates in ISO 8601."""
        return "".join(f"{_json(row, self._names)}\n" for row in rows)

    def footer(self) -> str:
        """JSON lines have no footer."""
        return ""


class CsvWriter:
    """CSV, quoted as in RFC 4180, but with LF at line ends.

    Text from the server has its control characters escaped, and an apostrophe where a spreadsheet would take
    it for a formula. Ids are unchanged, so that they can be used as input.
    """

    def __init__(self, layout: Layout) -> None:
        self._names = layout.names
        self._free_text = frozenset(column.name for column in layout.columns if column.free_text)

    def header(self) -> str:
        """The column names."""
        return _csv_line(self._names)

    def write(self, rows: Sequence[Row]) -> str:
        """The rows as lines, with dates in ISO 8601; a missing value is empty."""
        return "".join(_csv_line([self._cell(name, row[name]) for name in self._names]) for row in rows)

    def footer(self) -> str:
        """CSV has no footer."""
        return ""

    def _cell(self, name: str, value: object) -> str:
        text = "" if value is None else printable(_iso(value))
        return f"'{text}" if name in self._free_text and text.startswith(_FORMULA) else text


class TableWriter:
    """A table. Its column widths are fixed, because rows are written as they arrive.

    Args:
        layout: The columns.
        width: The terminal's width in characters; None to write all columns.
        colour: Whether to colour states.
    """

    def __init__(self, layout: Layout, width: int | None, *, colour: bool) -> None:
        self._columns = [column for column in layout.columns if column.in_table]
        for name in layout.dropped_first:
            if width is None or _total_width(self._columns) <= width:
                break
            self._columns = [column for column in self._columns if column.name != name]
        self._colour = colour

    def header(self) -> str:
        """The column names."""
        return self._line([column.name for column in self._columns], _HEADING)

    def write(self, rows: Sequence[Row]) -> str:
        """The rows as lines of the table."""
        return "".join(
            self._line([_table_cell(row[column.name]) for column in self._columns], None) for row in rows
        )

    def footer(self) -> str:
        """A table has no footer."""
        return ""

    def _line(self, cells: Sequence[str], style: Style | None) -> str:
        pieces = []
        for column, cell in zip(self._columns, cells, strict=True):
            padding = " " * (column.width - cell_len(cell))
            pieces.append(self._styled(cell, style or _STYLES.get(cell)) + padding)
        return _GAP.join(pieces).rstrip(" ") + "\n"

    def _styled(self, cell: str, style: Style | None) -> str:
        if style is None or not self._colour:
            return cell
        return style.render(cell, color_system=ColorSystem.STANDARD)


def writer(
    output: Format,
    layout: Layout,
    width: int | None = None,
    *,
    colour: bool = False,
    fields: Sequence[str] | None = None,
) -> Writer:
    """The writer of a format.

    Args:
        output: The format.
        layout: The columns.
        width: The terminal's width in characters, for a table.
        colour: Whether a table has colours.
        fields: The names of the columns to write, in order; None for all.

    Raises:
        ValueError: There is no such column.
    """
    if fields is not None:
        layout = layout.select(fields)
    match output:
        case "json":
            return JsonWriter(fields)
        case "jsonl":
            return JsonLinesWriter(fields)
        case "csv":
            return CsvWriter(layout)
        case "table":
            return TableWriter(layout, width, colour=colour)


def _total_width(columns: Sequence[Column]) -> int:
    return sum(column.width + len(_GAP) for column in columns) - len(_GAP)


def _json(row: Row, names: Sequence[str] | None) -> str:
    """A row as JSON; without `extra` where that is nested more deeply than `json` can write."""
    if names is not None:
        row = {name: row[name] for name in names}
    try:
        return json.dumps(row, default=_iso)
    except RecursionError:
        return json.dumps({name: value for name, value in row.items() if name != "extra"}, default=_iso)


def _iso(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _csv_line(cells: Sequence[str]) -> str:
    # The csv module quotes a cell that contains a line end only if that is part of `lineterminator`.
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()[:-2] + "\n"


def _table_cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    return printable(str(value))
