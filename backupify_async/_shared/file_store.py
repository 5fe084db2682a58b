"""The store of one machine: files in a directory, and a lock that is held for a quarter of a millisecond.

    KEY.lock                 locked by `flock` during a turn, with no `await` in between
    KEY.limit, KEY.TOKEN     the values
    KEY.limit.broken-UTC     a value that could not be read
    KEY.members/             a socket for each member, by which the others wake it

A turn runs in the event loop: a thread would take longer to reach than the turn takes. The clock is
CLOCK_MONOTONIC, which all processes of one boot of a machine share.
"""

import asyncio
import contextlib
import errno
import logging
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from backupify_async._shared.directory import FileAccess, make_inner_directory, prepare_directory
from backupify_async._shared.machine import boot_id, require_process, require_unix
from backupify_async._shared.store import (
    LIMIT,
    TOKEN,
    BadRecord,
    Change,
    Stored,
    StoreMisused,
    StoreUnavailable,
    note_put_aside,
)
from backupify_async._shared.value_file import Content, ValueFile
from backupify_async._shared.wakeups import Wakeups
from backupify_async.errors import ConfigurationError

if sys.platform != "win32":
    import fcntl

_LOGGER = logging.getLogger("backupify_async.shared")
_PATIENCE = 0.9  # seconds for the lock, of the second that a turn can take
_FIRST_WAIT = 0.000_5  # seconds between tries to lock, doubled each time
_LONGEST_WAIT = 0.003
_SAME_TIME = 60.0  # seconds: another boot that wrote as recently as this is another machine, not a reboot


@attrs.frozen
class _Files:
    """The open lock of a directory, and who can use the files in it."""

    lock: int
    device: int
    inode: int
    access: FileAccess


