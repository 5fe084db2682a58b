"""Sweeps of triggers with a journal: how one begins, and how it goes on after it broke off."""

import asyncio
import os
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import attrs

from backupify_async.cli.desk import Desk
from backupify_async.cli.exits import Exit, ExitCode
from backupify_async.cli.ids import STDIN, AllIds, FileIds, GivenIds, Ids, choose
from backupify_async.cli.interrupts import Stop
from backupify_async.cli.operations import triggering
from backupify_async.cli.options import FleetOptions
from backupify_async.cli.output import write_all
from backupify_async.cli.records import of_run, with_run
from backupify_async.cli.rows import Row
from backupify_async.cli.sweep import CUT_SHORT, Operation, sweep
from backupify_async.cli.threads import DaemonThread
from backupify_async.cli.triggers import Consent, SentTriggers, Wait
from backupify_async.errors import ConfigurationError, JournalError, WaitFailed
from backupify_async.fleet.fleet import InstanceId
from backupify_async.journal.journal import Journal, look
from backupify_async.journal.lines import Sweep
from backupify_async.models import TriggerResult

_CHUNK = 65_536


def begin(path: Path, ids: Ids, consent: Consent, wait: Wait | None) -> tuple[Operation[TriggerResult], Ids]:
    """A sweep of triggers with a journal, and the ids that it is to read; gone on with where it was begun.

    Raises:
        Exit: It cannot have a journal.
    """
    kept = rereadable(ids, path)
    copied_from = ids if isinstance(ids, FileIds) and kept is not ids else None
    return _journalled(_journal(path, name_of(kept)), consent, wait, copied_from), kept


async def resume(stop: Stop, path: Path, wait: Wait | None, options: FleetOptions) -> ExitCode:
    """Go on with a sweep that has a journal.

    Raises:
        Exit: It could not go on.
    """
    try:
        async with look(path) as storage:
            known = await storage.sweep()
    except (ConfigurationError, JournalError) as error:
        raise Exit(ExitCode.USAGE, str(error)) from None
    journal = _journal(path, known.name)
    ids = await asyncio.to_thread(ids_of, known, path)
    return await sweep(stop, _journalled(journal, wait=wait), ids, options)


def rereadable(ids: Ids, path: Path) -> Ids:
    """The same ids, from where a sweep can read them again: stdin and pipes are copied beside the journal."""
    if isinstance(ids, FileIds) and not ids.rereadable:
        return FileIds(f"{path}.ids", rereadable=True)
    return ids


def name_of(ids: Ids) -> str:
    """What a sweep goes over, as the command line says it.

    Raises:
        Exit: It cannot be written down.
    """
    match ids:
        case FileIds(path=path):
            name = shlex.join(["--ids-file", str(Path(path).absolute())])
        case GivenIds(ids=given):
            name = shlex.join(["--", *map(str, given)])
        case _:
            name = "--all"
    if not name.isprintable():
        raise Exit(ExitCode.USAGE, f"{name}: a journal needs ids from a file with a printable name")
    return name


def ids_of(known: Sweep, path: Path) -> Ids:
    """The ids that a sweep has still to read.

    Raises:
        Exit: They are not where they were, or somebody else's to know.
    """
    if known.read_to_end:
        return GivenIds(())
    try:
        words = shlex.split(known.name)
    except ValueError:
        words = []
    match words:
        case ["--all"]:
            return AllIds()
        case ["--ids-file", file]:
            return choose((), file, everything=False)
        case ["--", *given]:
            return choose(tuple(given), None, everything=False)
        case _:
            raise Exit(
                ExitCode.USAGE,
                f"{path} was not begun by `backupify trigger`, and not all of its ids were read: only the "
                "program that began it can go on",
            )


def _journal(path: Path, name: str) -> Journal:
    try:
        return Journal(path, sweep=name)
    except ConfigurationError as error:
        raise Exit(ExitCode.USAGE, str(error)) from None


