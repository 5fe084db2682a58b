"""Sweeps of triggers with a journal: how they begin, and how they are resumed."""

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import attrs

from backupify_async._cli.command_context import CommandContext
from backupify_async._cli.confirmation import Confirmation
from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._cli.fleet_action import FleetAction
from backupify_async._cli.id_sources import AllIds, ArgumentIds, FileIds, IdSource, choose_source
from backupify_async._cli.journal_ids import copy_path, secure_ids
from backupify_async._cli.options import FleetOptions, WaitOptions
from backupify_async._cli.outcome_recorder import WAIT_INTERRUPTED
from backupify_async._cli.rows import add_run, with_run
from backupify_async._cli.shutdown import Shutdown
from backupify_async._cli.stopped_triggers import StoppedTriggers
from backupify_async._cli.sweep import sweep
from backupify_async._cli.trigger_action import trigger_action
from backupify_async._cli.writers import Row
from backupify_async._journal.entries import SweepInfo
from backupify_async._journal.journal import Journal
from backupify_async._journal.snapshot import open_snapshot
from backupify_async.errors import ConfigurationError, JournalError, WaitFailed
from backupify_async.ids import InstanceId
from backupify_async.models import TriggerResult


def begin_sweep(
    path: Path, given: IdSource, confirmation: Confirmation, wait: WaitOptions
) -> tuple[FleetAction[TriggerResult], IdSource]:
    """The action of a sweep with a journal, and the ids that it reads. It is resumed if it has begun.

    Raises:
        Exit: The journal cannot be used.
    """
    source = _rereadable(given, path)
    journal = _journal(path, sweep_name(source))
    return _action(journal, source, given, wait, confirmation), source


async def resume_sweep(shutdown: Shutdown, path: Path, wait: WaitOptions, options: FleetOptions) -> ExitCode:
    """Resume a sweep with a journal.

    Raises:
        Exit: The journal, or the ids, cannot be used.
    """
    try:
        async with open_snapshot(path) as storage:
            info = await storage.read_sweep()
    except (ConfigurationError, JournalError) as error:
        raise Exit(ExitCode.USAGE, str(error)) from None
    journal = _journal(path, info.name)
    source = await asyncio.to_thread(remaining_source, info, path)
    return await sweep(shutdown, _action(journal, source, source, wait), source, options)


def sweep_name(source: IdSource) -> str:
    """The name that a journal records for a sweep: its ids as arguments of the command line.

    Raises:
        Exit: The name cannot be printed.
    """
    match source:
        case FileIds(path=path):
            name = shlex.join(["--ids-file", str(Path(path).absolute())])
        case ArgumentIds(ids=ids):
            name = shlex.join(["--", *map(str, ids)])
        case _:
            name = "--all"
    if not name.isprintable():
        raise Exit(ExitCode.USAGE, f"{name}: a journal needs a file of ids with a printable name")
    return name


def remaining_source(info: SweepInfo, path: Path) -> IdSource:
    """The ids that are still to be read, from the sweep's name.

    Raises:
        Exit: The ids are gone, or another program began the sweep.
    """
    if info.read_to_end:
        return ArgumentIds(())
    try:
        words = shlex.split(info.name)
    except ValueError:
        words = []
    match words:
        case ["--all"]:
            return AllIds()
        case ["--ids-file", file]:
            return choose_source((), file, everything=False)
        case ["--", *ids]:
            return choose_source(tuple(ids), None, everything=False)
        case _:
            raise Exit(
                ExitCode.USAGE,
                f"{path} was not begun by `backupify trigger`, and not all of its ids were read: resume it "
                "with the program that began it",
            )


def _rereadable(given: IdSource, path: Path) -> IdSource:
    """The ids where every run can read them: those of stdin and pipes are copied beside the journal."""
    if isinstance(given, FileIds) and not given.rereadable:
        return FileIds(str(copy_path(path)), rereadable=True)
    return given


def _journal(path: Path, name: str) -> Journal:
    try:
        return Journal(path, sweep=name)
    except ConfigurationError as error:
        raise Exit(ExitCode.USAGE, str(error)) from None


def _action(
    journal: Journal,
    source: IdSource,
    given: IdSource,
    wait: WaitOptions,
    confirmation: Confirmation | None = None,
) -> FleetAction[TriggerResult]:
    stopped = StoppedTriggers()
    plain = trigger_action(wait, confirmation, journal, stopped)

    def rows(instance_id: InstanceId, result: TriggerResult) -> list[Row]:
        previous = result.from_previous_run
        return [add_run(row, from_previous_run=previous) for row in plain.rows(instance_id, result)]

    def failure(instance_id: InstanceId, error: BaseException) -> Row:
        from_previous_run = isinstance(error, WaitFailed) and error.result.from_previous_run
        return add_run(plain.failure(instance_id, error), from_previous_run=from_previous_run)

    def remaining_ids(of_source: str | None) -> str | None:
        rest = journal.has_rest(of_source=of_source is not None)
        return f"the remaining ids of {journal.path}" if rest else None

    return attrs.evolve(
        plain,
        layout=with_run(plain.layout),
        rows=rows,
        failure=failure,
        found=plain.found if wait.wait else _found,
        resources=partial(_open_journal, journal, stopped, source, given),
        has_journal=True,
        remaining_ids=remaining_ids,
    )


def _found(rows: list[Row]) -> tuple[str, int]:
    (row,) = rows
    return f"{row['state']} in a previous run" if row["run"] == "previous" else str(row["state"]), 1


@asynccontextmanager
async def _open_journal(
    journal: Journal, stopped: StoppedTriggers, source: IdSource, given: IdSource, context: CommandContext
) -> AsyncIterator[None]:
    """Open the journal, and report its state before and after the sweep.

    Args:
        journal: The journal.
        stopped: Gets the triggers of a previous run that are in doubt.
        source: The ids that are read.
        given: The ids as the command line names them.
        context: For messages.

    Raises:
        Exit: The journal cannot be used.
        JournalError: It could not be written to its end.
    """
    try:
        await journal.open()
    except JournalError as error:
        raise Exit(ExitCode.USAGE, str(error)) from None
    try:
        async with open_snapshot(journal.path) as storage:
            info = await storage.read_sweep()
            entries = await storage.in_doubt()
            stopped.add_recorded(entry.trigger for entry in entries if entry.trigger is not None)
        if message := await secure_ids(given, source, journal, info, context.client):
            context.output.message(message)
        was_done = await journal.is_done()
        yield
        served, done = journal.serves, await journal.is_done()
    finally:
        await journal.close()
    if not served:
        return  # it was refused, and that is reported
    if was_done:
        context.output.message(
            f"{journal.path} was done already: no backup was triggered; a new sweep needs a new file"
        )
    waits = context.progress.found[WAIT_INTERRUPTED] or context.progress.failed_waits
    if waits or not done:
        command = f"backupify resume {shlex.quote(str(journal.path))}{' --wait' if waits else ''}"
        context.output.message(f"`{command}` continues this sweep")
