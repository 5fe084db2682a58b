"""The command line as a process: with pipes, and on a pseudo-terminal."""

import codecs
import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from typing import Self

import attrs

COMMAND = (sys.executable, "-m", "backupify_async._cli")
PATIENCE = 60.0


@attrs.frozen
class Result:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[str]:
        return self.out.splitlines()


@contextlib.contextmanager
def process(*arguments: str, **options: object) -> Iterator[subprocess.Popen[str]]:
    """A running command whose streams are pipes; it is killed if it still runs at the end of the block."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    with subprocess.Popen([*COMMAND, *arguments], text=True, **streams) as started:  # type: ignore[call-overload]
        try:
            yield started
        finally:
            if started.poll() is None:
                started.kill()


def finish(started: subprocess.Popen[str]) -> Result:
    """Read to the end."""
    out, err = started.communicate(timeout=PATIENCE)
    return Result(started.returncode, out or "", err or "")


@attrs.define
class Terminal:
    """A command on a pseudo-terminal of some columns; `seen` is all that it has shown."""

    arguments: tuple[str, ...]
    columns: int = 100
    stdout: int | None = None
    blocking: bool = True
    environment: dict[str, str] = attrs.field(factory=dict)
    seen: str = ""
    _master: int = -1
    _decoder: codecs.IncrementalDecoder = attrs.field(
        init=False, factory=codecs.getincrementaldecoder("utf-8")
    )
    process: "subprocess.Popen[bytes]" = attrs.field(init=False)

    def __enter__(self) -> Self:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, self.columns, 0, 0))
        os.set_blocking(slave, self.blocking)
        environment = {**os.environ, "TERM": "xterm", **self.environment}
        self.process = subprocess.Popen(
            [*COMMAND, *self.arguments],
            stdin=slave,
            stdout=slave if self.stdout is None else self.stdout,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self._master >= 0:
            os.close(self._master)

    def expect(self, text: str) -> None:
        """Read until this has been shown."""
        while text not in self.seen:
            assert self._read(), f"{text!r} was not shown: {self.seen!r}"

    def hang_up(self) -> None:
        """Close the terminal: the kernel and the shell send a SIGHUP each, and writes fail."""
        self.process.send_signal(signal.SIGHUP)
        os.close(self._master)
        self._master = -1
        self.process.send_signal(signal.SIGHUP)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def end(self) -> int:
        """Read to the end, and return the exit code."""
        while self._read():
            pass
        return self.process.wait(timeout=PATIENCE)

    def _read(self) -> bool:
        """Read once; return whether there was anything."""
        try:
            piece = os.read(self._master, 65_536)
        except OSError:  # Linux: the last process has closed the terminal
            return False
        self.seen += self._decoder.decode(piece)  # a character can be split between two reads
        return bool(piece)
