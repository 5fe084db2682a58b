"""The commands of the group `journal`."""

import sys
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from backupify_async._cli.command_context import selected_writer
from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._cli.help_text import examples
from backupify_async._cli.options import OUTPUT, FieldNames, absolute_path, file_name
from backupify_async._cli.output import Output
from backupify_async._cli.rows import JOURNAL_COUNTS, JOURNAL_ENTRIES, count_rows, entry_row
from backupify_async._cli.shutdown import Shutdown, run_command
from backupify_async._cli.writers import Format, Row
from backupify_async._journal.entries import SweepInfo
from backupify_async._journal.snapshot import open_snapshot
from backupify_async.errors import ConfigurationError, JournalError

STATES = """States, and what `backupify resume` does:

  read            nothing was sent: triggers the instance
  intended        a trigger was sent, or about to be: looks up its backup
  started         a backup was started: nothing; --wait waits for its end
  adopted         as started; the response was lost, and the backup found
  already_active  another backup was running, and none was started: as started
  failed          surely no backup was started: triggers the instance again
  ambiguous       a backup may or may not have been started: looks it up again"""
EXAMPLES = examples(
    "backupify journal show tonight.sqlite", "backupify journal show tonight.sqlite -o jsonl | grep ambiguous"
)
_ROWS_AT_ONCE = 500

app = App(name="journal", help="Inspect the journal of a sweep.", help_epilogue=EXAMPLES, sort_key=8)


@app.command(help_epilogue=f"{STATES}\n\n{EXAMPLES}")
def show(
    file: Annotated[str, Parameter(validator=file_name)],
    /,
    *,
    output: Annotated[Format, Parameter(group=OUTPUT, alias="-o")] = "table",
    fields: FieldNames = None,
) -> int:
    """Show the progress of a sweep.

    Args:
        file: The journal; the sweep can be running.
        output: A table counts the instances; other formats list them.
    """
    return run_command(partial(_show, path=absolute_path(file), output_format=output, fields=fields))


async def _show(shutdown: Shutdown, path: Path, output_format: Format, fields: str | None = None) -> ExitCode:
    """Write the number of instances in each state, as a table; or a row for each instance.

    Raises:
        Exit: The journal does not exist, or cannot be read.
    """
    as_table = output_format == "table"
    rows_writer = selected_writer(output_format, JOURNAL_COUNTS if as_table else JOURNAL_ENTRIES, fields)
    try:
        async with open_snapshot(path) as storage, Output(shutdown, sys.stdout, sys.stderr) as output:
            output.footer = rows_writer.footer
            await output.rows(rows_writer.header())
            if as_table:
                await output.rows(rows_writer.write(count_rows(await storage.counts())))
                output.message(_describe(await storage.read_sweep()))
                return ExitCode.SUCCESS
            rows: list[Row] = []
            async for entry in storage.read_entries():
                rows.append(entry_row(entry))
                if len(rows) == _ROWS_AT_ONCE:
                    await output.rows(rows_writer.write(rows))
                    rows = []
            await output.rows(rows_writer.write(rows))
    except (ConfigurationError, JournalError) as error:
        raise Exit(ExitCode.USAGE, str(error)) from None
    return ExitCode.SUCCESS


def _describe(sweep: SweepInfo) -> str:
    name = f"sweep of {sweep.name}" if sweep.name else "unnamed sweep"
    account = "nothing triggered yet" if sweep.account is None else str(sweep.account)
    begun = f"begun {sweep.begun_at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    return "; ".join([name, account, begun, "all ids read" if sweep.read_to_end else "not all ids read"])
