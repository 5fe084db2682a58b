"""`Journal`: what a sweep of triggers has done, in a file that outlives the process."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from backupify_async._journal.files import absolute, nothing_at, require_room_for_names, require_writable
from backupify_async._journal.group_commit import GroupCommit
from backupify_async._journal.lines import DONE, Account, EntryState, JournalEntry, Sweep
from backupify_async._tasks import to_its_end
from backupify_async.errors import ConfigurationError, JournalError

if TYPE_CHECKING:
    from filelock import FileLock

    from backupify_async._journal.storage import Storage


class Journal:
    """The journal of one sweep of triggers: `async with Journal("sweep.sqlite") as journal`.

    Given to `fleet.trigger(journal=journal)`, it notes each id as it is read, each trigger before it leaves
    and what became of it. After a crash at any instant, the same two lines go on: what is done is answered
    from the journal, what may have left is looked at, and the rest is triggered.

    A new sweep needs a new file. Two files stand beside it while it is open (`-wal`, `-shm`), and a third
    (`.lock`) stays: they are copied or moved together, and not while it is open. It must be on a local disk.
    You open it, close it, and ask whether it `is_done`; the rest of its methods are the fleet's.

    Args:
        path: The file; it is made where it is missing.
        sweep: What the sweep goes over, in your own words; the journal of another one is then refused.

    Raises:
        ConfigurationError: The extra `journal` is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], *, sweep: str = "") -> None:
        require_extra()
        self._path = Path(path)
        self._sweep = sweep
        self._lock: FileLock | None = None
        self._storage: Storage | None = None
        self._group_commit: GroupCommit | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last_number = self._known_to = self._taken_to = 0  # numbers of lines
        self._read_to_end = False
        self._opening = self._serves = False

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def serves(self) -> bool:
        """Whether a sweep of its account has begun, or gone on, since it was opened."""
        return self._serves

    async def open(self) -> Self:
        """Open the file in the running loop, or make it, and lock it against other processes.

        Raises:
            JournalError: It cannot be used: another process uses it, it is read-only, the disk is full, or it
                is no journal, or that of another sweep or version. The message says what to do.
            ConfigurationError: It is open already.
        """
        if self._opening or self._storage is not None:
            raise ConfigurationError(f"the journal {self._path} is open already")
        self._opening = True
        self._loop = asyncio.get_running_loop()
        try:
            await to_its_end(self._open())
        except asyncio.CancelledError:
            await self.close()
            raise
        finally:
            self._opening = False
        return self

    async def close(self) -> None:
        """Write what is left, and let go of the file. Closing it again does nothing.

        Raises:
            JournalError: What is left cannot be written; the next run looks at these instances.
            ConfigurationError: It is open in another loop.
        """
        if self._storage is not None and asyncio.get_running_loop() is not self._loop:
            raise ConfigurationError(
                f"the journal {self._path} was opened in another event loop: close it there"
            )
        await to_its_end(self._close())

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def counts(self) -> dict[EntryState, int]:
        """How many instances there are of each state, as far as that is written."""
        return await self._opened().counts()

    async def is_done(self) -> bool:
        """Whether all ids of the sweep were read, and each is done.

        Raises:
            JournalError: What is known of it cannot be written, or read.
        """
        await self._writing().flush()
        open_ = set(await self.counts()) - DONE
        return not open_ and (await self._opened().sweep()).read_to_end

    async def begin(self, account: Account) -> Sweep:
        """Begin to serve a sweep; returns what is known of it.

        Raises:
            JournalError: It is the journal of another account, or serves a sweep already.
            ConfigurationError: It is not open.
        """
        storage = self._opened()
        if self._serves:
            raise JournalError(f"{self._path} serves one sweep at a time: close it, and open it for the next")
        sweep = await storage.sweep()
        self._read_to_end = sweep.read_to_end
        if sweep.account is None:
            await storage.claim(account)
        elif sweep.account != account:
            raise JournalError(
                f"{self._path} is the journal of another account ({sweep.account}, and not {account}): "
                f"use its {sweep.account.differs_by(account)}, or begin a new sweep with a new file"
            )
        self._serves = True
        return sweep

    async def lines(self) -> AsyncGenerator[JournalEntry, None]:
        """The lines that were written, in the order of reading."""
        async with contextlib.aclosing(self._opened().lines()) as lines:
            async for line in lines:
                self._taken_to = line.number
                yield line

    def has_rest(self, *, of_source: bool) -> bool:
        """Whether its sweep has still to take some of its ids.

        Args:
            of_source: Whether it has still to read some of its source.
        """
        return self._taken_to < self._known_to or (of_source and not self._read_to_end)

    def add(self, instance_id: int | str) -> JournalEntry:
        """The line of an id that was just read."""
        self._last_number += 1
        line = JournalEntry(self._last_number, instance_id)
        self.put(line)
        return line

    def put(self, line: JournalEntry, *, at_once: bool = False) -> None:
        """Write a line soon; with `at_once`, without waiting for others to come along."""
        self._writing().put(line, at_once=at_once)

    async def commit(self, line: JournalEntry) -> None:
        """Write a line now, and wait until it is on disk.

        Raises:
            JournalError: It is not.
        """
        await self._writing().commit(line)

    async def note_source(self, source: str) -> None:
        """Note by what the source of its ids is known again.

        Args:
            source: In words of whoever reads it.

        Raises:
            JournalError: That cannot be written.
        """
        await self._opened().note_source(source)

    async def mark_end(self) -> None:
        """Note that all ids of the source were read: they are written, and it need not be read again.

        Raises:
            JournalError: That cannot be written.
        """
        await self._writing().flush()
        await self._opened().mark_end()

    async def _open(self) -> None:
        from backupify_async._journal.locking import take_lock  # noqa: PLC0415 - needs the extra
        from backupify_async._journal.storage import Storage  # noqa: PLC0415 - as above

        try:
            if await asyncio.to_thread(self._needs_a_look):  # nothing is left beside what is refused
                async with look(self._path) as storage:
                    await storage.check_sweep(self._sweep)
            self._lock = await asyncio.to_thread(take_lock, self._path)
            self._storage = Storage(self._path)
            await self._storage.open(self._sweep)
            self._last_number = self._known_to = await self._storage.last_number()
            self._taken_to, self._read_to_end = 0, False
        except BaseException:
            await self._close()
            raise
        self._group_commit = GroupCommit(self._storage.write)

    async def _close(self) -> None:
        group_commit, self._group_commit = self._group_commit, None
        storage, self._storage = self._storage, None
        lock, self._lock = self._lock, None
        self._serves = False
        async with contextlib.AsyncExitStack() as ends:  # from the last to the first, whatever one raises
            if lock is not None:
                ends.push_async_callback(asyncio.to_thread, lock.release)
            if storage is not None:
                ends.push_async_callback(storage.close)
            if group_commit is not None:
                ends.push_async_callback(group_commit.close)

    def _needs_a_look(self) -> bool:
        """Refuse what can be no journal of ours. Whether there is one, and no lock beside it."""
        from backupify_async._journal.locking import lock_of  # noqa: PLC0415 - needs the extra
        from backupify_async._journal.storage import Storage  # noqa: PLC0415 - as above

        self._path = absolute(self._path)
        there = Storage(self._path).is_there()
        require_room_for_names(self._path)
        if there:
            require_writable(self._path)
            return not lock_of(self._path).exists()
        if not self._path.resolve().parent.is_dir():
            raise JournalError(f"{self._path} cannot be made: its directory does not exist: name a file")
        return False

    def _opened(self) -> "Storage":
        if self._storage is None:
            raise ConfigurationError(
                f"the journal {self._path} is not open: use `async with`, or await open()"
            )
        if asyncio.get_running_loop() is not self._loop:
            raise ConfigurationError(
                f"the journal {self._path} was opened in another event loop: open it in the one that sweeps"
            )
        return self._storage

    def _writing(self) -> GroupCommit:
        self._opened()
        assert self._group_commit is not None  # noqa: S101 - both are there, or neither
        return self._group_commit


