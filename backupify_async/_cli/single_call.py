"""What a command works with that has no rows: a client, and its output."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import attrs
from cyclopts import Parameter

from backupify_async._cli.command_context import make_client, opened
from backupify_async._cli.error_messages import reason
from backupify_async._cli.exit_codes import Exit, ExitCode, exit_code_of
from backupify_async._cli.options import VERBOSITY, RequestOptions
from backupify_async._cli.output import Output
from backupify_async._cli.shutdown import Shutdown
from backupify_async.client import BackupifyClient
from backupify_async.errors import BackupifyError
from backupify_async.events import EventHook


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class SingleCallOptions(RequestOptions):
    """The options of every command that calls the API and has no rows."""

    verbose: Annotated[
        int,
        VERBOSITY,
        Parameter(help="Show each request and response on stderr, as -vv of the other commands does."),
    ] = 0


SINGLE_CALL_DEFAULTS = SingleCallOptions()


@asynccontextmanager
async def single_call(
    shutdown: Shutdown, options: SingleCallOptions, on_event: EventHook | None = None
) -> AsyncIterator[tuple[BackupifyClient, Output]]:
    """Open client and output.

    Args:
        shutdown: Ends the command early.
        options: The command's options.
        on_event: The client's event hook.

    Raises:
        Exit: There are no credentials, or a setting is invalid.
    """
    output = Output(shutdown, sys.stdout, sys.stderr)
    client = make_client(options, output.message, on_event, logs_requests=bool(options.verbose))
    async with output, opened(client):
        yield client, output


def failed(error: BackupifyError) -> Exit:
    """The end of a command whose only call failed."""
    code = exit_code_of(error)
    if code is ExitCode.AUTHENTICATION:
        return Exit(code, f"authentication failed: {reason(error)}")
    return Exit(code, reason(error))
