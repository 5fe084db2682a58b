"""The output formats: rows as a table, as a JSON array, as JSON lines, or as CSV."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

import attrs
from rich.cells import cell_len
from rich.color import ColorSystem
from rich.style import Style

from backupify_async._cli.cells import EXTRA, EXTRA_FIELD, csv_cell, csv_line, json_line, table_cell, value_of

Row = Mapping[str, object]
Format = Literal["table", "json", "jsonl", "csv"]

_GAP = "  "
_STYLES = {
    **dict.fromkeys(("active", "running", "already_active"), Style(color="yellow")),
    **dict.fromkeys(("started", "adopted", "would_start", "completed"), Style(color="green")),
    **dict.fromkeys(
        ("failed", "vanished", "replaced", "duplicate", "error", "ambiguous"), Style(color="red")
    ),
    **dict.fromkeys(("idle", "none", "previous"), Style(dim=True)),
}
_EXTRA_WIDTH = 12  # characters
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
        has_extra: Whether the rows have `extra` too, which only JSON shows unless it is selected.
    """

    columns: tuple[Column, ...]
    dropped_first: tuple[str, ...]
    has_extra: bool = True

    @property
    def names(self) -> list[str]:
        """The column names."""
        return [column.name for column in self.columns]

    def select(self, names: Sequence[str]) -> "Layout":
        """The layout with these columns only, in this order; a table has all of them.

        Args:
            names: Column names, `extra`, or `extra.NAME` for a field of the server that has no column.

        Raises:
            ValueError: There is no such column, or one is named twice; the message lists the columns.
        """
        known = {column.name: attrs.evolve(column, in_table=True) for column in self.columns}
        listed = [*known, *([EXTRA, f"{EXTRA_FIELD}NAME"] if self.has_extra else [])]
        for name in names if self.has_extra else ():
            if name == EXTRA or (name.startswith(EXTRA_FIELD) and name != EXTRA_FIELD):
                known[name] = Column(name, _EXTRA_WIDTH, free_text=True)
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"no field {', '.join(unknown)}; the fields are {', '.join(listed)}")
        if len({*names}) < len(names):
            raise ValueError("a field is named twice")
        return Layout(tuple(known[name] for name in names), ())


class Writer(ABC):
    """Formats rows as text."""

    def header(self) -> str:
        """The text before the first row."""
        return ""

    @abstractmethod
    def write(self, rows: Sequence[Row]) -> str:
        """The rows as lines."""

    def footer(self) -> str:
        """The text after the last row, which also ends the output of an interrupted command."""
        return ""


class JsonWriter(Writer):
    """One JSON array. Each row is a line of its own that begins with its comma, so that it can be streamed.

    Without a header there is no footer: the output of a command that could not begin is empty in all formats.

    Args:
        line: Returns a row as a line of JSON.
    """

    def __init__(self, line: Callable[[Row], str] = json_line) -> None:
        self._row_line = line
        self._separator = ""

    def header(self) -> str:
        """The beginning of the array."""
        self._separator = " "
        return "[\n"

    def write(self, rows: Sequence[Row]) -> str:
        """The rows as JSON objects, with dates in ISO 8601."""
        if not rows:
            return ""
        text = self._separator + ",".join(map(self._row_line, rows))
        self._separator = ","
        return text

    def footer(self) -> str:
        """The end of the array."""
        return "]\n" if self._separator else ""


class JsonLinesWriter(Writer):
    """JSON lines: one object per line, in ASCII, which is safe in any encoding and on any terminal.

    Args:
        line: Returns a row as a line of JSON.
    """

    def __init__(self, line: Callable[[Row], str] = json_line) -> None:
        self._row_line = line

    def write(self, rows: Sequence[Row]) -> str:
        """The rows as JSON objects, with dates in ISO 8601."""
        return "".join(map(self._row_line, rows))


class CsvWriter(Writer):
    """CSV, quoted as in RFC 4180, but with LF at line ends.

    Text from the server has its control characters escaped, and an apostrophe where a spreadsheet would take
    it for a formula. Ids are unchanged, so that they can be used as input.
    """

    def __init__(self, layout: Layout) -> None:
        self._names = layout.names
        self._free_text = frozenset(column.name for column in layout.columns if column.free_text)

    def header(self) -> str:
        """The column names."""
        return csv_line(self._names)

    def write(self, rows: Sequence[Row]) -> str:
        """The rows as lines, with dates in ISO 8601; a missing value is empty."""
        return "".join(csv_line([self._cell(name, row) for name in self._names]) for row in rows)

    def _cell(self, name: str, row: Row) -> str:
        text = csv_cell(value_of(row, name))
        return f"'{text}" if name in self._free_text and text.startswith(_FORMULA) else text


class TableWriter(Writer):
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
            self._line([table_cell(value_of(row, column.name)) for column in self._columns], None)
            for row in rows
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
            return JsonWriter(partial(json_line, names=fields))
        case "jsonl":
            return JsonLinesWriter(partial(json_line, names=fields))
        case "csv":
            return CsvWriter(layout)
        case "table":
            return TableWriter(layout, width, colour=colour)


def _total_width(columns: Sequence[Column]) -> int:
    return sum(column.width + len(_GAP) for column in columns) - len(_GAP)
