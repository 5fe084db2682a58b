"""What tests do with the file of a journal."""

from pathlib import Path

import pytest

from backupify_async._journal.entries import JournalEntry
from backupify_async._journal.journal import Journal
from backupify_async._journal.snapshot import open_snapshot
from backupify_async.errors import ConfigurationError, JournalError


async def entries_of(path: Path) -> list[JournalEntry]:
    """The entries of a journal."""
    async with open_snapshot(path) as storage:
        return [entry async for entry in storage.read_entries()]


async def ids_of(path: Path) -> list[int | str]:
    """The instance of each entry of a journal."""
    return [entry.instance_id for entry in await entries_of(path)]


async def refusal(path: Path, *, sweep: str = "") -> str:
    """The message with which a journal refuses to open."""
    journal = Journal(path, sweep=sweep)
    with pytest.raises(JournalError) as raised:
        await journal.open()
    with pytest.raises(ConfigurationError, match="not open"):
        journal.add(42)
    return str(raised.value)


def remove_lock(path: Path) -> None:
    """Remove the lock file, like a clean-up of empty files."""
    Path(f"{path}.lock").unlink()
