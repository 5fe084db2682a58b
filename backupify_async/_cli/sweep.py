"""Runs an action over many instances: ids in, rows out, and every instance accounted for."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, nullcontext
from functools import partial
from typing import TypeVar

from backupify_async._cli.command_context import CommandContext, command_context, fetch_token
from backupify_async._cli.exit_codes import Exit, ExitCode, NoInstances, TokenUnavailable
from backupify_async._cli.fleet_action import FleetAction
from backupify_async._cli.graceful_shutdown import graceful_shutdown
from backupify_async._cli.id_sources import AllIds, IdCursor, IdSource, choose_source
from backupify_async._cli.options import RowOptions, SweepOptions
from backupify_async._cli.outcome_recorder import OutcomeRecorder
from backupify_async._cli.shutdown import Shutdown, run_command
from backupify_async._fleet.fan_out import FanOut
from backupify_async._fleet.streaming import Outcomes
from backupify_async.errors import FanOutAborted, JournalError
from backupify_async.ids import InstanceId

T = TypeVar("T")


def run_sweep(action: FleetAction[T], ids: tuple[str, ...], options: SweepOptions) -> ExitCode:
    """Run an action over the instances that the command line names.

    Raises:
        Exit: It could not begin.
    """
    source = choose_source(ids, options.ids_file, everything=options.all)
    return run_command(partial(sweep, action=action, source=source, options=options))


async def sweep(
    shutdown: Shutdown, action: FleetAction[T], source: IdSource, options: RowOptions
) -> ExitCode:
    """Run an action over instances.

    Raises:
        Exit: It could not begin.
    """
    async with command_context(shutdown, action.command, action.layout, options, action.on_event) as context:
        try:
            await fetch_token(context.client, options.timeout)
        except TokenUnavailable as why:
            await _write_failures(action, source, context, why)
            raise
        if action.confirm is not None:
            await action.confirm(context.client)
        context.progress.total = lambda: source.total
        cursor = IdCursor(source)
        fleet = context.client.fleet(cursor.read(context.client), concurrency=options.concurrency)
        try:
            async with action.resources(context):
                await context.start()
                fan_out = action.start(context.client, fleet, options.ordered)
                await stream(
                    shutdown, action, fan_out, context, lambda: action.remaining_ids(cursor.remaining())
                )
        except JournalError as error:
            _report_journal_error(error, context)
    return context.progress.code


async def _write_failures(
    action: FleetAction[T], source: IdSource, context: CommandContext, why: TokenUnavailable
) -> None:
    """Write a row for each id that was given, though there is no token."""
    if action.has_journal or isinstance(source, AllIds):
        return
    await context.output.rows(context.writer.header())
    async with aclosing(source.read(context.client)) as ids:
        async for instance_id in ids:
            await context.write([{**action.failure(instance_id, why.error), "error": why.message}])


async def stream(
    shutdown: Shutdown,
    action: FleetAction[T],
    fan_out: FanOut[InstanceId, T],
    context: CommandContext,
    remaining: Callable[[], str | None],
) -> None:
    """Write the outcomes of a fan-out as they arrive, however it ends.

    Args:
        shutdown: Ends the command early.
        action: What is done to each instance.
        fan_out: The fan-out.
        context: Where the outcomes go.
        remaining: Returns the ids that were not begun, in words; None where all were.
    """
    outcomes: Outcomes[InstanceId, T] | None = None
    recorder = OutcomeRecorder(shutdown, action, context, remaining)
    ending = graceful_shutdown(shutdown, context.client, context.output) if action.graceful else nullcontext()
    progress = context.progress
    try:
        async with ending, fan_out as outcomes:
            async for outcome in outcomes:
                await recorder.record(outcome)
    except asyncio.CancelledError:
        if outcomes is None or not shutdown.absorb_cancellation():
            raise
        await recorder.finish(outcomes)
    except FanOutAborted as aborted:
        if shutdown.code is not None:
            recorder.report_interrupted([])
            return
        not_begun = f"; not begun: {ids}" if (ids := remaining()) else ""
        context.output.message(f"{aborted}{not_begun}")
        progress.raise_code(ExitCode.SOME_FAILED)
    except NoInstances as none:
        context.output.message(none.message)
        progress.raise_code(none.code)
    except Exit as error:  # of reading the ids
        context.output.message(error.message)
        progress.ended_early("the ids", error.code)
    except JournalError as error:
        _report_journal_error(error, context)
    except Exception:
        if outcomes is not None:
            await recorder.finish(outcomes)
        raise


def _report_journal_error(error: JournalError, context: CommandContext) -> None:
    """Report that the journal cannot be used: a usage error if nothing was done yet."""
    context.output.message(str(error))
    begun = context.progress.succeeded + context.progress.failed
    context.progress.ended_early("the journal", ExitCode.SOME_FAILED if begun else ExitCode.USAGE)
