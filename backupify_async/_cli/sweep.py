"""Runs a command over many instances: ids in, rows out, every instance accounted for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from functools import partial
from typing import Generic, TypeVar

import attrs

from backupify_async._cli.command_context import CommandContext, command_context
from backupify_async._cli.exit_codes import Exit, ExitCode, NoIds, Unreached, most_severe
from backupify_async._cli.graceful_stop import drained
from backupify_async._cli.id_cursor import IdCursor
from backupify_async._cli.ids import AllIds, Ids
from backupify_async._cli.interrupts import Stop
from backupify_async._cli.options import FleetOptions
from backupify_async._cli.records import failure_line, failure_row, row_line, unwritten_line
from backupify_async._cli.rows import Row, Shape
from backupify_async._cli.text import count
from backupify_async._fleet.fan_out import FanOut
from backupify_async._fleet.fleet import Fleet
from backupify_async._fleet.outcomes import Outcome, Success
from backupify_async._fleet.streaming import Outcomes
from backupify_async.client import BackupifyClient
from backupify_async.errors import ClientDraining, DuplicateInstance, FanOutAborted, JournalError, WaitFailed
from backupify_async.events import EventHook
from backupify_async.ids import InstanceId

CUT_SHORT = "waited for no longer"
"""What a trigger counts as in the summary whose wait was cut short."""
T = TypeVar("T")


@attrs.frozen
class Operation(Generic[T]):
    """What is done to each instance.

    Attributes:
        command: The command's name.
        shape: The columns of its rows.
        begin: Begins it over a fleet, with its outcomes in the order of the ids or not.
        rows: The rows of one instance's answer.
        failure: The row of an instance that failed.
        found: What an answer counts as in the summary: how many of what.
        code: The exit code that an answer asks for.
        agree: Asked before the sweep begins, once there is a token; raises `Exit` to prevent it.
        known: What an instance's answer is known to be, though its call was cut off; None where it is not.
        cut_off: Says what matters about instances that were begun and cut off, and about the ids that were
            not begun; None where only their number does.
        on_event: The client's hook.
        drains: Whether what has left is worth following to its end, where somebody wants the command's.
        hold: What is open while the sweep goes on; what it raises as `Exit` prevents the sweep.
        journalled: Whether which instances it goes over is a journal's to say.
        rest: Says which ids were not begun, told which their source has still to give; None for none.
    """

    command: str
    shape: Shape
    begin: Callable[[Fleet, bool], FanOut[InstanceId, T]]
    rows: Callable[[InstanceId, T], list[Row]]
    failure: Callable[[InstanceId, BaseException], Row] = failure_row
    found: Callable[[list[Row]], tuple[str, int]] = lambda rows: (str(rows[0]["state"]), 1)
    code: Callable[[T], ExitCode] = lambda _: ExitCode.ALL_WELL
    agree: Callable[[BackupifyClient], Awaitable[None]] | None = None
    known: Callable[[InstanceId], T | None] = lambda _: None
    cut_off: Callable[[Sequence[InstanceId], str | None], list[str]] | None = None
    on_event: EventHook | None = None
    drains: bool = False
    hold: Callable[[CommandContext], AbstractAsyncContextManager[None]] = lambda _: nullcontext()
    journalled: bool = False
    rest: Callable[[str | None], str | None] = lambda of_source: of_source


async def sweep(stop: Stop, operation: Operation[T], ids: Ids, options: FleetOptions) -> ExitCode:
    """Do something to each instance.

    Raises:
        Exit: It could not begin.
    """
    async with command_context(
        stop,
        operation.command,
        operation.shape,
        options,
        concurrency=options.concurrency,
        on_event=operation.on_event,
        unreached=partial(_write_unreached, operation, ids),
    ) as at:
        await _sweep(stop, operation, ids, options, at)
    return at.tally.code


async def _sweep(
    stop: Stop, operation: Operation[T], ids: Ids, options: FleetOptions, at: CommandContext
) -> None:
    if operation.agree is not None:
        await operation.agree(at.client)
    at.tally.total = lambda: ids.total
    at.tally.verbose = options.verbose
    bookmark = IdCursor(ids)
    fleet = at.client.fleet(bookmark.read(at.client), concurrency=options.concurrency)
    try:
        async with operation.hold(at):
            await at.begin()
            fan_out = operation.begin(fleet, options.ordered)
            await stream(stop, operation, fan_out, at, lambda: operation.rest(bookmark.rest()))
    except JournalError as error:
        _say_of_journal(error, at)


async def _write_unreached(operation: Operation[T], ids: Ids, at: CommandContext, why: Unreached) -> None:
    """Write a row for each instance that is named, though nothing could be asked of the API."""
    if operation.journalled or isinstance(ids, AllIds):
        return
    await at.output.rows(at.writer.header().encode())
    async with aclosing(ids.read(at.client)) as named:
        async for instance_id in named:
            await at.write([{**operation.failure(instance_id, why.error), "error": why.message}])


async def stream(
    stop: Stop,
    operation: Operation[T],
    fan_out: FanOut[InstanceId, T],
    at: CommandContext,
    rest: Callable[[], str | None],
) -> None:
    """Stream a fan-out's outcomes to the desk, however it ends.

    Args:
        stop: The request to end early.
        operation: What is done to each instance.
        fan_out: Does it.
        at: Where the outcomes go.
        rest: Gives the ids that were not begun, in words; None where all were.
    """
    outcomes: Outcomes[InstanceId, T] | None = None
    ledger = _Ledger(stop, operation, at, rest)
    end = drained(stop, at.client, at.output) if operation.drains else nullcontext()
    try:
        async with end, fan_out as outcomes:
            async for outcome in outcomes:
                await ledger.take(outcome)
    except asyncio.CancelledError:
        if outcomes is None or not stop.take_over():
            raise
        await ledger.close(outcomes)
    except FanOutAborted as aborted:
        if stop.code is not None:
            ledger.say_cut_off([])
            return
        at.output.say(f"{aborted}; not begun: {left}" if (left := rest()) else str(aborted))
        at.tally.code = most_severe(at.tally.code, ExitCode.SOME_FAILED)
    except NoIds as none:
        at.output.say(none.message)
        at.tally.code = most_severe(at.tally.code, none.code)
    except Exit as exit_:  # the ids broke off
        at.output.say(exit_.message)
        at.tally.broke_off("the ids", exit_.code)
    except JournalError as error:
        _say_of_journal(error, at)
    except Exception:
        if outcomes is not None:
            await ledger.close(outcomes)
        raise


@attrs.frozen
class _Ledger(Generic[T]):
    """Accounts for each instance, whatever happens."""

    _stop: Stop
    _operation: Operation[T]
    _at: CommandContext
    _rest: Callable[[], str | None]
    _held_back: list[InstanceId] = attrs.field(factory=list, init=False)

    async def take(self, outcome: Outcome[InstanceId, T]) -> None:
        """Account for an outcome; where its row cannot be made, by a line, before that is raised."""
        if isinstance(outcome.error, ClientDraining):
            self._held_back.append(outcome.key)
            return
        try:
            await _account(self._operation, outcome, self._at)
        except Exception as fault:
            self._at.output.say(unwritten_line(outcome, fault))
            raise

    async def close(self, outcomes: Outcomes[InstanceId, T]) -> None:
        """Account for what was not handed out, and for what was cut off; raise a fault only behind all."""
        faults: list[Exception] = []
        if self._stop.message:
            self._at.output.say(self._stop.message)
        for outcome in [*outcomes.leftover, *self._known(outcomes.unfinished)]:
            try:
                await self.take(outcome)
            except Exception as fault:  # noqa: BLE001 - it is raised below
                faults.append(fault)
        self.say_cut_off(outcomes.unfinished)
        if faults:
            raise faults[0]

    def _known(self, unfinished: Sequence[InstanceId]) -> list[Outcome[InstanceId, T]]:
        """Of the instances that were cut off those of which all that matters was known."""
        known = [(one, self._operation.known(one)) for one in unfinished]
        return [Success(one, value, 0, 0.0) for one, value in known if value is not None]

    def say_cut_off(self, unfinished: Sequence[InstanceId]) -> None:
        """Say what was begun and cut off, and what was not begun."""
        lines: list[str] = []
        operation, rest = self._operation, self._rest()
        if (waits := self._at.tally.found[CUT_SHORT]) and self._at.output.takes_rows:
            lines += [f"{count(waits, 'backup')} {CUT_SHORT}: they go on, and their rows name them"]
        if operation.cut_off is not None:
            lines += operation.cut_off([*self._held_back, *unfinished], rest)
        elif self._stop.code is not ExitCode.CLOSED_PIPE:  # which is to be quiet
            lines += [f"{count(len(unfinished), 'instance')} cut off in the midst"] if unfinished else []
            lines += [f"not begun: {rest}"] if rest else []
        for line in lines:
            self._at.output.say(line)


def _say_of_journal(error: JournalError, at: CommandContext) -> None:
    """Say why a journal cannot be used; where nothing was done yet, it should be used otherwise."""
    at.output.say(str(error))
    begun = at.tally.succeeded + at.tally.failed
    at.tally.broke_off("the journal", ExitCode.SOME_FAILED if begun else ExitCode.USAGE)


async def _account(operation: Operation[T], outcome: Outcome[InstanceId, T], at: CommandContext) -> None:
    if isinstance(outcome.error, DuplicateInstance):
        at.tally.duplicates += 1
        at.output.say(str(outcome.error))
        return None
    if not outcome.ok:
        return await _account_failure(operation, outcome.key, outcome.error, at)
    value = outcome.value
    rows = operation.rows(outcome.key, value)
    at.tally.succeeded += 1
    at.tally.code = most_severe(at.tally.code, operation.code(value))
    what, number = operation.found(rows)
    at.tally.found[what] += number
    for row in rows:
        if row["error"] is not None:  # which a table does not show
            at.output.say(f"instance {outcome.key}: {row['error']}")
    return await at.write(rows, list(map(row_line, rows)) if operation.drains else ())


async def _account_failure(
    operation: Operation[T], instance_id: InstanceId, error: BaseException, at: CommandContext
) -> None:
    if isinstance(error, WaitFailed) and error.cause is None:  # we left; its trigger is well
        at.tally.succeeded += 1
        at.tally.found[CUT_SHORT] += 1
        instead = [failure_line(instance_id, error)]
    else:
        at.tally.fail(error)
        at.output.say(failure_line(instance_id, error))
        instead = []
    await at.write([operation.failure(instance_id, error)], instead)
