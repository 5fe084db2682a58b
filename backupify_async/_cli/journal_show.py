"""The command `journal show`: how far a sweep is, also while another process is at it."""

import sys
from datetime import UTC
from pathlib import Path

from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._cli.interrupts import Stop
from backupify_async._cli.output import Output
from backupify_async._cli.records import COUNTED, WRITTEN, counted_rows, written_row
from backupify_async._cli.rows import Format, Row, Writer, writer
from backupify_async._journal.entries import SweepInfo
from backupify_async._journal.snapshot import open_snapshot
from backupify_async.errors import ConfigurationError, JournalError

_AT_ONCE = 500  # rows


async def show(stop: Stop, path: Path, output_format: Format) -> ExitCode:
    """Write how many instances are how far, as a table for people; or a row for each instance.

    Raises:
        Exit: There is no journal that can be read.
    """
    as_table = output_format == "table"
    write = writer(output_format, COUNTED if as_table else WRITTEN, None, colour=False)
    try:
        async with open_snapshot(path) as storage, Output(stop, sys.stdout, sys.stderr) as output:
            await output.rows(write.header().encode())
            if as_table:
                await _write(output, write, counted_rows(await storage.counts()))
                output.say(_in_words(await storage.read_sweep()))
                return ExitCode.ALL_WELL
            rows: list[Row] = []
            async for entry in storage.read_entries():
                rows.append(written_row(entry))
                if len(rows) == _AT_ONCE:
                    await _write(output, write, rows)
                    rows = []
            await _write(output, write, rows)
    except (ConfigurationError, JournalError) as error:
        raise Exit(ExitCode.USAGE, str(error)) from None
    return ExitCode.ALL_WELL


async def _write(output: Output, write: Writer, rows: list[Row]) -> None:
    await output.rows(write.write(rows).encode("utf-8", "backslashreplace"))


def _in_words(sweep: SweepInfo) -> str:
    whose = "nothing triggered yet" if sweep.account is None else str(sweep.account)
    read = "all ids read" if sweep.read_to_end else "not all ids read"
    begun = f"begun {sweep.begun_at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    return "; ".join([f"sweep of {sweep.name}" if sweep.name else "no name", whose, begun, read])
