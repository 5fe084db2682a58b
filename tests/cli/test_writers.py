"""The formats of rows: JSON lines, JSON, CSV and tables."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backupify_async._cli.rows import BACKUPS, INSTANCE_LAYOUT, RUNNING_BACKUPS, backup_row
from backupify_async._cli.writers import (
    Column,
    CsvWriter,
    JsonLinesWriter,
    JsonWriter,
    Layout,
    TableWriter,
    writer,
)
from backupify_async._escaping import printable
from backupify_async.models import Backup

SHAPE = Layout((Column("a", 4), Column("b", 6), Column("c", 3)), ("b", "a"))
texts = st.text(st.characters(exclude_categories=["Cs"]))


class TestJsonLines:
    def test_ints_stay_ints_and_strings_stay_strings(self) -> None:
        row = json.loads(JsonLinesWriter().write([{"a": 10**30, "b": "7", "c": None}]))
        assert row == {"a": 10**30, "b": "7", "c": None}

    def test_a_date_is_iso_8601_with_its_offset(self) -> None:
        when = datetime(2026, 11, 20, 3, 15, tzinfo=UTC)
        assert json.loads(JsonLinesWriter().write([{"a": when}])) == {"a": "2026-11-20T03:15:00+00:00"}

    @given(st.lists(texts, min_size=1))
    def test_a_row_is_one_line_of_ascii(self, cells: list[str]) -> None:
        text = JsonLinesWriter().write([{"cells": cells}])
        assert text.isascii()
        assert [json.loads(line)["cells"] for line in text.splitlines()] == [cells]

    def test_a_value_nested_too_deeply_is_omitted(self) -> None:
        deep: list[object] = []
        for _ in range(100_000):
            deep = [deep]
        row = json.loads(JsonLinesWriter().write([{"instance_id": 7, "extra": {"x": deep}}]))
        assert row == {"instance_id": 7}


class TestJson:
    @given(st.lists(st.lists(st.fixed_dictionaries({"a": texts}), max_size=3), max_size=4))
    def test_rows_are_one_array_however_they_arrive(self, arrivals: list[list[dict[str, str]]]) -> None:
        json_writer = JsonWriter()
        text = json_writer.header() + "".join(map(json_writer.write, arrivals)) + json_writer.footer()
        assert json.loads(text) == [row for rows in arrivals for row in rows]

    def test_each_row_is_a_whole_line_as_soon_as_it_is_written(self) -> None:
        json_writer = JsonWriter()
        written = [json_writer.header(), *(json_writer.write([{"a": number}]) for number in (1, 2))]
        assert written == ["[\n", ' {"a": 1}\n', ',{"a": 2}\n']

    def test_an_array_that_was_not_begun_is_not_ended(self) -> None:
        assert JsonWriter().footer() == ""


class TestCsv:
    @given(st.tuples(texts, texts, texts))
    def test_cells_are_read_back_with_unprintable_characters_escaped(
        self, cells: tuple[str, str, str]
    ) -> None:
        text = CsvWriter(SHAPE).write([dict(zip("abc", cells, strict=True))])
        assert text[:-1].isprintable()
        assert list(csv.reader(io.StringIO(text, newline=""))) == [[printable(cell) for cell in cells]]

    @pytest.mark.parametrize("first", ["=", "+", "-", "@"])
    def test_text_that_a_spreadsheet_would_execute_gets_an_apostrophe(self, first: str) -> None:
        evil = f'{first}HYPERLINK("http://evil.example")'
        row = {**backup_row(-7, evil, Backup("-5", status=evil)), "error": evil}
        (cells,) = csv.reader([CsvWriter(BACKUPS).write([row])])
        assert (cells[0], cells[2]) == ("-7", "-5")
        assert cells[1] == cells[3] == cells[-1] == f"'{evil}"

    def test_control_characters_in_a_cell_are_escaped(self) -> None:
        row = backup_row("a\u202eb", "run\x1b]0;owned\x07\x1b[2J", Backup("5\x9b", status="two\nlines"))
        assert CsvWriter(BACKUPS).write([row]) == (
            "a\\u202eb,run\\x1b]0;owned\\x07\\x1b[2J,5\\x9b,two\\nlines,,,,,\n"
        )

    def test_a_line_ends_with_a_line_feed(self) -> None:
        assert CsvWriter(SHAPE).write([{"a": 1, "b": None, "c": "x"}]) == "1,,x\n"


class TestTable:
    def table(self, width: int | None = None, *, colour: bool = False) -> TableWriter:
        return TableWriter(SHAPE, width, colour=colour)

    def test_columns_have_their_widths_before_the_first_row(self) -> None:
        table = self.table()
        assert table.header() + table.write([{"a": 1, "b": "two", "c": None}]) == (
            "a     b       c\n1     two     -\n"
        )

    def test_a_cell_that_is_too_long_is_not_cut(self) -> None:
        assert self.table().write([{"a": "long id", "b": "x", "c": "y"}]) == "long id  x       y\n"

    def test_wide_characters_take_two_columns(self) -> None:
        assert self.table().write([{"a": "日", "b": "x", "c": "y"}]) == "日    x       y\n"

    @pytest.mark.parametrize(
        ("width", "expected"), [(17, "a     b       c"), (16, "a     c"), (8, "c"), (1, "c")]
    )
    def test_a_narrow_table_omits_optional_columns(self, width: int, expected: str) -> None:
        assert self.table(width).header() == f"{expected}\n"

    def test_a_date_is_in_utc(self) -> None:
        when = datetime(2026, 11, 20, 3, 15, tzinfo=timezone(timedelta(hours=5)))
        assert self.table().write([{"a": when, "b": "", "c": ""}]) == "2026-11-19 22:15:00Z\n"

    @given(st.text())
    def test_no_cell_contains_control_characters(self, cell: str) -> None:
        line = self.table().write([{"a": cell, "b": "", "c": ""}])
        assert line[:-1].isprintable()
        assert line.endswith("\n")

    def test_colour_does_not_change_widths(self) -> None:
        row = {"a": "idle", "b": "other", "c": "x"}
        plain, coloured = self.table().write([row]), self.table(colour=True).write([row])
        assert coloured == "\x1b[2midle\x1b[0m  other   x\n"
        assert plain == "idle  other   x\n"

    @pytest.mark.parametrize("shape", [BACKUPS, RUNNING_BACKUPS, INSTANCE_LAYOUT])
    def test_every_table_fits_eighty_columns(self, shape: Layout) -> None:
        table = TableWriter(shape, 80, colour=False)
        assert cell_len(table.header()) <= 80


class TestBackupRow:
    def test_it_contains_extra_fields(self) -> None:
        row = backup_row(7, "active", Backup(1, extra={"bytes": 5}))
        assert (row["backup_id"], row["extra"]) == (1, {"bytes": 5})

    def test_without_a_backup_it_has_all_columns(self) -> None:
        assert set(backup_row(7, "idle", None)) == {*RUNNING_BACKUPS.names, "extra"}


class TestWriter:
    def test_each_format_has_its_own(self) -> None:
        made = [type(writer(name, SHAPE, None, colour=False)) for name in ("table", "json", "jsonl", "csv")]
        assert made == [TableWriter, JsonWriter, JsonLinesWriter, CsvWriter]
