"""What a command writes: rows to stdout as they come, lines and a status to stderr.

Theory of operation. One task, the printer, does all the writing, so that a status line on a terminal never
mixes with rows on the same terminal: it is erased before them and drawn anew behind. The writing itself
blocks for as long as a pager is not read, and happens in threads. What comes while a write is under way
waits and leaves with the next: one write for a row that comes alone, one for many that come at once.
"""

import asyncio
import errno
import os
import select
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TextIO

from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.interrupts import Stop
from backupify_async._cli.terminal import understands_escapes
from backupify_async._cli.threads import DaemonThread
from backupify_async._escaping import printable

_HELD = 2**18  # bytes of rows that may wait; a command that makes them faster waits too
_PATIENCE = 2.0  # seconds that a stopped command gives stdout to take the last rows
_TICK = 0.1  # seconds between two drawings of the status
_ERASE = b"\r\x1b[2K"


def descriptor(stream: TextIO | None) -> int:
    """The file descriptor of a standard stream; of the null device where there is none.

    A program started with its stdout closed has None for it, and the number 1 may be a socket by now.
    """
    return os.open(os.devnull, os.O_WRONLY) if stream is None else stream.fileno()


def write_all(number: int, data: bytes) -> None:
    """Write to a file descriptor to the last byte, also to one that is non-blocking.

    Raises:
        OSError: It cannot be written to.
    """
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(number, left) :]
        except BlockingIOError:  # stdout is shared with whoever started us, and so is its mode
            select.select([], [number], [])


class Output:
    """The two streams of a command: `async with Output(stop, sys.stdout, sys.stderr) as output`.

    Args:
        stop: Is asked to end the command when nobody reads stdout any more.
        stdout: Where the rows go; None where the process has none.
        stderr: Where the lines and the status go, likewise.

    """

    def __init__(self, stop: Stop, stdout: TextIO | None, stderr: TextIO | None) -> None:
        self._status: Callable[[int], str] | None = None
        self._stop = stop
        self._stdout, self._stderr = descriptor(stdout), descriptor(stderr)
        self._one_terminal = os.isatty(self._stdout)
        self._can_show = os.isatty(self._stderr) and understands_escapes()
        self._encoding = "utf-8" if stderr is None else stderr.encoding
        self._row_thread, self._line_thread = DaemonThread("stdout"), DaemonThread("stderr")
        self._rows: list[bytes] = []
        self._instead: list[str] = []
        self._held = 0
        self._lines: list[str] = []
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._closing = self._failed = self._shown = False
        self._drawn_at = 0.0
        self._printer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._printer = asyncio.create_task(self._print(), name="printer")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._news.set()
        try:
            await self._finish(None if self._stop.code is None else _PATIENCE)
        except asyncio.CancelledError:
            await self._finish(_PATIENCE)
            raise
        finally:
            self._row_thread.close()
            self._line_thread.close()

    @property
    def takes_rows(self) -> bool:
        """Whether rows still reach somebody."""
        return not self._failed

    async def rows(self, data: bytes, instead: Sequence[str] = ()) -> None:
        """Write rows to stdout; waits where stdout takes them more slowly than they come.

        Not once the command is to end: what is left is little, and stdout may take no more at all.

        Args:
            data: The rows.
            instead: What is said on stderr where they cannot be written.
        """
        if self._failed:
            for line in instead:
                self.say(line)
        if self._failed or not data:
            return
        self._rows.append(data)
        self._instead += instead
        self._held += len(data)
        self._news.set()
        while self._held > _HELD and not self._failed and self._stop.code is None:
            self._room.clear()
            await self._room.wait()

    def say(self, line: str) -> None:
        """Write one line to stderr, whatever characters it holds."""
        self._lines.append(printable(line))
        self._news.set()

    def show(self, status: Callable[[int], str]) -> None:
        """Show a status on stderr from now on, if that is a terminal.

        Args:
            status: Gives its text, in so many columns.
        """
        if self._can_show:
            self._status = status
            self._news.set()

    async def _print(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_TICK if self._status is not None else None):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            await self._turn()
            if self._closing and not self._rows and not self._lines:
                await self._erase()  # it may have been drawn while the end came
                return

    async def _turn(self) -> None:
        """Write what there is by now: the rows first, for a line may speak of them."""
        rows, self._rows = b"".join(self._rows), []
        instead, self._instead = self._instead, []
        lines = len(self._lines)
        if lines or (rows and self._one_terminal):
            await self._erase()
        if rows:
            await self._write_rows(rows, instead)
        if lines:
            await self._write_lines(self._lines[:lines])
            del self._lines[:lines]
        await self._draw()

    async def _write_rows(self, rows: bytes, instead: list[str]) -> None:
        try:
            await self._row_thread.call(write_all, self._stdout, rows)
        except OSError as error:
            self._failed = True
            for line in instead:
                self.say(line)
            if error.errno == errno.EPIPE:
                self._stop.request(ExitCode.CLOSED_PIPE)
            else:
                self._stop.request(ExitCode.SOME_FAILED, f"stdout: {error.strerror}")
        self._held -= len(rows)
        self._room.set()

    async def _write_lines(self, lines: list[str]) -> None:
        await self._to_stderr(
            "".join(f"{line}\n" for line in lines).encode(self._encoding, "backslashreplace")
        )

    async def _to_stderr(self, data: bytes) -> None:
        try:
            await self._line_thread.call(write_all, self._stderr, data)
        except OSError:
            self._status = None  # nobody is there to read it, and nobody to tell

    async def _erase(self) -> None:
        if self._shown:
            self._shown = False
            await self._to_stderr(_ERASE)

    async def _draw(self) -> None:
        now = time.monotonic()
        due = not self._shown or now - self._drawn_at >= _TICK
        if self._status is None or self._closing or not due:
            return
        try:
            columns = os.get_terminal_size(self._stderr).columns or 80
        except OSError:  # it was hung up
            columns = 80
        self._shown, self._drawn_at = True, now
        await self._to_stderr(_ERASE + self._status(columns - 1).encode(self._encoding, "replace"))

    async def _finish(self, patience: float | None) -> None:
        """Wait until all is written, or for as long as it is worth."""
        assert self._printer is not None  # noqa: S101 - it was entered
        await asyncio.wait([self._printer], timeout=patience)
        if self._printer.done():
            return self._printer.result()
        self._printer.cancel()
        lines = [*self._lines, "stdout takes no more: the last rows are not written"]
        await asyncio.wait([asyncio.create_task(self._write_lines(lines))], timeout=_PATIENCE)
        return None
