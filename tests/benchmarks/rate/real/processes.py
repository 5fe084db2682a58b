"""Starts a throttle with a backend behind it, waits until it listens, and stops both."""

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
_STARTING, _STOPPING, _LOOK_EVERY = 30.0, 5.0, 0.02  # seconds


class CannotStart(Exception):
    """A throttle does not listen; the message is its own last word."""


@contextlib.contextmanager
def running(throttle: Throttle, packages: Path) -> Iterator[str]:
    """Start a throttle, and stop it.

    Args:
        throttle: Which one.
        packages: Where what it needs was installed.

    Returns:
        The base URL of the API behind it.

    Raises:
        CannotStart: It does not listen.
    """
    with tempfile.TemporaryDirectory() as at, server.running() as backend:
        folder, port = Path(at), free_port()
        folder.chmod(0o755)  # a server that gives up its rights still reads there
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
        with _started(command, environ, port, folder / "said"):
            yield f"http://127.0.0.1:{port}/{throttle.service}ms/1pages"


def free_port() -> int:
    """A port on 127.0.0.1 on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


def _build(command: list[str], environ: Mapping[str, str], folder: Path) -> None:
    where = folder if folder.is_dir() else None
    done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=where, check=False)
    if done.returncode:
        raise CannotStart(_last_line(done.stderr))


@contextlib.contextmanager
def _started(command: list[str], environ: Mapping[str, str], port: int, said: Path) -> Iterator[None]:
    with said.open("wb") as output:
        # A session of its own: a server that has workers is stopped with all of them.
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environ, start_new_session=True)
    try:
        _wait_until_it_listens(process, port, said)
        yield
    finally:
        _stop(process)


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int, said: Path) -> None:
    give_up = time.monotonic() + _STARTING
    while process.poll() is None and time.monotonic() < give_up:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(_LOOK_EVERY)
    raise CannotStart(_last_line(said.read_text(errors="replace")))


def _stop(process: "subprocess.Popen[bytes]") -> None:
    for how, patience in ((signal.SIGTERM, _STOPPING), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            return


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line and not line[0].isspace()]  # the rest is a trace
    return lines[-1] if lines else "it does not listen, and says nothing"
