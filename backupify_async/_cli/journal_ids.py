"""The ids of a sweep with a journal: every run of the sweep reads the ids that the first one read."""

import os
import shlex
import stat
from pathlib import Path

import attrs

from backupify_async._cli.daemon_threads import DaemonThread, in_daemon_thread
from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._cli.id_files import ChangedFile, Fingerprint, copy_bytes, fingerprint_of
from backupify_async._cli.id_sources import FileIds, IdSource
from backupify_async._journal.entries import SweepInfo
from backupify_async._journal.journal import Journal
from backupify_async.client import BackupifyClient


def copy_path(journal: Path) -> Path:
    """The path of the copy of ids that can be read only once."""
    return Path(f"{journal}.ids")


async def secure_ids(
    given: IdSource, source: IdSource, journal: Journal, sweep: SweepInfo, client: BackupifyClient
) -> str:
    """Make sure that every run of a sweep reads the same ids, and refuse others.

    Args:
        given: The ids as the command line names them.
        source: The ids that are read: `given`, or its copy beside the journal.
        journal: The open journal.
        sweep: What it knows of its sweep.
        client: For reading ids.

    Returns:
        A message; "" for none.

    Raises:
        Exit: The ids differ, cannot be read or copied, or can belong to another sweep.
        JournalError: Their fingerprint cannot be recorded.
    """
    message = ""
    if isinstance(given, FileIds) and given is not source:
        copy = copy_path(journal.path)
        if await in_daemon_thread("ids", _exists, copy):
            await _require_begun(journal, copy)
            message = f"the ids of this sweep are in {copy} already: {given.name} is not read"
        elif sweep.read_to_end:
            message = f"all ids of this sweep are in {journal.path}: {given.name} is not read"
        else:
            if given.spooled is None:
                await given.count(client)  # an invalid line is found before the sweep begins
            sweep = await _copy(given, copy, journal, sweep)
        if sweep.read_to_end:
            return message
    if isinstance(source, FileIds):
        await _check_fingerprint(source, journal, sweep)
    return message


async def _require_begun(journal: Journal, copy: Path) -> None:
    if not await journal.counts() and not await journal.is_done():
        raise Exit(
            ExitCode.USAGE,
            f"{copy} exists already, but {journal.path} is empty: if it belongs to an older sweep, "
            f"remove it; if not, `backupify resume {shlex.quote(str(journal.path))}` begins with these ids",
        )


def _exists(copy: Path) -> bool:
    try:
        return copy.exists()
    except OSError as error:
        raise Exit(ExitCode.USAGE, f"{copy}: {error.strerror}") from None


async def _check_fingerprint(source: FileIds, journal: Journal, sweep: SweepInfo) -> None:
    """Record the fingerprint of a file of ids, or refuse a file that was changed."""
    if sweep.read_to_end and sweep.source is None:
        return  # another program began the sweep, and has read the ids
    source.expected = sweep.source
    try:
        fingerprint = str(await in_daemon_thread("ids", fingerprint_of, source.path))
    except OSError as error:
        raise Exit(ExitCode.USAGE, f"{source.name}: {error.strerror}") from None
    except ChangedFile:
        raise source.changed() from None
    if sweep.source is None:
        await journal.note_source(fingerprint)
    elif sweep.source != fingerprint:
        raise source.changed()
    source.expected = fingerprint


async def _copy(ids: FileIds, copy: Path, journal: Journal, sweep: SweepInfo) -> SweepInfo:
    """Copy the ids. The copy gets its name once it is complete and the journal has its fingerprint."""
    part = copy.with_name(f"{copy.name}.part")
    thread = DaemonThread("ids")
    try:
        source = ids.path if ids.spooled is None else ids.spooled
        fingerprint = str(await thread.call(_copy_file, source, part, journal.path))
        if sweep.source not in (None, fingerprint):
            await thread.call(part.unlink)
            raise Exit(
                ExitCode.USAGE,
                f"{copy} is gone, and {ids.name} is not what this sweep began with ({sweep.source}): "
                "use the same ids, or begin a new sweep with a new journal",
            )
        await journal.note_source(fingerprint)
        await thread.call(_publish, part, copy)
    except OSError as error:
        raise Exit(ExitCode.USAGE, f"{ids.name} cannot be copied to {copy}: {error.strerror}") from None
    finally:
        thread.close()
    return attrs.evolve(sweep, source=fingerprint)


def _copy_file(source: str | int, part: Path, journal: Path) -> Fingerprint:
    """Copy a file, and flush the copy to disk.

    Others may be able to write to the directory: an existing file is replaced, and a link is not followed.
    """
    part.unlink(missing_ok=True)  # of a killed process; of a link, not its target
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    target = os.open(part, flags, 0o600)
    try:
        try:
            fingerprint = copy_bytes(source, target)
            if hasattr(os, "fchmod"):
                os.fchmod(target, stat.S_IMODE(journal.stat().st_mode))  # the permissions of the journal
            os.fsync(target)
        finally:
            os.close(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return fingerprint


def _publish(part: Path, copy: Path) -> None:
    """Give the copy its name, and flush the directory to disk where the system can (fsync(2))."""
    part.replace(copy)
    if hasattr(os, "O_DIRECTORY"):
        directory = os.open(copy.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
