"""Writes rows to stdout as they arrive, and messages and a status line to stderr.

One task does all the writing, so that the status line never mixes with rows on the same terminal: it is
erased before them and redrawn after them. Writes block for as long as a pager does not read, so they run in
threads. What arrives during a write goes out with the next one: one write for a single row, and one for many
at once.
"""

import asyncio
import errno
import os
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TextIO

from backupify_async._cli.daemon_threads import DaemonThread
from backupify_async._cli.descriptors import descriptor, write_all
from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.shutdown import Shutdown
from backupify_async._cli.terminal import understands_escapes
from backupify_async._escaping import printable

_MAX_PENDING = 2**18  # bytes of rows; a command that produces them faster waits
_FLUSH_SECONDS = 2.0  # that an interrupted command waits for stdout to take the last rows
_REDRAW_SECONDS = 0.1  # between two drawings of the status line
_ERASE_LINE = b"\r\x1b[2K"


class Output:
    """The output of a command: `async with Output(shutdown, sys.stdout, sys.stderr) as output`.

    Args:
        shutdown: Is requested when stdout has no reader any more.
        stdout: Where the rows go; None where the process has none.
        stderr: Where messages and the status line go; None where the process has none.

    Attributes:
        footer: Returns what is written after the last row, however the command ends.
        rows_on_terminal: Whether rows go to a terminal.
        takes_rows: Whether rows can still be written.
    """

    def __init__(self, shutdown: Shutdown, stdout: TextIO | None, stderr: TextIO | None) -> None:
        self.footer: Callable[[], str] = lambda: ""
        self._status: Callable[[int], str] | None = None
        self._shutdown = shutdown
        self._stdout, self._stderr = descriptor(stdout), descriptor(stderr)
        self.rows_on_terminal = os.isatty(self._stdout)
        self._shows_status = os.isatty(self._stderr) and understands_escapes()
        self._encoding = "utf-8" if stderr is None else stderr.encoding
        self._stdout_thread, self._stderr_thread = DaemonThread("stdout"), DaemonThread("stderr")
        self._rows: list[bytes] = []
        self._fallback: list[str] = []
        self._pending = 0
        self._messages: list[str] = []
        self._work, self._room = asyncio.Event(), asyncio.Event()
        self.takes_rows = True
        self._closing = self._drawn = False
        self._drawn_at = 0.0
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._writer = asyncio.create_task(self._write(), name="output")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.takes_rows and (footer := self.footer().encode()):
            self._rows.append(footer)
            self._pending += len(footer)
        self._closing = True
        self._work.set()
        try:
            await self._finish(None if self._shutdown.code is None else _FLUSH_SECONDS)
        except asyncio.CancelledError:
            await self._finish(_FLUSH_SECONDS)
            raise
        finally:
            self._stdout_thread.close()
            self._stderr_thread.close()

    async def rows(self, text: str | bytes, fallback: Sequence[str] = ()) -> None:
        """Write rows to stdout; wait where they arrive faster than stdout takes them.

        Not during a shutdown: the last rows are few, and stdout may take none of them.

        Args:
            text: The rows; a text is written as UTF-8.
            fallback: Messages for stderr where the rows cannot be written.
        """
        if not self.takes_rows:
            for line in fallback:
                self.message(line)
        if not self.takes_rows or not text:
            return
        data = text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")
        self._rows.append(data)
        self._fallback += fallback
        self._pending += len(data)
        self._work.set()
        while self._pending > _MAX_PENDING and self.takes_rows and self._shutdown.code is None:
            self._room.clear()
            await self._room.wait()

    def message(self, line: str) -> None:
        """Write one line to stderr, with control characters escaped."""
        self._messages.append(printable(line))
        self._work.set()

    def show_status(self, status: Callable[[int], str]) -> None:
        """Show a status line on stderr from now on, if that is a terminal.

        Args:
            status: Returns the text, given the number of columns.
        """
        if self._shows_status:
            self._status = status
            self._work.set()

    async def _write(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_REDRAW_SECONDS if self._status is not None else None):
                    await self._work.wait()
            except TimeoutError:
                pass
            self._work.clear()
            await self._write_pending()
            if self._closing and not self._rows and not self._messages:
                await self._erase()  # it may have been drawn since
                return

    async def _write_pending(self) -> None:
        """Write what there is by now: rows first, since a message may be about them."""
        rows, self._rows = b"".join(self._rows), []
        fallback, self._fallback = self._fallback, []
        messages = len(self._messages)
        if messages or (rows and self.rows_on_terminal):
            await self._erase()
        if rows:
            await self._write_rows(rows, fallback)
        if messages:
            await self._write_messages(self._messages[:messages])
            del self._messages[:messages]
        await self._draw()

    async def _write_rows(self, rows: bytes, fallback: list[str]) -> None:
        try:
            await self._stdout_thread.call(write_all, self._stdout, rows)
        except OSError as error:
            self.takes_rows = False
            for line in fallback:
                self.message(line)
            if error.errno == errno.EPIPE:
                self._shutdown.request(ExitCode.CLOSED_PIPE)
            else:
                self._shutdown.request(ExitCode.SOME_FAILED, f"stdout: {error.strerror}")
        self._pending -= len(rows)
        self._room.set()

    async def _write_messages(self, messages: list[str]) -> None:
        text = "".join(f"{line}\n" for line in messages)
        await self._write_stderr(text.encode(self._encoding, "backslashreplace"))

    async def _write_stderr(self, data: bytes) -> None:
        try:
            await self._stderr_thread.call(write_all, self._stderr, data)
        except OSError:
            self._status = None  # stderr has no reader

    async def _erase(self) -> None:
        if self._drawn:
            self._drawn = False
            await self._write_stderr(_ERASE_LINE)

    async def _draw(self) -> None:
        now = time.monotonic()
        due = not self._drawn or now - self._drawn_at >= _REDRAW_SECONDS
        if self._status is None or self._closing or not due:
            return
        try:
            columns = os.get_terminal_size(self._stderr).columns or 80
        except OSError:  # the terminal was closed
            columns = 80
        self._drawn, self._drawn_at = True, now
        await self._write_stderr(_ERASE_LINE + self._status(columns - 1).encode(self._encoding, "replace"))

    async def _finish(self, timeout: float | None) -> None:  # noqa: ASYNC109 - on time-out it ends otherwise
        """Wait until everything is written, or until the time-out."""
        assert self._writer is not None  # noqa: S101 - it was entered
        await asyncio.wait([self._writer], timeout=timeout)
        if self._writer.done():
            return self._writer.result()
        self._writer.cancel()
        messages = [*self._messages, "stdout is blocked: the last rows were not written"]
        await asyncio.wait([asyncio.create_task(self._write_messages(messages))], timeout=_FLUSH_SECONDS)
        return None