class FileStore:
    """A `StateStore` in a directory, for the processes of one machine.

    Args:
        directory: The directory; created if it is missing, for this user alone.
        key: A name for what is shared: letters and digits.
        token: The name of the token: another one for each client id.
        boot: The boot id of this machine; read from the system by default.
    """

    def __init__(self, directory: Path, key: str, *, token: str = "token", boot: str | None = None) -> None:  # noqa: S107
        self._directory = directory.expanduser().absolute()
        self._key = key
        self._boot = boot
        self._lock = self._directory / f"{key}.lock"
        self._members = self._directory / f"{key}.members"
        names = {LIMIT: LIMIT, TOKEN: token}
        self._paths = {name: self._directory / f"{key}.{stored}" for name, stored in names.items()}
        self._pid = 0  # of the process that opened it
        self._files: _Files | None = None
        self._recreate = False  # the directory, if it is removed
        self._newer: set[str] = set()  # names for which a value of a later release was put aside
        self._wakeups: Wakeups | None = None

    def __repr__(self) -> str:
        return f"FileStore({str(self._directory)!r}, {self._key!r})"

    async def open(self, on_change: Callable[[], None]) -> None:
        """Check the directory, and listen for announcements.

        Raises:
            ConfigurationError: The directory cannot be used, or is on a network disk; the message says what
                to do.
        """
        require_unix()
        self._boot = self._boot or boot_id()
        self._pid = os.getpid()
        self._wakeups = Wakeups(self._members, tuple(self._paths.values()), on_change)
        try:
            self._open_files(create=True)
            self._require_one_machine()
        except StoreMisused as error:
            await self.close()
            raise ConfigurationError(str(error)) from None
        except PermissionError as error:
            await self.close()
            raise ConfigurationError(
                f"{self._directory} cannot be shared ({error.strerror}): files of another user are in it; "
                "remove them, and make it writable by a group with all its users (mode 0770)"
            ) from None
        except ConfigurationError:
            await self.close()
            raise
        except OSError as error:  # the first turn tries again
            _LOGGER.warning("%s cannot be used at present: %s", self._directory, error.strerror)

    async def turn(self, name: str, change: Change) -> None:
        """Change a value. See `StateStore`."""
        deadline = time.monotonic() + _PATIENCE
        wait = _FIRST_WAIT
        while not self._turn_now(name, change):
            if time.monotonic() > deadline:
                raise StoreUnavailable(f"{self._lock} was locked by other processes for a second")
            await asyncio.sleep(random.uniform(0.5, 1.0) * wait)
            wait = min(2.0 * wait, _LONGEST_WAIT)

    async def announce(self) -> None:
        """Wake the other members."""
        require_process(self._pid)
        if self._wakeups is not None:
            try:
                self._wakeups.wake_others()
            except OSError as error:
                self._close_files()  # the next turn opens them again
                raise StoreUnavailable(f"{self._members} was removed: {error.strerror}") from None

    async def close(self) -> None:
        """Stop listening. The files stay."""
        files, self._files = self._files, None
        if files is not None:
            os.close(files.lock)
        if self._wakeups is not None:
            self._wakeups.close()

    def _turn_now(self, name: str, change: Change) -> bool:
        """Take a turn; False if another process has the lock, or has replaced it."""
        require_process(self._pid)
        with self._available():
            if self._files is None:
                self._open_files(create=self._recreate)
            files = self._files
            assert files is not None  # noqa: S101 - for mypy
            try:
                fcntl.flock(files.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        try:
            with self._available():
                if not self._is_current(files):
                    self._close_files()
                    return False
            self._change(name, change, files.access)
        finally:
            if self._files is files:  # closing it unlocks it as well
                fcntl.flock(files.lock, fcntl.LOCK_UN)
        return True

    def _change(self, name: str, change: Change, access: FileAccess) -> None:
        file, content = ValueFile(self._paths[name]), None
        try:
            with self._available():
                try:
                    content = file.read()
                except BadRecord as bad:
                    self._put_aside(name, file, bad)
            boots = self._boots(content)
            try:
                value = change(self._stored(content))
            except BadRecord as bad:
                with self._available():
                    self._put_aside(name, file, bad)
                content = None
                value = change(self._stored(None))
            if value is not None:
                sequence = 1 if content is None else content.sequence + 1
                with self._available():
                    file.write(Content(value, boots, time.time(), sequence), access)
                    if self._wakeups is not None:
                        self._wakeups.on_write()
        finally:
            file.close()

    def _stored(self, content: Content | None) -> Stored:
        value = None if content is None else content.value
        return Stored(value, time.monotonic(), self._boot or "", time.time())

    def _boots(self, content: Content | None) -> tuple[str, ...]:
        """The boots to write, the latest one first.

        Raises:
            StoreMisused: Another machine writes to this directory too: an earlier boot is back while a later
                one goes on.
        """
        boot = self._boot or ""
        if content is None:
            return (boot,)
        if boot in content.boots[1:] and abs(time.time() - content.wall) < _SAME_TIME:
            raise StoreMisused(
                f"several machines write to {self._directory}: the path is on a network disk. Name a "
                "directory on a disk of this machine (/run/backupify), or share by a Redis server"
            )
        return (boot, *(other for other in content.boots if other != boot))

    def _require_one_machine(self) -> None:
        for path in self._paths.values():
            with contextlib.suppress(BadRecord), contextlib.closing(ValueFile(path)) as file:
                self._boots(file.read())  # a bad one is put aside by the turn

    def _put_aside(self, name: str, file: ValueFile, bad: BadRecord) -> None:
        file.put_aside(bad)
        note_put_aside(self._newer, name, bad, str(self._directory))

    def _open_files(self, *, create: bool) -> None:
        access = prepare_directory(self._directory, create=create)
        lock, made = self._open_lock(access)
        try:
            if made:
                access.grant_open(lock)
            found = os.fstat(lock)
            make_inner_directory(self._members, access)
        except BaseException:
            os.close(lock)
            raise
        self._files = _Files(lock, found.st_dev, found.st_ino, access)
        self._recreate = access.private and access.user < 0  # else its owner knows how
        if self._wakeups is not None:
            self._wakeups.open(access)

    def _open_lock(self, access: FileAccess) -> tuple[int, bool]:
        """The descriptor of the lock file, and whether this process created it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            return os.open(self._lock, flags | os.O_EXCL, access.mode), True
        except FileExistsError:
            pass
        try:
            return os.open(self._lock, flags, access.mode), False
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR):
                raise ConfigurationError(f"{self._lock} is not a regular file: remove it") from None
            raise

    def _close_files(self) -> None:
        if self._files is not None:
            os.close(self._files.lock)
            self._files = None

    def _is_current(self, files: _Files) -> bool:
        """Whether the lock is still the one that other processes find by its name."""
        try:
            found = self._lock.lstat()
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == (files.device, files.inode)

    @contextlib.contextmanager
    def _available(self) -> Iterator[None]:
        """Raise what the system and the directory refuse at present as `StoreUnavailable`."""
        try:
            yield
        except OSError as error:
            raise StoreUnavailable(f"{self._directory} cannot be used: {error.strerror}") from None
        except ConfigurationError as error:
            raise StoreUnavailable(str(error)) from None
