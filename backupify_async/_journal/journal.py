"""`Journal`: the record of a sweep of triggers, which outlives the process."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import attrs

from backupify_async._checks import check_part
from backupify_async._journal.entries import DONE, EntryState, JournalEntry, SweepAccount, SweepInfo
from backupify_async._journal.extra import require_extra
from backupify_async._journal.group_commit import GroupCommit
from backupify_async._journal.store import JournalStore
from backupify_async._tasks import to_its_end
from backupify_async.errors import ConfigurationError, JournalError

if TYPE_CHECKING:
    from backupify_async._journal.sqlite_store import SQLiteStore


_STORE = (
    "name",
    "open()",
    "close()",
    "read_sweep()",
    "write_sweep()",
    "read_entries()",
    "write_entries()",
    "counts()",
    "last_number()",
)


class Journal:
    """The journal of one sweep of triggers: `async with Journal("sweep.sqlite") as journal`.

    Given to `fleet.trigger(journal=journal)`, it records each id when it is read, each trigger before it is
    sent, and its outcome. After a crash at any instant, the same two lines continue the sweep: the results of
    instances that are done come from the journal, those in doubt are reconciled, and the rest is triggered.

    A new sweep needs a new file. While it is open, two files are beside it (`-wal`, `-shm`); a third
    (`.lock`) stays. Copy or move them together, and not while it is open. The file must be on a local disk.
    `Journal.on` keeps a journal elsewhere.

    Users open it, close it, and ask whether it `is_done`; the other methods are for the fleet.

    Args:
        path: The file; it is created where it is missing.
        sweep: What the sweep goes over, in your words. The journal of another sweep is refused.

    Raises:
        ConfigurationError: The extra `journal` is not installed.
        TypeError: `path` is no path, or `sweep` not a str.
    """

    def __init__(self, path: str | os.PathLike[str], *, sweep: str = "") -> None:
        require_extra()
        from backupify_async._journal.sqlite_store import SQLiteStore  # noqa: PLC0415 - needs the extra

        file = SQLiteStore(Path(path))
        self._prepare(file, sweep, file)

    @classmethod
    def on(cls, store: JournalStore, *, sweep: str = "") -> Self:
        """A journal that is kept in another store.

        Args:
            store: Where it is kept. It serves one journal.
            sweep: What the sweep goes over, in your words. The journal of another sweep is refused.

        Raises:
            ConfigurationError: The store is a class, or a member is missing; the message says which.
            TypeError: `sweep` is not a str.
        """
        check_part("store", store, _STORE, "do as `JournalStore` says; a path goes into Journal(path)")
        journal = cls.__new__(cls)
        journal._prepare(store, sweep, None)  # noqa: SLF001 - `__init__` is for a path
        return journal

    def _prepare(self, store: JournalStore, sweep: str, file: "SQLiteStore | None") -> None:
        if not isinstance(sweep, str):
            raise TypeError(f"sweep must be a str, not {sweep!r}")
        self._file = file
        self._store = store
        self._sweep = sweep
        self._group_commit: GroupCommit | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last_number = self._known_to = self._taken_to = 0  # numbers of entries
        self._read_to_end = False
        self._opening = self._serves = False

    @property
    def name(self) -> str:
        """What messages call it: the path of its file, or the name of its store."""
        return self._store.name

    @property
    def path(self) -> Path:
        """The file.

        Raises:
            ConfigurationError: It is kept in another store.
        """
        if self._file is None:
            raise ConfigurationError(f"the journal {self.name} is not kept in a file of this library")
        return self._file.path

    @property
    def serves(self) -> bool:
        """Whether a sweep of its account has begun, or gone on, since it was opened."""
        return self._serves

    async def open(self) -> Self:
        """Open it in the running loop, or create it, and lock it against other processes.

        Raises:
            JournalError: It cannot be used: another process uses it, it is read-only, the disk is full, or it
                is not a journal, or that of another sweep or version. The message says what to do.
            ConfigurationError: It is open already.
        """
        if self._opening or self._group_commit is not None:
            raise ConfigurationError(f"the journal {self.name} is open already")
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
        """Write what is pending, and release the store. Closing it again does nothing.

        Raises:
            JournalError: What is pending cannot be written; the next run reconciles these instances.
            ConfigurationError: It is open in another loop.
        """
        if self._group_commit is not None and asyncio.get_running_loop() is not self._loop:
            raise ConfigurationError(
                f"the journal {self.name} was opened in another event loop: close it there"
            )
        await to_its_end(self._close())

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def counts(self) -> Mapping[EntryState, int]:
        """How many instances are in each state, as far as that is written."""
        self._require_open()
        return await self._store.counts()

    async def is_done(self) -> bool:
        """Whether all ids of the sweep were read, and each is done.

        Raises:
            JournalError: What is pending cannot be written, or the journal cannot be read.
        """
        await self._require_open().flush()
        unfinished = set(await self.counts()) - DONE
        return not unfinished and (await self._store.read_sweep()).read_to_end

    async def begin(self, account: SweepAccount) -> SweepInfo:
        """Begin to serve a sweep; returns what is known of it.

        Raises:
            JournalError: It is the journal of another account, or serves a sweep already.
            ConfigurationError: It is not open.
        """
        self._require_open()
        if self._serves:
            raise JournalError(f"{self.name} serves one sweep at a time: close it, and open it for the next")
        sweep = await self._store.read_sweep()
        self._read_to_end = sweep.read_to_end
        if sweep.account is None:
            await self._note(account=account)
        elif sweep.account != account:
            raise JournalError(
                f"{self.name} is the journal of another account ({sweep.account}, and not {account}): "
                f"use its {sweep.account.differs_by(account)}, or begin a new sweep with a new file"
            )
        self._serves = True
        return sweep

    async def read_entries(self) -> AsyncGenerator[JournalEntry, None]:
        """The entries that are written, in the order of reading."""
        self._require_open()
        async with contextlib.aclosing(self._store.read_entries()) as entries:
            async for entry in entries:
                self._taken_to = entry.number
                yield entry

    def has_rest(self, *, of_source: bool) -> bool:
        """Whether the sweep has still to take some of its ids.

        Args:
            of_source: Whether some of its source is still to be read.
        """
        return self._taken_to < self._known_to or (of_source and not self._read_to_end)

    def add(self, instance_id: int | str) -> JournalEntry:
        """The entry of an id that was just read."""
        self._last_number += 1
        entry = JournalEntry(self._last_number, instance_id)
        self.put(entry)
        return entry

    def put(self, entry: JournalEntry, *, at_once: bool = False) -> None:
        """Write an entry soon; with `at_once`, without waiting for others to share the commit."""
        self._require_open().put(entry, at_once=at_once)

    async def commit(self, entry: JournalEntry) -> None:
        """Write an entry now, and wait until it is on disk.

        Raises:
            JournalError: It could not be written.
        """
        await self._require_open().commit(entry)

    async def note_source(self, source: str) -> None:
        """Record a fingerprint of the source of the ids.

        Args:
            source: Any text that its reader recognizes.

        Raises:
            JournalError: It could not be written.
        """
        self._require_open()
        await self._note(source=source)

    async def mark_end(self) -> None:
        """Record that all ids of the source are in the journal: it need not be read again.

        Raises:
            JournalError: It could not be written.
        """
        await self._require_open().flush()
        await self._note(read_to_end=True)

    async def _note(self, **changes: Any) -> None:
        async with self._noting:
            self._require_open()
            await self._store.write_sweep(attrs.evolve(await self._store.read_sweep(), **changes))

    async def _open(self) -> None:
        await self._store.open(self._sweep)
        try:
            self._last_number = self._known_to = await self._store.last_number()
        except BaseException:
            await self._store.close()
            raise
        self._taken_to, self._read_to_end = 0, False
        self._noting = asyncio.Lock()
        self._group_commit = GroupCommit(self._store.write_entries)

    async def _close(self) -> None:
        group_commit, self._group_commit = self._group_commit, None
        self._serves = False
        if group_commit is not None:
            try:
                await group_commit.close()
            finally:
                async with self._noting:
                    await self._store.close()

    def _require_open(self) -> GroupCommit:
        if self._group_commit is None:
            raise ConfigurationError(
                f"the journal {self.name} is not open: use `async with`, or await open()"
            )
        if asyncio.get_running_loop() is not self._loop:
            raise ConfigurationError(
                f"the journal {self.name} was opened in another event loop: open it in the one that sweeps"
            )
        return self._group_commit
