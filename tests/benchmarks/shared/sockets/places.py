"""Where members share, and what can happen there."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import attrs

from tests.support.redis_server import RedisServer, redis_server

_JUNK = b"\0" * 500


class Place(Protocol):
    """A store."""

    name: str

    @property
    def location(self) -> str | None:
        """As `SharedState` takes it; None for none."""
        ...

    def empty(self) -> None:
        """Remove what is stored."""
        ...

    def hang(self) -> None:
        """Let no turn end."""
        ...

    def go_on(self) -> None:
        """End a `hang`."""
        ...


@attrs.define
class Nowhere:
    """Members that do not share."""

    name: str = "not shared"
    location: None = None

    def empty(self) -> None:
        """Nothing is stored."""

    def hang(self) -> None:
        """Nothing can hang."""

    def go_on(self) -> None:
        """Nothing hung."""


@attrs.define
class Directory:
    """A file store."""

    path: Path
    name: str = "file"
    _locks: list[int] = attrs.field(factory=list)

    @property
    def location(self) -> str:
        return str(self.path)

    def _files(self, suffix: str) -> list[Path]:
        return [*self.path.glob(f"*.{suffix}")]

    def empty(self) -> None:
        for path in self._files("limit"):
            path.unlink()

    def tear(self) -> None:
        """Write over a part of what is stored."""
        for path in self._files("limit"):
            with path.open("r+b") as file:
                file.write(_JUNK)

    def hang(self) -> None:
        for path in self._files("lock"):
            self._locks.append(lock := os.open(path, os.O_RDWR))
            fcntl.flock(lock, fcntl.LOCK_EX)

    def go_on(self) -> None:
        while self._locks:
            os.close(self._locks.pop())


@attrs.define
class Server:
    """A Redis server."""

    redis: RedisServer
    name: str = "Redis"

    @property
    def location(self) -> str:
        return self.redis.url

    def empty(self) -> None:
        self.redis.command("FLUSHALL")

    def flush_scripts(self) -> None:
        """Forget the scripts."""
        self.redis.command("SCRIPT", "FLUSH")

    def hang(self) -> None:
        self.redis.stop()

    def go_on(self) -> None:
        self.redis.go_on()


@contextlib.contextmanager
def directory() -> Iterator[Directory]:
    """A new file store."""
    with tempfile.TemporaryDirectory() as path:
        yield Directory(Path(path) / "shared")


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """A new Redis server."""
    with tempfile.TemporaryDirectory() as path, redis_server(Path(path)) as redis:
        yield Server(redis)


@contextlib.contextmanager
def nowhere() -> Iterator[Nowhere]:
    """No store."""
    yield Nowhere()
