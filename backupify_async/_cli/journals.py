"""Sweeps of triggers with a journal: how one begins, and how it goes on after it broke off."""

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import attrs

from backupify_async._cli.command_context import CommandContext
from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._cli.ids import AllIds, FileIds, GivenIds, Ids, choose
from backupify_async._cli.interrupts import Stop
from backupify_async._cli.kept_ids import beside, keep
from backupify_async._cli.operations import triggering
from backupify_async._cli.options import FleetOptions
from backupify_async._cli.records import of_run, with_run
from backupify_async._cli.rows import Row
from backupify_async._cli.sweep import CUT_SHORT, Operation, sweep
from backupify_async._cli.triggers import Consent, StoppedTriggers, Wait
from backupify_async._journal.entries import SweepInfo
from backupify_async._journal.journal import Journal
from backupify_async._journal.snapshot import open_snapshot
from backupify_async.errors import ConfigurationError, JournalError, WaitFailed
from backupify_async.ids import InstanceId
from backupify_async.models import TriggerResult


def begin(path: Path, ids: Ids, consent: Consent, wait: Wait | None) -> tuple[Operation[TriggerResult], Ids]:
    """A sweep of triggers with a journal, and the ids that it is to read; gone on with where it was begun.

    Raises:
        Exit: It cannot have a journal.
    """
    kept = rereadable(ids, path)
    return _journalled(_journal(path, name_of(kept)), kept, ids, consent, wait), kept


async def resume(stop: Stop, path: Path, wait: Wait | None, options: FleetOptions) -> ExitCode:
    """Go on with a sweep that has a journal.

    Raises:
        Exit: It could not go on.
    """
    try:
        async with open_snapshot(path) as storage:
            known = await storage.read_sweep()
    except (ConfigurationError, JournalError) as error:
        raise Exit(ExitCode.USAGE, str(error)) from None
    journal = _journal(path, known.name)
    ids = await asyncio.to_thread(ids_of, known, path)
    return await sweep(stop, _journalled(journal, ids, ids, wait=wait), ids, options)


def rereadable(ids: Ids, path: Path) -> Ids:
    """The same ids, from where a sweep can read them again: stdin and pipes are copied beside the journal."""
    if isinstance(ids, FileIds) and not ids.rereadable:
        return FileIds(str(beside(path)), rereadable=True)
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


def ids_of(known: SweepInfo, path: Path) -> Ids:
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
    journal: Journal, kept: Ids, given: Ids, consent: Consent | None = None, wait: Wait | None = None
) -> Operation[TriggerResult]:
    stopped = StoppedTriggers()
    plain = triggering(consent, wait, journal, stopped)

    def rows(instance_id: InstanceId, result: TriggerResult) -> list[Row]:
        return [
            of_run(row, from_previous_run=result.from_previous_run) for row in plain.rows(instance_id, result)
        ]

    def failure(instance_id: InstanceId, error: BaseException) -> Row:
        from_previous_run = isinstance(error, WaitFailed) and error.result.from_previous_run
        return of_run(plain.failure(instance_id, error), from_previous_run=from_previous_run)

    return attrs.evolve(
        plain,
        shape=with_run(plain.shape),
        rows=rows,
        failure=failure,
        found=_found if wait is None else plain.found,
        hold=partial(_held, journal, stopped, kept, given),
        journalled=True,
        rest=lambda of_source: (
            f"the rest of {journal.path}" if journal.has_rest(of_source=of_source is not None) else None
        ),
    )


def _found(rows: list[Row]) -> tuple[str, int]:
    (row,) = rows
    return f"{row['state']} earlier" if row["run"] == "earlier" else str(row["state"]), 1


@asynccontextmanager
async def _held(
    journal: Journal, stopped: StoppedTriggers, kept: Ids, given: Ids, at: CommandContext
) -> AsyncIterator[None]:
    """The journal, open; what is to be said of it at the beginning, and at the end.

    Args:
        journal: The journal.
        stopped: Is given the triggers in doubt of a previous run.
        kept: The ids that are read.
        given: Where they come from, where they are kept in another place for that.
        at: Where things are said.

    Raises:
        Exit: It cannot be used.
        JournalError: It could not be written to its end.
    """
    try:
        await journal.open()
    except JournalError as error:
        raise Exit(ExitCode.USAGE, str(error)) from None
    try:
        async with open_snapshot(journal.path) as storage:
            known = await storage.read_sweep()
            entries = await storage.in_doubt()
            stopped.add_recorded(entry.trigger for entry in entries if entry.trigger is not None)
        if said := await keep(given, kept, journal, known, at.client):
            at.output.say(said)
        was_done = await journal.is_done()
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
