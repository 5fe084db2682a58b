"""Rows, written one by one: as a table, as JSON lines, or as CSV."""

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
Format = Literal["table", "jsonl", "csv"]

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
    "earlier": Style(dim=True),
}
_FORMULA = ("=", "+", "-", "@")  # OWASP, CSV Injection; a tab or a line end before one is escaped
_HEADING = Style(bold=True)


@attrs.frozen
class Column:
    """A column.

    Attributes:
        name: Its name, which is the row's key and stands in the header.
        width: Columns on the screen; a longer cell moves those behind it.
        for_people: Whether it is in a table too.
        free: Whether it holds free text of the server's, and no id or date.
    """

    name: str
    width: int
    for_people: bool = True
    free: bool = False


@attrs.frozen
class Shape:
    """What the rows of a command look like.

    Attributes:
        columns: In their order.
        spare: Names of columns that a terminal too narrow for all does without, the first one first.
    """

    columns: tuple[Column, ...]
    spare: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]


class Writer(Protocol):
    """Makes text of rows."""

    def header(self) -> str:
        """What stands before the first row."""
        ...

    def write(self, rows: Sequence[Row]) -> str:
        """Rows as lines."""
        ...


class JsonLinesWriter:
    """One JSON object a line, in ASCII: safe in any encoding, on any terminal."""

    def header(self) -> str:
        """Nothing."""
        return ""

    def write(self, rows: Sequence[Row]) -> str:
        """Rows as JSON objects; dates are ISO 8601."""
        return "".join(f"{_json(row)}\n" for row in rows)


class CsvWriter:
    """CSV as RFC 4180 quotes it, with the line ends of this world.

    Texts are safe for a terminal, and for a spreadsheet, which would run one that begins as a formula: it has
    an apostrophe before it. Ids stay as they are, for whoever gives them back.
    """

    def __init__(self, shape: Shape) -> None:
        self._names = shape.names
        self._free = frozenset(column.name for column in shape.columns if column.free)

    def header(self) -> str:
        """The names of the columns."""
        return _csv_line(self._names)

    def write(self, rows: Sequence[Row]) -> str:
        """Rows as lines, dates as ISO 8601, what is not there as nothing."""
        return "".join(_csv_line([self._cell(name, row[name]) for name in self._names]) for row in rows)

    def _cell(self, name: str, value: object) -> str:
        text = "" if value is None else printable(_iso(value))
        return f"'{text}" if name in self._free and text.startswith(_FORMULA) else text


class TableWriter:
    """A table whose columns have their widths beforehand, since rows are written as they come.

    Args:
        shape: The columns.
        width: Columns that the terminal has; None where there is none, and all columns are written.
        colour: Whether to colour what is worth it.
    """

    def __init__(self, shape: Shape, width: int | None, *, colour: bool) -> None:
        self._columns = [column for column in shape.columns if column.for_people]
        for name in shape.spare:
            if width is None or _total_width(self._columns) <= width:
                break
            self._columns = [column for column in self._columns if column.name != name]
        self._colour = colour

    def header(self) -> str:
        """The names of the columns."""
        return self._line([column.name for column in self._columns], _HEADING)

    def write(self, rows: Sequence[Row]) -> str:
        """Rows as lines of the table."""
        return "".join(
            self._line([_table_cell(row[column.name]) for column in self._columns], None) for row in rows
        )

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


def writer(output: Format, shape: Shape, width: int | None, *, colour: bool) -> Writer:
    """The writer of a format; `width` and `colour` matter to a table only."""
    match output:
        case "jsonl":
            return JsonLinesWriter()
        case "csv":
            return CsvWriter(shape)
        case "table":
            return TableWriter(shape, width, colour=colour)


def _total_width(columns: Sequence[Column]) -> int:
    return sum(column.width + len(_GAP) for column in columns) - len(_GAP)


def _json(row: Row) -> str:
    """A row as JSON; without `extra` where that is nested deeper than json can write, and orjson read."""
    try:
        return json.dumps(row, default=_iso)
    except RecursionError:
        return json.dumps({name: value for name, value in row.items() if name != "extra"}, default=_iso)


def _iso(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _csv_line(cells: Sequence[str]) -> str:
    # The csv module quotes a cell for a line end in it only where that is (part of) its own line end.
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()[:-2] + "\n"


def _table_cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    return printable(str(value))
