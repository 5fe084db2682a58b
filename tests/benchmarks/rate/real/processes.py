"""Starts a throttle in front of a backend, waits until it listens, and stops both."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.benchmarks.rate.real.throttles import Throttle
from tests.benchmarks.speed import server

_SOURCES = Path(__file__).parent / "sources"
_STARTING, _STOPPING, _POLL_INTERVAL = 30.0, 5.0, 0.02  # seconds


class CannotStart(Exception):
    """A throttle does not listen. The message is the last line that it printed."""


@contextlib.contextmanager
def running(throttle: Throttle, packages: Path) -> Iterator[str]:
    """Start a throttle, and stop it.

    Args:
        throttle: The throttle.
        packages: Where its packages are installed.

    Returns:
        The base URL of the API behind it.

    Raises:
        CannotStart: It does not listen.
    """
    with tempfile.TemporaryDirectory() as at, server.running() as backend:
        folder, port = Path(at), free_port()
        folder.chmod(0o755)  # also for a server that drops its privileges
        config = folder / throttle.software.source
        config.write_text(throttle.config(port, backend.port))
        fields = {
            "folder": at,
            "config": str(config),
            "source": str(_SOURCES / throttle.software.source),
            "port": str(port),
            "settings": json.dumps(dict(throttle.settings)),
        }
        environ = throttle.needs.environ(packages)
        build, command = (
            [part.format_map(fields) for part in parts]
            for parts in (throttle.software.build, throttle.software.command)
        )
        if build:
            _build(build, environ, throttle.needs.folder(packages))
        with _started(command, environ, port, folder / "output"):
            yield f"http://127.0.0.1:{port}/{throttle.service}ms/1pages"


def free_port() -> int:
    """A free port of 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


def _build(command: list[str], environ: Mapping[str, str], folder: Path) -> None:
    where = folder if folder.is_dir() else None
    done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=where, check=False)
    if done.returncode:
        raise CannotStart(_last_line(done.stderr))


@contextlib.contextmanager
def _started(command: list[str], environ: Mapping[str, str], port: int, output: Path) -> Iterator[None]:
    with output.open("wb") as file:
        # A new session: a server that has workers is stopped with all of them.
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environ, start_new_session=True)
    try:
        _wait_until_it_listens(process, port, output)
        yield
    finally:
        _stop(process)


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int, output: Path) -> None:
    deadline = time.monotonic() + _STARTING
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(_POLL_INTERVAL)
    raise CannotStart(_last_line(output.read_text(errors="replace")))


def _stop(process: "subprocess.Popen[bytes]") -> None:
    for number, timeout in ((signal.SIGTERM, _STOPPING), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout)
            return


def _last_line(text: str) -> str:
    lines = [
        line for line in text.splitlines() if line and not line[0].isspace()
    ]  # the rest is a stack trace
    return lines[-1] if lines else "it does not listen, and printed nothing"
