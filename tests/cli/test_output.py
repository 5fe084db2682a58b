"""Rows and messages on stdout and stderr: their order, slow readers and closed pipes."""

import asyncio
import contextlib
import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import attrs
import pytest

from backupify_async._cli import output as output_module
from backupify_async._cli.descriptors import descriptor, write_all
from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.output import Output
from backupify_async._cli.shutdown import Shutdown

PATIENCE = 20.0


@attrs.frozen
class Pipe:
    """A pipe in place of a standard stream."""

    reader: int
    stream: TextIO

    def fill(self) -> None:
        """Write until the pipe is full."""
        os.set_blocking(self.stream.fileno(), False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self.stream.fileno(), b"." * 65_536)
        os.set_blocking(self.stream.fileno(), True)

    def read(self) -> bytes:
        assert select.select([self.reader], [], [], PATIENCE)[0], "nothing was written"
        return os.read(self.reader, 1 << 20)

    def close_reader(self) -> None:
        """Close the reading end, and keep its number in use."""
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, self.reader)
        os.close(nowhere)


@contextlib.contextmanager
def a_pipe() -> Iterator[Pipe]:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb"), os.fdopen(writer, "w", encoding="utf-8") as stream:
        yield Pipe(reader, stream)


@pytest.fixture
def out() -> Iterator[Pipe]:
    with a_pipe() as pipe:
        yield pipe


@pytest.fixture
def err() -> Iterator[Pipe]:
    with a_pipe() as pipe:
        yield pipe


class TestRows:
    async def test_a_single_row_is_written_at_once(self, out: Pipe, err: Pipe) -> None:
        async with Output(Shutdown(None), out.stream, err.stream) as output:
            await output.rows(b"1\n")
            assert await asyncio.to_thread(out.read) == b"1\n"

    async def test_rows_are_written_before_a_message_about_them(self, out: Pipe, err: Pipe) -> None:
        async with Output(Shutdown(None), out.stream, err.stream) as output:
            await output.rows(b"1\n")
            await output.rows(b"")
            await output.rows(b"2\n")
            output.message("done")
            assert await asyncio.to_thread(err.read) == b"done\n"
            assert await asyncio.to_thread(out.read) == b"1\n2\n"

    async def test_a_command_that_writes_faster_than_its_reader_waits(
        self, out: Pipe, err: Pipe, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(output_module, "_MAX_PENDING", 10)
        out.fill()
        async with Output(Shutdown(None), out.stream, err.stream) as output:
            await output.rows(b"." * 10)
            waiting = asyncio.ensure_future(output.rows(b"."))
            for _ in range(20):
                await asyncio.sleep(0)
            assert not waiting.done()
            reading = asyncio.create_task(asyncio.to_thread(out.read))
            await waiting
            await reading

    async def test_a_closed_pipe_stops_the_command_and_further_rows_are_dropped(
        self, out: Pipe, err: Pipe
    ) -> None:
        task = asyncio.create_task(asyncio.Event().wait())
        shutdown = Shutdown(task)
        out.close_reader()
        async with Output(shutdown, out.stream, err.stream) as output:
            await output.rows(b"1\n")
            await asyncio.wait([task])
            await output.rows(b"2\n")
        assert (task.cancelled(), shutdown.code) == (True, ExitCode.CLOSED_PIPE)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    async def test_a_full_disk_is_named(self, out: Pipe, err: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
        task = asyncio.create_task(asyncio.Event().wait())
        shutdown = Shutdown(task)
        with await asyncio.to_thread(open, "/dev/full", "w") as full:
            async with Output(shutdown, full, err.stream) as output:
                await output.rows(b"1\n")
                await asyncio.wait([task])
        assert (shutdown.code, shutdown.message) == (ExitCode.SOME_FAILED, "stdout: No space left on device")


class TestEnd:
    async def test_a_footer_is_written_last_even_if_the_command_fails(self, out: Pipe, err: Pipe) -> None:
        async def command() -> None:
            async with Output(Shutdown(None), out.stream, err.stream) as output:
                output.footer = lambda: "]"
                await output.rows(b"[1")
                raise KeyError

        with pytest.raises(KeyError):
            await command()
        assert await asyncio.to_thread(out.read) == b"[1]"

    async def test_a_closed_stdout_gets_no_footer(self, out: Pipe, err: Pipe) -> None:
        task = asyncio.create_task(asyncio.Event().wait())
        shutdown = Shutdown(task)
        out.close_reader()
        async with Output(shutdown, out.stream, err.stream) as output:
            output.footer = pytest.fail
            await output.rows(b"[")
            await asyncio.wait([task])
        assert shutdown.code is ExitCode.CLOSED_PIPE

    async def test_a_stopped_command_waits_only_briefly_for_a_reader(
        self, out: Pipe, err: Pipe, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(output_module, "_FLUSH_SECONDS", 0.05)
        out.fill()
        shutdown = Shutdown(asyncio.create_task(asyncio.Event().wait()))
        async with Output(shutdown, out.stream, err.stream) as output:
            shutdown.request(ExitCode.INTERRUPTED)
            await output.rows(b"1\n")
            output.message("interrupted")
        messages = await asyncio.to_thread(err.read)
        assert messages == b"interrupted\nstdout is blocked: the last rows were not written\n"

    async def test_a_stopped_command_does_not_wait_to_write_more_rows(
        self, out: Pipe, err: Pipe, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(output_module, "_FLUSH_SECONDS", 0.05)
        monkeypatch.setattr(output_module, "_MAX_PENDING", 1)
        out.fill()
        shutdown = Shutdown(asyncio.create_task(asyncio.Event().wait()))
        async with Output(shutdown, out.stream, err.stream) as output:
            shutdown.request(ExitCode.INTERRUPTED)
            for _ in range(3):
                await output.rows(b"1\n")
        assert b"stdout is blocked" in await asyncio.to_thread(err.read)

    async def test_a_command_stopped_while_it_waits_for_a_reader_ends_too(
        self, out: Pipe, err: Pipe, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(output_module, "_FLUSH_SECONDS", 0.05)
        out.fill()

        async def command() -> None:
            async with Output(Shutdown(None), out.stream, err.stream) as output:
                await output.rows(b"1\n")
                ending.set()

        ending = asyncio.Event()
        task = asyncio.create_task(command())
        await ending.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert b"stdout is blocked" in await asyncio.to_thread(err.read)

    async def test_a_closed_stderr_is_ignored(self, out: Pipe, err: Pipe) -> None:
        err.close_reader()
        async with Output(Shutdown(None), out.stream, err.stream) as output:
            output.message("not read")
            await output.rows(b"1\n")
        assert await asyncio.to_thread(out.read) == b"1\n"


class TestWriteAll:
    def test_a_non_blocking_descriptor_is_waited_for(self, out: Pipe) -> None:
        out.fill()
        number = out.stream.fileno()
        os.set_blocking(number, False)
        writing = threading.Thread(target=write_all, args=(number, b"!" * 100_000))
        writing.start()
        received = b""
        while received.count(b"!") < 100_000:
            received += out.read()
        writing.join()
        assert received.endswith(b"!" * 100_000)

    def test_a_missing_stream_discards_all(self) -> None:
        number = descriptor(None)
        write_all(number, b"lost")
        assert os.path.samestat(os.fstat(number), Path(os.devnull).stat())
        os.close(number)
