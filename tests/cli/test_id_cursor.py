"""Which ids of a source remain when a sweep stops."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import cast

import pytest

from backupify_async import BackupifyClient
from backupify_async._cli.id_sources import AllIds, ArgumentIds, FileIds, IdCursor, IdSource
from backupify_async.ids import InstanceId

NO_CLIENT = cast("BackupifyClient", None)


async def read(cursor: IdCursor, number: int) -> None:
    """Read a number of ids and stop, as an interrupted sweep does."""
    async with aclosing(cursor.read(NO_CLIENT)) as ids:
        for _ in range(number):
            await anext(ids)


class ClosedIds(ArgumentIds):
    """Ids of a source that records in `closed` when it is closed."""

    async def read(self, _client: BackupifyClient, /) -> AsyncGenerator[InstanceId, None]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)


closed: list[bool] = []


class TestRemaining:
    @pytest.mark.parametrize(
        ("number", "remaining"),
        [
            (0, "the 3 ids on the command line"),
            (1, "the 2 ids after 7 on the command line"),
            (2, "the 1 id after x on the command line"),
            (3, None),
        ],
    )
    async def test_given_ids_are_counted(self, number: int, remaining: str | None) -> None:
        cursor = IdCursor(ArgumentIds((7, "x", 9)))
        await read(cursor, number)
        assert cursor.remaining() == remaining

    async def test_a_file_that_was_not_counted_can_have_more(self, tmp_path: Path) -> None:
        file = tmp_path / "ids.txt"
        file.write_text("1\n2\n")
        cursor = IdCursor(FileIds(str(file), rereadable=True))
        await read(cursor, 2)
        assert cursor.remaining() == f"any ids after 2 in {file}"

    async def test_a_file_that_was_counted_has_a_number(self, tmp_path: Path) -> None:
        file = tmp_path / "ids.txt"
        file.write_text("1\n2\n3\n")
        ids = FileIds(str(file), rereadable=True)
        await ids.count(NO_CLIENT)
        cursor = IdCursor(ids)
        await read(cursor, 1)
        assert cursor.remaining() == f"the 2 ids after 1 in {file}"

    async def test_a_file_that_was_read_to_its_end_has_none(self, tmp_path: Path) -> None:
        file = tmp_path / "ids.txt"
        file.write_text("1\n")
        cursor = IdCursor(FileIds(str(file), rereadable=True))
        assert [one async for one in cursor.read(NO_CLIENT)] == [1]
        assert cursor.remaining() is None

    @pytest.mark.parametrize(
        ("ids", "remaining"),
        [
            (FileIds("-", rereadable=False), "any ids in stdin"),
            (AllIds(), "any ids of --all"),
            (AllIds(120), "the 120 ids of --all"),
        ],
    )
    def test_a_source_that_was_not_read_has_all(self, ids: IdSource, remaining: str) -> None:
        assert IdCursor(ids).remaining() == remaining


async def test_stopping_early_closes_the_source() -> None:
    closed.clear()
    await read(IdCursor(ClosedIds((1, 2))), 1)
    assert closed == [True]
