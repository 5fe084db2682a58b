"""Sources of ids: arguments, files, stdin and `--all`."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async import BackupifyClient, StaticToken
from backupify_async._cli import id_files
from backupify_async._cli.exit_codes import Exit
from backupify_async._cli.id_sources import AllIds, ArgumentIds, FileIds, choose_source
from backupify_async._cli.id_syntax import parse_id
from backupify_async.ids import InstanceId
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import Run
from tests.support.processes import COMMAND, finish, process
from tests.support.raw_servers import http, raw_server

# No-break, ideographic and thin space; line and paragraph separator; zero-width space, BOM, word joiner.
INVISIBLE = ["\u00a0", "\u3000", "\u2009", "\u2028", "\u2029", "\u200b", "\ufeff", "\u2060"]
NO_CLIENT = cast("BackupifyClient", None)


@contextlib.asynccontextmanager
async def one_page(headers: dict[str, str], body: bytes) -> AsyncIterator[BackupifyClient]:
    """A client of a server with only this page."""

    async def respond(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(http(200, body, *(f"{name}: {value}" for name, value in headers.items())))

    async with (
        raw_server(respond) as url,
        BackupifyClient(StaticToken("static-token"), base_url=url) as client,
    ):
        yield client


async def ids_of(content: bytes, tmp_path: Path) -> list[InstanceId]:
    file = tmp_path / "ids.txt"
    await asyncio.to_thread(file.write_bytes, content)
    return [one async for one in FileIds(str(file), rereadable=True).read(NO_CLIENT)]


class TestParseId:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [("42", 42), ("-5", -5), ("0", 0), ("042", "042"), ("x1", "x1"), ("9" * 20, "9" * 20), ("٣", "٣")],
    )
    def test_only_the_plain_form_of_an_int_is_an_int(self, text: str, expected: InstanceId) -> None:
        assert parse_id(text) == expected

    @given(st.text())
    def test_a_parsed_id_has_the_same_text(self, text: str) -> None:
        try:
            assert str(parse_id(text)) == text
        except ValueError as error:
            assert "id" in str(error)  # noqa: PT017 - both outcomes are right


class TestFile:
    async def test_blank_lines_and_comments_are_skipped(self, tmp_path: Path) -> None:
        content = b"\xef\xbb\xbf# these\n42\r\n\n  x7\t # seven\n\t#no\n#\na#b\n43"
        assert await ids_of(content, tmp_path) == [42, "x7", "a#b", 43]

    @pytest.mark.parametrize("invisible", INVISIBLE)
    async def test_invisible_characters_around_an_id_are_ignored(
        self, tmp_path: Path, invisible: str
    ) -> None:
        lines = [
            f"42{invisible}",
            f"{invisible}43",
            invisible,
            f"{invisible}# none",
            f"44{invisible} # four",
            f"x{invisible}",
        ]
        assert await ids_of("\n".join(lines).encode(), tmp_path) == [42, 43, 44, "x"]

    @pytest.mark.parametrize("invisible", INVISIBLE)
    async def test_invisible_characters_within_an_id_are_refused(
        self, tmp_path: Path, invisible: str
    ) -> None:
        with pytest.raises(Exit) as caught:
            await ids_of(f"1\n4{invisible}2\n".encode(), tmp_path)
        assert caught.value.message.startswith(f"{tmp_path / 'ids.txt'}, line 2: ")
        assert ascii(invisible)[1:-1] in ascii(caught.value.message)

    @pytest.mark.parametrize("content", [b"", b"\n# none\n"])
    async def test_a_file_without_ids_is_named(self, tmp_path: Path, content: bytes) -> None:
        with pytest.raises(Exit) as caught:
            await ids_of(content, tmp_path)
        assert caught.value.message == f"no ids in {tmp_path / 'ids.txt'}"

    async def test_a_line_can_be_split_between_two_reads(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(id_files, "_CHUNK", 3)
        assert await ids_of(b"1\n23\n456\n7890\nx", tmp_path) == [1, 23, 456, 7890, "x"]

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            (b".", "must not be empty, '.', '..'"),
            (b"4\x002", "control characters"),
            (b"4 2", "expected one id per line, found '4 2'"),
            (b"\xff", "is not UTF-8"),
            (b"x" * 5_000, "longer than 4096 bytes"),
        ],
    )
    async def test_an_invalid_line_is_reported_with_its_number(
        self, tmp_path: Path, line: bytes, message: str
    ) -> None:
        with pytest.raises(Exit) as caught:
            await ids_of(b"1\n# two\n" + line + b"\n4\n", tmp_path)
        assert caught.value.message.startswith(f"{tmp_path / 'ids.txt'}, line 3: ")
        assert message in caught.value.message

    async def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(id_files, "_CHUNK", 5_000)
        with pytest.raises(Exit, match="line 1: longer than"):
            await ids_of(b"x" * 1_000_000, tmp_path)

    async def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(Exit, match=r"gone\.txt: No such file"):
            await anext(FileIds(str(tmp_path / "gone.txt"), rereadable=True).read(NO_CLIENT))

    async def test_ids_are_read_before_the_file_ends(self, tmp_path: Path) -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        source = await asyncio.to_thread(choose_source, (), str(fifo), everything=False)
        ids = cast("AsyncIterator[InstanceId]", source.read(NO_CLIENT))
        first = asyncio.ensure_future(anext(ids))
        writer = await asyncio.to_thread(os.open, fifo, os.O_WRONLY)
        try:
            await asyncio.to_thread(os.write, writer, b"1\n2\n")
            assert [await first, await anext(ids)] == [1, 2]
        finally:
            os.close(writer)
        assert [one async for one in ids] == []


class TestCount:
    async def test_a_file_is_counted(self, tmp_path: Path) -> None:
        file = tmp_path / "ids.txt"
        await asyncio.to_thread(file.write_text, "1\n\n2\n")
        source = await asyncio.to_thread(choose_source, (), str(file), everything=False)
        assert source.describe(await source.count(NO_CLIENT)) == f"2 instances named in {file}"
        assert source.total == 2

    async def test_a_source_that_can_be_read_once_is_counted_and_then_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(id_files, "_CHUNK", 3)
        reading, writing = os.pipe()
        source = await asyncio.to_thread(choose_source, (), f"/dev/fd/{reading}", everything=False)
        await asyncio.to_thread(os.write, writing, b"1\n\n2\n")
        os.close(writing)
        number = await source.count(NO_CLIENT)
        os.close(reading)
        assert source.describe(number) == f"2 instances named in /dev/fd/{reading}"
        assert [one async for one in source.read(NO_CLIENT)] == [1, 2]

    async def test_an_uncounted_source_is_described_without_a_number(self) -> None:
        source = choose_source((), "-", everything=False)
        assert source.describe(None) == "the instances in stdin (number unknown)"

    async def test_given_ids_are_counted(self) -> None:
        source = ArgumentIds((7,))
        assert source.describe(await source.count(NO_CLIENT)) == "1 instance"

    @pytest.mark.parametrize(
        ("headers", "body", "expected"),
        [
            ({"Total": "1200"}, b'[{"id": 1}]', "all 1,200 instances"),
            ({"Total": "0"}, b'[{"id": 1}]', "all 1 instance"),
            ({}, b'[{"id": 1}, {"id": 2}]', "all 2 instances"),
            ({"Link": '<http://127.0.0.1/x>; rel="next"'}, b'[{"id": 1}]', "all instances"),
        ],
    )
    async def test_all_instances_are_counted_from_the_first_page(
        self, headers: dict[str, str], body: bytes, expected: str
    ) -> None:
        async with one_page(headers, body) as client:
            assert AllIds().describe(await AllIds().count(client)) == expected


@pytest.mark.slow
class TestNoInstances:
    @pytest.mark.backupify(instances=0)
    @pytest.mark.parametrize(
        "command", [("active",), ("trigger", "--yes"), ("trigger", "--dry-run"), ("list",)]
    )
    def test_are_reported_with_exit_code_1(
        self, server: SimulatedBackupify, run: Run, command: tuple[str, ...]
    ) -> None:
        result = run(*command, "--all")
        assert (result.code, "broke off" in result.err) == (1, False)
        assert "--all: the server lists no instances for these credentials\n" in result.err

    @pytest.mark.backupify(instances=3, faults=[Fault.garbage(b"", operation="list_instances")])
    def test_after_an_unreadable_list_are_exit_code_1(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("trigger", "--all", "--yes")
        assert (result.code, server.triggers) == (1, {})
        assert "the list of all instances ended early" in result.err


@pytest.mark.slow
class TestCommand:
    @pytest.mark.backupify(instances=3)
    @pytest.mark.parametrize("invisible", INVISIBLE)
    def test_invisible_characters_around_an_id_are_not_sent(
        self, server: SimulatedBackupify, run: Run, invisible: str
    ) -> None:
        result = run("trigger", f"{invisible}2{invisible}", "-q", "-o", "csv")
        assert (result.code, result.rows[1].split(",")[:2]) == (0, ["2", "started"])
        assert set(server.triggers) == {2}

    @pytest.mark.backupify(instances=3)
    def test_a_file_with_an_invalid_line_triggers_nothing(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path
    ) -> None:
        file = tmp_path / "ids.txt"
        file.write_text("1\n2\u200b3\n")
        result = run("trigger", "--ids-file", str(file), "--yes")
        assert (result.code, result.out, server.triggers) == (2, "", {})
        assert f"{file}, line 2: an id must not hold invisible characters" in result.err

    @pytest.mark.backupify(instances=3)
    def test_stdin_is_read_to_its_end(self, server: SimulatedBackupify) -> None:
        with process("active", "--ids-file", "-", "-o", "csv", "--ordered", stdin=-1) as started:
            out, _err = started.communicate("3\n# two\n1\n")
        assert [row.split(",")[0] for row in out.splitlines()[1:]] == ["3", "1"]

    @pytest.mark.backupify(instances=3)
    def test_stdin_can_be_non_blocking(self, server: SimulatedBackupify) -> None:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)  # the process that starts a command shares its stdin, with its mode
        with process("active", "--ids-file", "-", "-o", "csv", "--ordered", stdin=reader) as started:
            os.close(reader)
            assert started.stdout is not None
            os.write(writer, b"3\n")
            rows = [started.stdout.readline().rstrip() for _ in range(2)]  # the second read finds nothing yet
            os.write(writer, b"1\n")
            os.close(writer)
            result = finish(started)
        assert [row.split(",")[0] for row in [*rows, *result.rows]] == ["instance_id", "3", "1"]

    def test_a_closed_stdin_is_reported(self, server: SimulatedBackupify) -> None:
        command = f"'{COMMAND[0]}' -m backupify_async._cli active --ids-file - <&-"
        ended = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
        assert ended.returncode == 2
        assert "stdin: it is closed\n" in ended.stderr

    @pytest.mark.backupify(instances=3)
    def test_ids_before_an_invalid_line_are_done(self, server: SimulatedBackupify) -> None:
        with process("active", "--ids-file", "-", "-o", "csv", stdin=-1) as started:
            out, err = started.communicate("3\n\n1 2\n")
        assert (started.returncode, len(out.splitlines())) == (2, 2)
        assert "stdin, line 3: expected one id per line, found '1 2'; stopped reading before this line" in err
        assert "active: 1 succeeded (1 idle), 0 failed, the ids ended early; " in err

    def test_a_file_without_ids_is_a_usage_error(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path
    ) -> None:
        file = tmp_path / "ids.txt"
        file.write_text("# none yet\n")
        result = run("active", "--ids-file", str(file))
        assert result.code == 2
        assert f"no ids in {file}\n" in result.err

    @pytest.mark.backupify(instances=250, faults=[Fault.answer(400, operation="list_instances", every=3)])
    def test_a_list_of_all_that_ends_early_is_reported(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("active", "--all", "--rate", "5000", "-o", "csv")
        assert (result.code, len(result.rows)) == (1, 201)
        assert "the list of all instances ended early: " in result.err
        assert "later instances are missing\n" in result.err