def require_extra() -> None:
    """Refuse to go on where the extra `journal` is not installed.

    Raises:
        ConfigurationError: It is not; the message says how to install it.
    """
    try:
        import aiosqlite  # noqa: F401, PLC0415
        import filelock  # noqa: F401, PLC0415
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"a journal needs {missing.name}, which is not installed: pip install '.[journal]' in the "
            "checkout of backupify-async"
        ) from None


@contextlib.asynccontextmanager
async def look(path: str | os.PathLike[str]) -> AsyncIterator["Storage"]:
    """Look at a journal, also at one that is in use.

    Raises:
        ConfigurationError: The extra `journal` is not installed.
        JournalError: It cannot be read, or is none.
    """
    require_extra()
    from backupify_async._journal.storage import Storage  # noqa: PLC0415 - needs the extra

    path = await asyncio.to_thread(absolute, Path(path))
    storage = Storage(path)
    if not await asyncio.to_thread(storage.is_there):
        raise JournalError(await asyncio.to_thread(nothing_at, path))
    try:
        await to_its_end(storage.look())
        yield storage
        await asyncio.to_thread(storage.require_unchanged)
    except JournalError:  # pages from before and from after look like damage
        await asyncio.to_thread(storage.require_unchanged)
        raise
    finally:
        await to_its_end(storage.close())
