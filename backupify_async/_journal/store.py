"""`JournalStore`: where a journal is kept."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

from backupify_async._journal.entries import EntryState, JournalEntry, SweepInfo


class JournalStore(Protocol):
    """Where a journal is kept. Implement it to keep one elsewhere than in an SQLite file.

        async with Journal.on(MyStore(...)) as journal:
            await client.fleet(ids).trigger(journal=journal)

    A journal must prevent a second trigger after a crash at any instant. For that it relies on these rules:

    - **Durable on return.** When `write_entries` or `write_sweep` returns, what was written survives a crash
      and a power cut: commit, and wait until the disk or the server confirms it.
    - **One writer.** While a store is open, opening the same journal again raises `JournalError`, also in
      another process. Where that cannot be certain, the newer one wins: each later write of the older one
      raises `JournalError` and changes nothing.
    - **Nothing foreign is overwritten.** `open` creates a journal where there is nothing, and refuses what
      is not a journal.
    - **No value is lost.** `to_record` and `from_record` of `JournalEntry` and `SweepInfo` convert to flat
      dicts of texts, numbers and None, and refuse what they did not write.

    All methods are called in the event loop that called `open`, and must not block it. What runs at once:

    - `open` and `close` run alone, except that a read can be in progress during `close`; that read may raise.
    - `write_entries` does not run twice at once, and neither does `write_sweep`. The two can overlap.
    - `read_entries`, `read_sweep`, `counts` and `last_number` can overlap each other, and both writes.

    Every method may raise `JournalError`; its message goes to the user, so it should say what to do. After a
    write that failed, nothing more is triggered, and the entries are written once more before `close`. Any
    other exception of a write is reported in the same way; of the other methods, it is raised unchanged.

    `tests/journal/test_store_contract.py` checks an implementation: in a checkout, add yours to `STORES` in
    `tests/journal/stores.py`, and run it.
    """

    @property
    def name(self) -> str:
        """What messages call it, such as the path of its file."""
        ...

    async def open(self, sweep: str) -> None:
        """Open the journal for one writer, or create it. A store that was closed can be opened again.

        An error leaves nothing open: `close` is not called after it.

        Args:
            sweep: What the sweep goes over. A new journal has it as its `SweepInfo.name`; "" opens any.

        Raises:
            JournalError: Another writer has it open, it is no journal, it is the journal of a sweep with
                another name, or it cannot be written.
        """
        ...

    async def close(self) -> None:
        """Close it, and let another writer open it. It stays closed where this raises."""
        ...

    async def read_sweep(self) -> SweepInfo:
        """What was last written of the sweep; in a new journal its name and the time of its creation."""
        ...

    async def write_sweep(self, sweep: SweepInfo) -> None:
        """Replace what is known of the sweep; durable on return."""
        ...

    def read_entries(self) -> AsyncGenerator[JournalEntry, None]:
        """All entries in the order of their numbers, without holding them all in memory.

        An entry that is written during the read is missing, or is in its place, old or new.
        """
        ...

    async def write_entries(self, entries: Sequence[JournalEntry]) -> None:
        """Write entries, each in place of one with the same number; durable on return.

        No number occurs twice. If this raises, some of them may be written; all are written again later.
        """
        ...

    async def counts(self) -> Mapping[EntryState, int]:
        """How many entries are in each state; a state without entries is left out."""
        ...

    async def last_number(self) -> int:
        """The highest number of an entry; 0 where there is none."""
        ...
