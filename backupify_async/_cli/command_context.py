"""What a command works with: a client, its output, and its progress."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import attrs

from backupify_async._cli.command_progress import CommandProgress
from backupify_async._cli.exit_codes import Exit, ExitCode, TokenUnavailable, exit_code_of
from backupify_async._cli.options import RequestOptions, RowOptions
from backupify_async._cli.output import Output
from backupify_async._cli.request_log import LoggingTransport, log_events
from backupify_async._cli.shared_option import shared_state
from backupify_async._cli.shutdown import Shutdown
from backupify_async._cli.terminal import columns_of, takes_colour
from backupify_async._cli.writers import Format, Layout, Row, Writer, writer
from backupify_async._transport.aiohttp_transport import AiohttpTransport
from backupify_async._transport.transport import Transport
from backupify_async.client import BackupifyClient
from backupify_async.errors import (
    AuthenticationError,
    BackupifyError,
    ConfigurationError,
    MissingCredentials,
    RequestTimeout,
)
from backupify_async.events import EventHook, SharedStoreAway, SharedStoreBack


@attrs.frozen
class CommandContext:
    """What a command works with.

    Attributes:
        client: The client.
        output: Its stdout and stderr.
        writer: Formats its rows.
        progress: Counts what it does.
        quiet: Whether progress and summary are off.
    """

    client: BackupifyClient
    output: Output
    writer: Writer
    progress: CommandProgress
    quiet: bool

    async def start(self) -> None:
        """Write the header, and show the progress from now on."""
        self.progress.start()
        if not self.quiet:
            self.output.show_status(self.progress.status)
        await self.output.rows(self.writer.header())

    async def write(self, rows: Sequence[Row], fallback: Sequence[str] = ()) -> None:
        """Write rows; where that is impossible, write the fallback to stderr."""
        await self.output.rows(self.writer.write(rows), fallback)


@asynccontextmanager
async def command_context(
    shutdown: Shutdown, command: str, layout: Layout, options: RowOptions, on_event: EventHook | None = None
) -> AsyncIterator[CommandContext]:
    """Open client and output, and write the summary at the end.

    Args:
        shutdown: Ends the command early.
        command: The command's name.
        layout: The columns of its rows.
        options: Its options.
        on_event: The client's event hook.

    Raises:
        Exit: There are no credentials, or a setting is invalid.
    """
    rows_writer = selected_writer(options.output, layout, options.fields)
    output = Output(shutdown, sys.stdout, sys.stderr)
    client = make_client(options, output.message, on_event, logs_requests=options.logs_requests)
    async with output, opened(client):
        progress = CommandProgress(command, client.statistics)
        progress.verbose = options.verbose > 0
        output.footer = rows_writer.footer
        yield CommandContext(client, output, rows_writer, progress, quiet=options.quiet)
        if not options.quiet and shutdown.code is not ExitCode.CLOSED_PIPE:
            output.message(progress.summary())


def selected_writer(output_format: Format, layout: Layout, fields: str | None) -> Writer:
    """The writer of a format for stdout, with the columns that `--fields` names; None for all.

    Raises:
        Exit: There is no such column.
    """
    names = None if fields is None else [name.strip() for name in fields.split(",")]
    width, colour = columns_of(sys.stdout), takes_colour(sys.stdout)
    try:
        return writer(output_format, layout, width, colour=colour, fields=names)
    except ValueError as error:
        raise Exit(ExitCode.USAGE, f"--fields: {error}") from None


def make_client(
    options: RequestOptions,
    log: Callable[[str], None],
    on_event: EventHook | None = None,
    *,
    logs_requests: bool = False,
) -> BackupifyClient:
    """The client for the credentials in the environment.

    Args:
        options: The command's options.
        log: Takes a line when the shared store is away or back, and what `logs_requests` asks for.
        on_event: The client's event hook.
        logs_requests: Whether there is a line for each request, response and retry decision.

    Raises:
        Exit: There are no credentials, or a setting is invalid.
    """
    transport: Transport | None = None
    if logs_requests:
        transport, on_event = LoggingTransport(AiohttpTransport(), log), log_events(on_event, log)
    elif options.shared is not None or os.environ.get("BACKUPIFY_SHARED"):
        on_event = log_events(on_event, log, SharedStoreAway | SharedStoreBack, lead="")
    shared = None if options.shared is None else shared_state(options.shared, os.environ)
    try:
        return BackupifyClient.from_env(
            os.environ, transport=transport, shared=shared, on_event=on_event, **options.settings()
        )
    except MissingCredentials as error:
        raise Exit(ExitCode.USAGE, f"{error.problem}; `backupify demo` needs none") from None
    except ConfigurationError as error:  # without its `override`, which is no option of the command line
        raise Exit(ExitCode.USAGE, error.problem) from None


@asynccontextmanager
async def opened(client: BackupifyClient) -> AsyncIterator[BackupifyClient]:
    """Open the client.

    Raises:
        Exit: It cannot be opened: what --shared names cannot be used.
    """
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(client)
        except ConfigurationError as error:
            raise Exit(ExitCode.USAGE, error.problem) from None
        yield client


async def fetch_token(client: BackupifyClient, timeout: float | None) -> None:  # noqa: ASYNC109
    """Get a token before the sweep begins: a wrong secret is one failure, and not one for each instance.

    Raises:
        Exit: The credentials were refused; `TokenUnavailable` where another reason prevents it for now.
    """
    try:
        async with asyncio.timeout(timeout):
            await client.fetch_token()
    except TimeoutError:
        raise TokenUnavailable(RequestTimeout(f"no response within {timeout:g} s")) from None
    except AuthenticationError as error:
        raise Exit(ExitCode.AUTHENTICATION, f"authentication failed: {error}") from None
    except ConfigurationError as error:
        raise Exit(exit_code_of(error), f"no token: {error}") from None
    except BackupifyError as error:
        raise TokenUnavailable(error) from None
