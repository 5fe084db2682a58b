"""Writes entries so that all that are pending share one commit.

A commit takes milliseconds on a disk, for one entry or for a thousand. Entries that arrive during a commit,
and for a moment before the next, are written together. An entry that is not awaited lingers, to share the
commit of one that is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from backupify_async._journal.entries import JournalEntry
from backupify_async.errors import JournalError

_LINGER = 0.1  # seconds that an entry lingers; losing it in a crash costs the next run a reconciliation
_GATHERING = (
    0.003  # seconds before each commit: it saves two thirds of the commits, half of the journal's cost
)
_CANCELLED = "the journal's writer was cancelled: close the journal, and resume"


class GroupCommit:
    """Writes entries, many at a time.

    After a commit that failed, or after the writing task was cancelled, nothing more is written until
    `close`, which tries once more.

    Args:
        write: Writes entries; it returns when they are durable.
    """

    def __init__(self, write: Callable[[Sequence[JournalEntry]], Awaitable[None]]) -> None:
        self._write = write
        self._pending: dict[int, JournalEntry] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._wanted = asyncio.Event()
        self._linger: asyncio.TimerHandle | None = None
        self._closing = False
        self._problem: str | None = None
        self._writer = asyncio.create_task(self._write_all(), name="backupify_async journal")
        self._writer.add_done_callback(self._writer_ended)

    def put(self, entry: JournalEntry, *, at_once: bool = False) -> None:
        """Write an entry soon, in place of a pending one of its number. With `at_once` it does not linger."""
        self._pending[entry.number] = entry
        if at_once:
            self._wanted.set()
        elif self._linger is None:
            self._linger = asyncio.get_running_loop().call_later(_LINGER, self._wanted.set)

    async def commit(self, entry: JournalEntry) -> None:
        """Write an entry now, and wait until it is durable.

        Raises:
            JournalError: It could not be written.
        """
        self._pending[entry.number] = entry
        await self.flush()

    async def flush(self) -> None:
        """Wait until all entries so far are durable.

        Raises:
            JournalError: They could not be written.
        """
        if self._problem is not None:
            raise JournalError(self._problem)
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._wanted.set()
        await done

    async def close(self) -> None:
        """Write what is pending.

        Raises:
            JournalError: It could not be written; the message says how many entries that are.
        """
        self._closing = True
        self._wanted.set()
        await asyncio.wait([self._writer])
        if self._linger is not None:
            self._linger.cancel()
        self._problem = None
        await self._write_pending()
        if self._problem is not None:
            raise JournalError(f"{self._problem}; outcomes that were not written: {len(self._pending):,}")

    async def _write_all(self) -> None:
        while self._problem is None and not self._closing:
            await self._wanted.wait()
            await asyncio.sleep(_GATHERING)
            self._wanted.clear()
            if self._linger is not None:
                self._linger.cancel()
                self._linger = None
            await self._write_pending()

    def _writer_ended(self, _writer: asyncio.Task[None]) -> None:
        if not self._closing:  # all tasks of the loop were cancelled, and this one with them
            self._fail(_CANCELLED)

    async def _write_pending(self) -> None:
        entries, self._pending = self._pending, {}
        waiting, self._waiting = self._waiting, []
        try:
            if entries:
                await self._write(list(entries.values()))
        except BaseException as error:
            self._pending = entries | self._pending  # those that arrived meanwhile are newer
            self._waiting = waiting + self._waiting
            self._fail(_problem_of(error))
            if not isinstance(error, Exception):
                raise
        for done in waiting:
            if not done.done():  # else its waiter was cancelled, or has the error already
                done.set_result(None)

    def _fail(self, problem: str) -> None:
        """Write nothing more, and raise the problem in all waiters."""
        self._problem = self._problem or problem
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            if not done.done():
                done.set_exception(JournalError(self._problem))


def _problem_of(error: BaseException) -> str:
    match error:
        case JournalError():
            return str(error)
        case asyncio.CancelledError():
            return _CANCELLED
        case _:
            return f"the journal failed: {error!r}"
