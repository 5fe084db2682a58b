from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import cast

import pytest

from backupify_async import BackupifyClient
from backupify_async._cli.id_sources import AllIds, ArgumentIds, FileIds, IdCursor, IdSource
from backupify_async.ids import InstanceId

NO_CLIENT = cast("BackupifyClient", None)


async def read(bookmark: IdCursor, number: int) -> None:
    """Read so many ids, and stop there as a sweep does that is cut off."""
    async with aclosing(bookmark.read(NO_CLIENT)) as ids:
        for _ in range(number):
            await anext(ids)


class ClosedIds(ArgumentIds):
    """Ids that tell whether their source was closed."""

    async def read(self, _client: BackupifyClient, /) -> AsyncGenerator[InstanceId, None]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)


closed: list[bool] = []


class TestRest:
    @pytest.mark.parametrize(
        ("number", "rest"),
        [
            (0, "the 3 ids on the command line"),
            (1, "the 2 ids after 7 on the command line"),
            (2, "the 1 id after x on the command line"),
            (3, None),
        ],
    )
    async def test_given_ids_are_counted(self, number: int, rest: str | None) -> None:
        bookmark = IdCursor(ArgumentIds((7, "x", 9)))
        await read(bookmark, number)
        assert bookmark.remaining() == rest

    async def test_a_file_that_was_not_counted_may_have_more(self, tmp_path: Path) -> None:
        file = tmp_path / "ids.txt"
        file.write_text("1\n2\n")
        bookmark = IdCursor(FileIds(str(file), rereadable=True))
        await read(bookmark, 2)
        assert bookmark.remaining() == f"any ids after 2 in {file}"

    async def test_a_file_that_was_counted_has_so_many(self, tmp_path: Path) -> None:
        file = tmp_path / "ids.txt"
        file.write_text("1\n2\n3\n")
        ids = FileIds(str(file), rereadable=True)
        await ids.count(NO_CLIENT)
        bookmark = IdCursor(ids)
        await read(bookmark, 1)
        assert bookmark.remaining() == f"the 2 ids after 1 in {file}"

    async def test_one_that_was_read_to_its_end_has_none(self, tmp_path: Path) -> None:
        file = tmp_path / "ids.txt"
        file.write_text("1\n")
        bookmark = IdCursor(FileIds(str(file), rereadable=True))
        assert [one async for one in bookmark.read(NO_CLIENT)] == [1]
        assert bookmark.remaining() is None

    @pytest.mark.parametrize(
        ("ids", "rest"),
        [
            (FileIds("-", rereadable=False), "any ids in stdin"),
            (AllIds(), "any ids of --all"),
            (AllIds(120), "the 120 ids of --all"),
        ],
    )
    def test_of_a_source_not_read_at_all_it_is_everything(self, ids: IdSource, rest: str) -> None:
        assert IdCursor(ids).remaining() == rest


async def test_stopping_early_closes_the_source() -> None:
    closed.clear()
    await read(IdCursor(ClosedIds((1, 2))), 1)
    assert closed == [True]
