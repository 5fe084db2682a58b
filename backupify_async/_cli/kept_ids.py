"""The ids of a sweep with a journal: what a resumed sweep reads is what the first run read."""

import os
import shlex
import stat
from pathlib import Path

import attrs

from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._cli.id_files import ChangedFile, Mark, copy_bytes, mark_of
from backupify_async._cli.ids import FileIds, Ids
from backupify_async._cli.threads import DaemonThread, in_thread
from backupify_async._journal.entries import SweepInfo
from backupify_async._journal.journal import Journal
from backupify_async.client import BackupifyClient


def beside(journal: Path) -> Path:
    """Where ids that can be read only once are kept."""
    return Path(f"{journal}.ids")


async def keep(given: Ids, kept: Ids, journal: Journal, sweep: SweepInfo, client: BackupifyClient) -> str:
    """Have ids that a resumed sweep can read again; refuse those that are not what its first run read.

    Args:
        given: The ids, as the command names them.
        kept: The ids that are read: these, or their copy beside the journal.
        journal: The journal, open.
        sweep: What it knows of its sweep.
        client: What ids are read with.

    Returns:
        What is to be said of it; "" for nothing.

    Raises:
        Exit: They are not the same, cannot be read or copied, or may be another sweep's.
        JournalError: By what they are known again cannot be noted.
    """
    said = ""
    if isinstance(given, FileIds) and given is not kept:
        to = beside(journal.path)
        if await in_thread("ids", _is_there, to):
            await _require_begun(journal, to)
            said = f"the ids of this sweep are in {to} already: {given.name} is not read"
        elif sweep.read_to_end:
            said = f"all ids of this sweep are in {journal.path}: {given.name} is not read"
        else:
            if given.spooled is None:
                await given.number(client)  # a bad line is found before any of them is done
            sweep = await _copy(given, to, journal, sweep)
        if sweep.read_to_end:
            return said
    if isinstance(kept, FileIds):
        await _know_again(kept, journal, sweep)
    return said


async def _require_begun(journal: Journal, ids: Path) -> None:
    if not await journal.counts() and not await journal.is_done():
        raise Exit(
            ExitCode.USAGE,
            f"{ids} is there already, though nothing was begun with {journal.path}: if it is of an older "
            f"sweep, remove it; if not, `backupify resume {shlex.quote(str(journal.path))}` begins with them",
        )


def _is_there(ids: Path) -> bool:
    try:
        return ids.exists()
    except OSError as error:
        raise Exit(ExitCode.USAGE, f"{ids}: {error.strerror}") from None


async def _know_again(ids: FileIds, journal: Journal, sweep: SweepInfo) -> None:
    """Note by what ids in a plain file are known again, or refuse those that were changed."""
    if sweep.read_to_end and sweep.source is None:
        return  # a program began it, and read them
    ids.known = sweep.source
    try:
        mark = str(await in_thread("ids", mark_of, ids.path))
    except OSError as error:
        raise Exit(ExitCode.USAGE, f"{ids.name}: {error.strerror}") from None
    except ChangedFile:
        raise ids.changed() from None
    if sweep.source is None:
        await journal.note_source(mark)
    elif sweep.source != mark:
        raise ids.changed()
    ids.known = mark


async def _copy(ids: FileIds, to: Path, journal: Journal, sweep: SweepInfo) -> SweepInfo:
    """Copy ids, and let the copy appear whole, once the journal knows by what it is known again."""
    part = to.with_name(f"{to.name}.part")
    thread = DaemonThread("ids")
    try:
        source = ids.path if ids.spooled is None else ids.spooled
        mark = str(await thread.call(_copy_whole, source, part, journal.path))
        if sweep.source not in (None, mark):
            await thread.call(part.unlink)
            raise Exit(
                ExitCode.USAGE,
                f"{to} is gone, and {ids.name} has not what this sweep began with ({sweep.source}): "
                "give that again, or begin a new sweep with a new journal",
            )
        await journal.note_source(mark)
        await thread.call(_place, part, to)
    except OSError as error:
        raise Exit(ExitCode.USAGE, f"{ids.name}, copied to {to}: {error.strerror}") from None
    finally:
        thread.close()
    return attrs.evolve(sweep, source=mark)


def _copy_whole(source: str | int, part: Path, journal: Path) -> Mark:
    """Copy a file; the copy is on disk behind it.

    Others may write to the directory too: nothing is written through a link, or into a file that is there.
    """
    part.unlink(missing_ok=True)  # what a killed process left; a link goes, and not what it leads to
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    writing = os.open(part, flags, 0o600)
    try:
        try:
            mark = copy_bytes(source, writing)
            if hasattr(os, "fchmod"):
                os.fchmod(writing, stat.S_IMODE(journal.stat().st_mode))  # who may use one may use both
            os.fsync(writing)
        finally:
            os.close(writing)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return mark


def _place(part: Path, to: Path) -> None:
    """Give the copy its name, and have that on disk where the system can (fsync(2))."""
    part.replace(to)
    if hasattr(os, "O_DIRECTORY"):
        directory = os.open(to.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