def _journalled(
    journal: Journal,
    consent: Consent | None = None,
    wait: Wait | None = None,
    copied_from: FileIds | None = None,
) -> Operation[TriggerResult]:
    sent = SentTriggers()
    plain = triggering(consent, wait, journal, sent)

    def rows(instance_id: InstanceId, result: TriggerResult) -> list[Row]:
        return [of_run(row, earlier=result.earlier) for row in plain.rows(instance_id, result)]

    def failure(instance_id: InstanceId, error: BaseException) -> Row:
        earlier = isinstance(error, WaitFailed) and error.result.earlier
        return of_run(plain.failure(instance_id, error), earlier=earlier)

    return attrs.evolve(
        plain,
        shape=with_run(plain.shape),
        rows=rows,
        failure=failure,
        found=_found if wait is None else plain.found,
        hold=partial(_held, journal, sent, copied_from),
        rest=lambda of_source: (
            f"the rest of {journal.path}" if journal.has_rest(of_source=of_source is not None) else None
        ),
    )


def _found(rows: list[Row]) -> tuple[str, int]:
    (row,) = rows
    return f"{row['state']} earlier" if row["run"] == "earlier" else str(row["state"]), 1


@asynccontextmanager
async def _held(
    journal: Journal, sent: SentTriggers, copied_from: FileIds | None, at: Desk
) -> AsyncIterator[None]:
    """The journal, open; what is to be said of it at the beginning, and at the end.

    Raises:
        Exit: It cannot be used.
        JournalError: It could not be written to its end.
    """
    try:
        await journal.open()
    except JournalError as error:
        raise Exit(ExitCode.USAGE, str(error)) from None
    try:
        if copied_from is not None:
            await _copy(copied_from, journal, at)
        was_done = await journal.is_done()
        async with look(journal.path) as storage:
            sent.add_of_earlier([line.instance_id for line in await storage.unsettled()])
        yield
        served, done = journal.serves, await journal.is_done()
    finally:
        await journal.close()
    if not served:
        return  # it was refused, and that is said
    if was_done:
        at.output.say(f"{journal.path} was done already: nothing was triggered; a new sweep needs a new file")
    still_wait = " --wait" if at.tally.found[CUT_SHORT] or at.tally.only_waits else ""
    if still_wait or not done:
        resume = f"backupify resume {shlex.quote(str(journal.path))}{still_wait}"
        at.output.say(f"`{resume}` goes on with what is not done")


async def _copy(ids: FileIds, journal: Journal, at: Desk) -> None:
    """Copy ids that can be read only once, unless an earlier run of this sweep has.

    Raises:
        Exit: They cannot be copied, or what is where they belong may be another sweep's.
    """
    to = Path(f"{journal.path}.ids")
    begun = bool(await journal.counts()) or await journal.is_done()
    thread = DaemonThread("ids")
    try:
        if await thread.call(_copy_whole, ids.path, to):
            return
    except OSError as error:
        raise Exit(ExitCode.USAGE, f"{ids.name}, copied to {to}: {error.strerror}") from None
    finally:
        thread.close()
    if not begun:
        raise Exit(
            ExitCode.USAGE,
            f"{to} is there already, though nothing was begun with {journal.path}: if it is of an older "
            f"sweep, remove it; if not, `backupify resume {shlex.quote(str(journal.path))}` begins with them",
        )
    at.output.say(f"the ids of this sweep are in {to} already: {ids.name} is not read")


def _copy_whole(source: str, to: Path) -> bool:
    """Copy a file and let it appear whole, on disk; False where it is there already."""
    if to.exists():
        return False
    copy = to.with_name(f"{to.name}.part")
    reading = 0 if source == STDIN else os.open(source, os.O_RDONLY)
    writing = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        while chunk := os.read(reading, _CHUNK):
            write_all(writing, chunk)
        os.fsync(writing)
    finally:
        os.close(writing)
        if reading:
            os.close(reading)
    copy.replace(to)
    return True
