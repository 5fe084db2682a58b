"""What a command works with: a client with a token, its output, and its progress."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import attrs

from backupify_async._cli.command_progress import CommandProgress
from backupify_async._cli.exit_codes import Exit, ExitCode, TokenUnavailable, exit_code_of
from backupify_async._cli.options import RowOptions
from backupify_async._cli.output import Output
from backupify_async._cli.request_log import LoggingTransport, log_events
from backupify_async._cli.shutdown import Shutdown
from backupify_async._cli.terminal import columns_of, takes_colour
from backupify_async._cli.writers import Format, Layout, Row, Writer, writer
from backupify_async._transport.aiohttp_transport import AiohttpTransport
from backupify_async._transport.transport import Transport
from backupify_async.client import BackupifyClient
from backupify_async.config import SettingsOptions
from backupify_async.errors import (
    AuthenticationError,
    BackupifyError,
    ConfigurationError,
    MissingCredentials,
    RequestTimeout,
)
from backupify_async.events import EventHook
from backupify_async.ids import InstanceId


@attrs.frozen
class CommandContext:
    """What a command works with.

    Attributes:
        client: The client, which has a token.
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
        await self.output.rows(self.writer.header().encode())

    def count_success(
        self, instance_id: InstanceId, rows: Sequence[Row], found: tuple[str, int], code: ExitCode
    ) -> None:
        """Count an instance that succeeded, and report the errors in its rows: a table has no such column.

        Args:
            instance_id: The instance.
            rows: Its rows.
            found: What the rows count as in the summary, and how many of it.
            code: The exit code for its result.
        """
        what, number = found
        self.progress.succeeded += 1
        self.progress.found[what] += number
        self.progress.raise_code(code)
        for row in rows:
            if row["error"] is not None:
                self.output.message(f"instance {instance_id}: {row['error']}")

    async def write(self, rows: Sequence[Row], fallback: Sequence[str] = ()) -> None:
        """Write rows; where that is impossible, write the fallback to stderr."""
        await self.output.rows(self.writer.write(rows).encode("utf-8", "backslashreplace"), fallback)


@asynccontextmanager
async def command_context(
    shutdown: Shutdown,
    command: str,
    layout: Layout,
    options: RowOptions,
    *,
    concurrency: int = 1,
    on_event: EventHook | None = None,
    without_token: "Callable[[CommandContext, TokenUnavailable], Awaitable[None]] | None" = None,
) -> AsyncIterator[CommandContext]:
    """Open client and output, obtain a token, and write the summary at the end.

    Args:
        shutdown: Ends the command early.
        command: The command's name.
        layout: The columns of its rows.
        options: Its options.
        concurrency: The number of instances that it processes at the same time.
        on_event: The client's event hook.
        without_token: Called before the command ends because no token could be obtained.

    Raises:
        Exit: No token could be obtained, or a setting is invalid.
    """
    rows_writer = selected_writer(options.output, layout, options.fields)
    output = Output(shutdown, sys.stdout, sys.stderr)
    log = output.message if options.logs_requests else None
    client = make_client(options.settings(concurrency), on_event, log)
    async with output, client:
        progress = CommandProgress(command, client.statistics)
        progress.verbose = options.verbose > 0
        output.footer = rows_writer.footer
        context = CommandContext(client, output, rows_writer, progress, quiet=options.quiet)
        try:
            await _fetch_token(client, options.timeout)
        except TokenUnavailable as error:
            if without_token is not None:
                await without_token(context, error)
            raise
        yield context
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
    settings: SettingsOptions, on_event: EventHook | None = None, log: Callable[[str], None] | None = None
) -> BackupifyClient:
    """The client for the credentials in the environment.

    Args:
        settings: Its settings.
        on_event: Its event hook.
        log: Takes a line for each request, response and retry decision; None for no such lines.

    Raises:
        Exit: There are no credentials, or a setting is invalid.
    """
    transport: Transport | None = None
    if log is not None:
        transport, on_event = LoggingTransport(AiohttpTransport(), log), log_events(on_event, log)
    try:
        return BackupifyClient.from_env(os.environ, transport=transport, on_event=on_event, **settings)
    except MissingCredentials as error:
        raise Exit(ExitCode.USAGE, f"{error.problem}; `backupify demo` needs none") from None
    except ConfigurationError as error:  # without its `override`, which is no option of the command line
        raise Exit(ExitCode.USAGE, error.problem) from None


async def _fetch_token(client: BackupifyClient, timeout: float | None) -> None:  # noqa: ASYNC109
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
