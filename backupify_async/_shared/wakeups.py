"""Wakes the other members of a file store, by a datagram to the socket of each.

A datagram says only that something happened, so it does not matter if several become one, or if one is lost
because the buffer of its receiver is full. Sockets that members leave behind when they are killed are removed
by others.

A path that is too long for a socket is shortened by way of `/proc/self/fd`. Where there can be no socket at
all (a file system without them, or a long path on macOS), a member looks at the files several times a second.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from backupify_async._shared.directory import FileAccess

_LOGGER = logging.getLogger("backupify_async.shared")
_LONGEST_PATH = 107 if sys.platform == "linux" else 103  # bytes, without the final NUL
_ABANDONED_AFTER = 10.0  # seconds: a socket is refused for a moment while it is bound
_CLOCK_TICK = 50_000_000  # ns: a directory that changes twice within a tick of its clock has one time
_POLL_EVERY = 0.1  # seconds


class Wakeups:
    """The socket of this member, and those of the others.

    Args:
        directory: Where the sockets are.
        watched: The files to look at where there can be no socket.
        on_change: Called in the event loop when another member has announced something.
    """

    def __init__(self, directory: Path, watched: tuple[Path, ...], on_change: Callable[[], None]) -> None:
        self._directory = directory
        self._watched = watched
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        self._name = ""
        self._socket: socket.socket | None = None
        self._directory_fd = -1  # open where the path is too long
        self._others: list[str] = []
        self._listed = (-1, 0)  # the time of the directory that was listed, and when
        self._polling: asyncio.TimerHandle | None = None
        self._seen: list[tuple[int, int]] = []

    def open(self, access: FileAccess) -> None:
        """Bind a socket, in place of an earlier one."""
        self.close()
        try:
            self._bind(access)
        except OSError as error:
            self._close_socket()
            _LOGGER.warning(
                "no socket can be made in %s (%s): looking at the files every %g s instead",
                self._directory,
                error.strerror or error,
                _POLL_EVERY,
            )
            self._seen = self._look()
            self._polling = self._loop.call_later(_POLL_EVERY, self._poll)
        self._remove_abandoned()

    def wake_others(self) -> None:
        """Send to each other member.

        Raises:
            OSError: The directory is gone.
        """
        if self._socket is None:
            return  # the others notice by looking, as this one does
        for name in self._names_of_others():
            try:
                self._socket.sendto(b"!", self._address(name))
            except ConnectionRefusedError:
                self._remove_if_abandoned(name)
            except OSError:  # its buffer is full of wake-ups, or it has just ended
                continue

    def on_write(self) -> None:
        """Record that this member itself has changed a file, under the lock."""
        if self._polling is not None:
            self._seen = self._look()

    def close(self) -> None:
        """Stop listening, and remove the socket. After a fork, those of the other process stay."""
        if self._polling is not None:
            self._polling.cancel()
            self._polling = None
        self._close_socket()

    def _bind(self, access: FileAccess) -> None:
        self._name = f"{self._pid}-{secrets.token_hex(4)}.sock"
        if len(os.fsencode(self._directory / self._name)) > _LONGEST_PATH and sys.platform == "linux":
            self._directory_fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket = made
        made.setblocking(False)
        made.bind(self._address(self._name))
        access.grant(self._directory / self._name)
        self._loop.add_reader(made.fileno(), self._receive)

    def _address(self, name: str) -> str:
        if self._directory_fd >= 0:
            return f"/proc/self/fd/{self._directory_fd}/{name}"
        return str(self._directory / name)

    def _receive(self) -> None:
        """Call `on_change` once for all datagrams that have arrived."""
        assert self._socket is not None  # noqa: S101 - for mypy
        with contextlib.suppress(OSError):  # BlockingIOError: that was the last one
            while True:
                self._socket.recv(16)
        self._on_change()

    def _names_of_others(self) -> list[str]:
        """The sockets of the others. The directory is read only after a member has come or gone."""
        changed = self._directory.stat().st_mtime_ns
        known, listed_at = self._listed
        if changed != known or listed_at - known < _CLOCK_TICK:
            names = [path.name for path in self._directory.glob("*.sock")]
            self._listed = (changed, time.time_ns())
            self._others = [name for name in names if name != self._name]
            if len(self._others) == len(names):
                raise FileNotFoundError(2, "the socket of this member was removed")
        return self._others

    def _remove_abandoned(self) -> None:
        """Remove the sockets of members that were killed."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            for path in self._directory.glob("*.sock"):
                try:
                    probe.connect(self._address(path.name))
                except ConnectionRefusedError:
                    self._remove_if_abandoned(path.name)
                except OSError:
                    continue

    def _remove_if_abandoned(self, name: str) -> None:
        path = self._directory / name
        with contextlib.suppress(OSError):
            if abs(time.time() - path.lstat().st_mtime) > _ABANDONED_AFTER:
                path.unlink()

    def _look(self) -> list[tuple[int, int]]:
        seen = []
        for path in self._watched:
            try:
                found = path.stat()
            except OSError:
                seen.append((0, 0))
            else:
                seen.append((found.st_ino, found.st_mtime_ns))
        return seen

    def _poll(self) -> None:
        self._polling = self._loop.call_later(_POLL_EVERY, self._poll)
        seen = self._look()
        if seen != self._seen:
            self._seen = seen
            self._on_change()

    def _close_socket(self) -> None:
        made, self._socket = self._socket, None
        if made is not None:
            if os.getpid() == self._pid:  # a child shares the selector of its parent
                if not self._loop.is_closed():
                    self._loop.remove_reader(made.fileno())
                with contextlib.suppress(OSError):
                    (self._directory / self._name).unlink()
            made.close()
        if self._directory_fd >= 0:
            os.close(self._directory_fd)
            self._directory_fd = -1
