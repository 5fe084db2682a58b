"""Lines on their way to the disk: all that wait share one commit.

A commit takes a disk milliseconds, however many lines are in it. While one is under way, and for a moment
before it, what comes next gathers: one commit for a line that comes alone, one for many that come at once.
What nobody waits for stays for a moment, to leave with something that is waited for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from backupify_async._journal.entries import JournalEntry
from backupify_async.errors import JournalError

_LINGER = 0.1  # seconds that a line may wait for company: what a crash then costs is a look at the instance
_GATHERING = 0.003  # seconds before each commit: a third of the commits, and half of what a journal costs
_CANCELLED = "the journal's writer was cancelled: close the journal, and resume"


class GroupCommit:
    """Writes lines, many at a time.

    After a commit that failed, or once somebody cancelled the task that writes, nothing more is written until
    `close`, which tries once more.

    Args:
        write: Writes lines, and returns when they are on disk.
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
        """Write a line soon, in the place of an earlier one of its number; with `at_once`, do not linger."""
        self._pending[entry.number] = entry
        if at_once:
            self._wanted.set()
        elif self._linger is None:
            self._linger = asyncio.get_running_loop().call_later(_LINGER, self._wanted.set)

    async def commit(self, entry: JournalEntry) -> None:
        """Write a line now, and wait until it is on disk.

        Raises:
            JournalError: It is not.
        """
        self._pending[entry.number] = entry
        await self.flush()

    async def flush(self) -> None:
        """Wait until all lines so far are on disk.

        Raises:
            JournalError: They are not.
        """
        if self._problem is not None:
            raise JournalError(self._problem)
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._wanted.set()
        await done

    async def close(self) -> None:
        """Write what is left.

        Raises:
            JournalError: It cannot be written; the message says how much that is.
        """
        self._closing = True
        self._wanted.set()
        await asyncio.wait([self._writer])
        if self._linger is not None:
            self._linger.cancel()
        self._problem = None
        await self._write_pending()
        if self._problem is not None:
            lost = len(self._pending)
            raise JournalError(f"{self._problem}; not written: what became of {lost:,} of its instances")

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
        if not self._closing:  # whoever cancels all tasks of a loop cancels this one too
            self._fail(_CANCELLED)

    async def _write_pending(self) -> None:
        entries, self._pending = self._pending, {}
        waiting, self._waiting = self._waiting, []
        try:
            if entries:
                await self._write(list(entries.values()))
        except BaseException as error:
            self._pending = entries | self._pending  # what came meanwhile is newer
            self._waiting = waiting + self._waiting
            self._fail(_in_words(error))
            if not isinstance(error, Exception):
                raise
        for done in waiting:
            if not done.done():  # else whoever waited was cancelled, or told of the failure
                done.set_result(None)

    def _fail(self, problem: str) -> None:
        """Write nothing more, and let nobody wait for it."""
        self._problem = self._problem or problem
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            if not done.done():
                done.set_exception(JournalError(self._problem))


def _in_words(error: BaseException) -> str:
    match error:
        case JournalError():
            return str(error)
        case asyncio.CancelledError():
            return _CANCELLED
        case _:
            return f"the journal failed: {error!r}"
