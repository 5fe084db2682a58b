"""Runs a command over many instances: ids in, rows out, every instance accounted for."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Generic, TypeVar

import attrs

from backupify_async.cli.bookmark import Bookmark
from backupify_async.cli.draining import drained
from backupify_async.cli.exits import Exit, ExitCode, code_of, gravest, reason
from backupify_async.cli.ids import Ids
from backupify_async.cli.interrupts import Stop
from backupify_async.cli.options import CallOptions, FleetOptions
from backupify_async.cli.output import Output
from backupify_async.cli.progress import Tally
from backupify_async.cli.rows import Row, Shape, Writer, writer
from backupify_async.cli.text import count
from backupify_async.client import BackupifyClient
from backupify_async.errors import (
    AmbiguousTrigger,
    AuthenticationError,
    BackupifyError,
    ClientDraining,
    ConfigurationError,
    DuplicateInstance,
    FanOutAborted,
    JournalError,
    WaitFailed,
)
from backupify_async.events import EventHook
from backupify_async.fleet.fan_out import FanOut
from backupify_async.fleet.fleet import Fleet, InstanceId
from backupify_async.fleet.outcomes import Outcome
from backupify_async.fleet.streaming import Outcomes

T = TypeVar("T")


@attrs.frozen
class Operation(Generic[T]):
    """What is done to each instance.

    Attributes:
        command: The command's name.
        shape: The columns of its rows.
        begin: Begins it over a fleet, with its outcomes in the order of the ids or not.
        rows: The rows of one instance's answer.
        found: What an answer counts as in the summary: how many of what.
        code: The exit code that an answer asks for.
        agree: Asked before the sweep begins, once there is a token; raises `Exit` to prevent it.
        known: What an instance's answer is known to be, though its call was cut off; None where it is not.
        cut_off: Says what matters about instances that were begun and cut off, and about the ids that were
            not begun; None where only their number does.
        on_event: The client's hook.
        drains: Whether what has left is worth following to its end, where somebody wants the command's.
        hold: What is open while the sweep goes on; what it raises as `Exit` prevents the sweep.
        rest: Says which ids were not begun, told which their source has still to give; None for none.
    """

    command: str
    shape: Shape
    begin: Callable[[Fleet, bool], FanOut[InstanceId, T]]
    rows: Callable[[InstanceId, T], list[Row]]
    found: Callable[[list[Row]], tuple[str, int]] = lambda rows: (str(rows[0]["state"]), 1)
    code: Callable[[T], ExitCode] = lambda _: ExitCode.ALL_WELL
    agree: Callable[[BackupifyClient], Awaitable[None]] | None = None
    known: Callable[[InstanceId], T | None] = lambda _: None
    cut_off: Callable[[Sequence[InstanceId], str | None], list[str]] | None = None
    on_event: EventHook | None = None
    drains: bool = False
    hold: Callable[["Desk"], AbstractAsyncContextManager[None]] = lambda _: nullcontext()
    rest: Callable[[str | None], str | None] = lambda of_source: of_source


@attrs.frozen
class Desk:
    """What a command works with.

    Attributes:
        client: The client, which has its token.
        output: Where its words go.
        writer: Makes text of its rows.
        tally: Counts what it does.
        quiet: Whether nobody wants to know how far it is.
    """

    client: BackupifyClient
    output: Output
    writer: Writer
    tally: Tally
    quiet: bool

    async def begin(self) -> None:
        """Write the header, and show from now on how far it is."""
        self.tally.begin()
        if not self.quiet:
            self.output.show(self.tally.status)
        await self.output.rows(self.writer.header().encode())

    async def write(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        await self.output.rows(self.writer.write(rows).encode("utf-8", "backslashreplace"))


@asynccontextmanager
async def desk(
    stop: Stop,
    command: str,
    shape: Shape,
    options: CallOptions,
    *,
    concurrency: int = 1,
    on_event: EventHook | None = None,
) -> AsyncIterator[Desk]:
    """Client, token and output of a command, and its summary at the end.

    Raises:
        Exit: There is no token to be had, or the settings cannot work.
    """
    client = _client(options, concurrency, on_event)
    async with Output(stop, sys.stdout, sys.stderr) as output, client:
        await fetch_token(client, options.timeout)
        tally = Tally(command, client.statistics)
        yield Desk(client, output, _writer(options, shape), tally, quiet=options.quiet)
        if not options.quiet and stop.code is not ExitCode.CLOSED_PIPE:
            output.say(tally.summary())


def _client(options: CallOptions, concurrency: int, on_event: EventHook | None) -> BackupifyClient:
    try:
        return BackupifyClient.from_env(os.environ, on_event=on_event, **options.settings(concurrency))
    except ConfigurationError as error:
        hint = "; `backupify demo` needs none" if str(error).startswith("no credentials") else ""
        text = str(error).partition(", or say allow_insecure")[0]  # which no option of ours says
        raise Exit(ExitCode.USAGE, f"{text}{hint}") from None


async def fetch_token(client: BackupifyClient, timeout: float | None) -> None:  # noqa: ASYNC109 - the library's
    """Get the token before the sweep begins: a wrong secret is asked about once, not once an instance.

    Raises:
        Exit: There is none to be had.
    """
    try:
        async with asyncio.timeout(timeout):
            await client.fetch_token()
    except TimeoutError:
        raise Exit(ExitCode.SOME_FAILED, f"no token: none came in {timeout:g} s") from None
    except AuthenticationError as error:
        raise Exit(ExitCode.AUTHENTICATION, f"not let in: {error}") from None
    except BackupifyError as error:
        raise Exit(code_of(error), f"no token: {error}") from None


def _writer(options: CallOptions, shape: Shape) -> Writer:
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if on_terminal else None
    colour = on_terminal and "NO_COLOR" not in os.environ
    return writer(options.output, shape, width, colour=colour)


async def sweep(stop: Stop, operation: Operation[T], ids: Ids, options: FleetOptions) -> ExitCode:
    """Do something to each instance.

    Raises:
        Exit: It could not begin.
    """
    async with desk(
        stop,
        operation.command,
        operation.shape,
        options,
        concurrency=options.concurrency,
        on_event=operation.on_event,
    ) as at:
        if operation.agree is not None:
            await operation.agree(at.client)
        at.tally.total = lambda: ids.total
        at.tally.verbose = options.verbose
        bookmark = Bookmark(ids)
        fleet = at.client.fleet(bookmark.read(at.client), concurrency=options.concurrency)
        try:
            async with operation.hold(at):
                await at.begin()
                fan_out = operation.begin(fleet, options.ordered)
                await stream(stop, operation, fan_out, at, lambda: operation.rest(bookmark.rest()))
        except JournalError as error:
            _say_of_journal(error, at)
    return at.tally.code


async def stream(
    stop: Stop,
    operation: Operation[T],
    fan_out: FanOut[InstanceId, T],
    at: Desk,
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
    held_back: list[InstanceId] = []

    async def take(outcome: Outcome[InstanceId, T]) -> None:
        if isinstance(outcome.error, ClientDraining):
            held_back.append(outcome.key)
        else:
            await _account(operation, outcome, at)

    end = drained(stop, at.client, at.output) if operation.drains else nullcontext()
    try:
        async with end, fan_out as outcomes:
            async for outcome in outcomes:
                await take(outcome)
    except asyncio.CancelledError:
        if outcomes is None or not stop.take_over():
            raise
        for outcome in outcomes.leftover:
            await take(outcome)
        if stop.message:
            at.output.say(stop.message)
        await _account_cut_off(operation, outcomes.unfinished, at)
        _say_cut_off(stop, operation, [*held_back, *outcomes.unfinished], rest(), at)
    except FanOutAborted as aborted:
        if stop.code is not None:
            _say_cut_off(stop, operation, held_back, rest(), at)
            return
        at.output.say(f"{aborted}; not begun: {left}" if (left := rest()) else str(aborted))
        at.tally.code = gravest(at.tally.code, ExitCode.SOME_FAILED)
    except Exit as exit_:  # the ids broke off
        at.output.say(exit_.message)
        at.tally.broke_off("the ids", exit_.code)
    except JournalError as error:
        _say_of_journal(error, at)


def _say_of_journal(error: JournalError, at: Desk) -> None:
    """Say why a journal cannot be used; where nothing was done yet, it should be used otherwise."""
    at.output.say(str(error))
    begun = at.tally.succeeded + at.tally.failed
    at.tally.broke_off("the journal", ExitCode.SOME_FAILED if begun else ExitCode.USAGE)


async def _account_cut_off(operation: Operation[T], unfinished: Sequence[InstanceId], at: Desk) -> None:
    """Account for the instances that were cut off when all that matters about them was known."""
    for instance_id in unfinished:
        value = operation.known(instance_id)
        if value is not None:
            await _account(operation, Outcome(instance_id, value, None, 0, 0.0), at)


def _say_cut_off(
    stop: Stop, operation: Operation[T], unfinished: Sequence[InstanceId], rest: str | None, at: Desk
) -> None:
    lines: list[str] = []
    if operation.cut_off is not None:
        lines += operation.cut_off(unfinished, rest)
    elif stop.code is not ExitCode.CLOSED_PIPE:  # which is to be quiet
        lines += [f"{count(len(unfinished), 'instance')} cut off in the midst"] if unfinished else []
        lines += [f"not begun: {rest}"] if rest else []
    for line in lines:
        at.output.say(line)


async def _account(operation: Operation[T], outcome: Outcome[InstanceId, T], at: Desk) -> None:
    if isinstance(outcome.error, DuplicateInstance):
        at.tally.duplicates += 1
        at.output.say(str(outcome.error))
        return
    if outcome.error is not None:
        at.tally.fail(outcome.error)
        at.output.say(failure_line(outcome.key, outcome.error))
        return
    value: T = outcome.value  # type: ignore[assignment] # it succeeded: it is a T
    rows = operation.rows(outcome.key, value)
    at.tally.succeeded += 1
    at.tally.code = gravest(at.tally.code, operation.code(value))
    what, number = operation.found(rows)
    at.tally.found[what] += number
    await at.write(rows)


def failure_line(instance_id: InstanceId, error: BaseException) -> str:
    """One line that names an instance and why it failed."""
    if isinstance(error, AmbiguousTrigger | WaitFailed):
        return reason(error)  # which names the instance already
    return f"instance {instance_id} failed: {reason(error)}"
