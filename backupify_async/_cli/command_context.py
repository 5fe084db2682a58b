"""What a command works with: its client with a token, its output, its tally."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import attrs

from backupify_async._cli.exit_codes import Exit, ExitCode, Unreached, code_of
from backupify_async._cli.interrupts import Stop
from backupify_async._cli.options import CallOptions
from backupify_async._cli.output import Output
from backupify_async._cli.rows import Row, Shape, Writer, writer
from backupify_async._cli.tally import Tally
from backupify_async._cli.terminal import columns_of, takes_colour
from backupify_async.client import BackupifyClient
from backupify_async.errors import (
    AuthenticationError,
    BackupifyError,
    ConfigurationError,
    MissingCredentials,
    RequestTimeout,
)
from backupify_async.events import EventHook


@attrs.frozen
class CommandContext:
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

    async def write(self, rows: Sequence[Row], instead: Sequence[str] = ()) -> None:
        """Write rows; what stands instead is said on stderr where they cannot be written."""
        await self.output.rows(self.writer.write(rows).encode("utf-8", "backslashreplace"), instead)


@asynccontextmanager
async def command_context(
    stop: Stop,
    command: str,
    shape: Shape,
    options: CallOptions,
    *,
    concurrency: int = 1,
    on_event: EventHook | None = None,
    unreached: "Callable[[CommandContext, Unreached], Awaitable[None]] | None" = None,
) -> AsyncIterator[CommandContext]:
    """Client, token and output of a command, and its summary at the end.

    Args:
        stop: The request to end early.
        command: The command's name.
        shape: The columns of its rows.
        options: Its options.
        concurrency: How many instances it goes over at once.
        on_event: The client's hook.
        unreached: Writes what is to be written where there is no token to be had for now.

    Raises:
        Exit: There is no token to be had, or the settings cannot work.
    """
    client = _client(options, concurrency, on_event)
    async with Output(stop, sys.stdout, sys.stderr) as output, client:
        tally = Tally(command, client.statistics)
        at = CommandContext(client, output, _writer(options, shape), tally, quiet=options.quiet)
        try:
            await fetch_token(client, options.timeout)
        except Unreached as why:
            if unreached is not None:
                await unreached(at, why)
            raise
        yield at
        if not options.quiet and stop.code is not ExitCode.CLOSED_PIPE:
            output.say(tally.summary())


def _client(options: CallOptions, concurrency: int, on_event: EventHook | None) -> BackupifyClient:
    try:
        return BackupifyClient.from_env(os.environ, on_event=on_event, **options.settings(concurrency))
    except MissingCredentials as error:
        raise Exit(ExitCode.USAGE, f"{error.problem}; `backupify demo` needs none") from None
    except ConfigurationError as error:  # no option of the command line is its `override`
        raise Exit(ExitCode.USAGE, error.problem) from None


async def fetch_token(client: BackupifyClient, timeout: float | None) -> None:  # noqa: ASYNC109 - the library's
    """Get the token before the sweep begins: a wrong secret is asked about once, not once an instance.

    Raises:
        Exit: There is none to be had; `Unreached` where that is nobody's refusal.
    """
    try:
        async with asyncio.timeout(timeout):
            await client.fetch_token()
    except TimeoutError:
        raise Unreached(RequestTimeout(f"none came in {timeout:g} s")) from None
    except AuthenticationError as error:
        raise Exit(ExitCode.AUTHENTICATION, f"not let in: {error}") from None
    except ConfigurationError as error:
        raise Exit(code_of(error), f"no token: {error}") from None
    except BackupifyError as error:
        raise Unreached(error) from None


def _writer(options: CallOptions, shape: Shape) -> Writer:
    return writer(options.output, shape, columns_of(sys.stdout), colour=takes_colour(sys.stdout))
