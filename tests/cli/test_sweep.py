"""Outcomes of a sweep that is stopped, without a network."""

import asyncio
import json
from collections.abc import Sequence
from typing import cast

from backupify_async import Backup, BackupifyClient, fan_out
from backupify_async._cli.command_context import CommandContext
from backupify_async._cli.command_progress import CommandProgress
from backupify_async._cli.commands.active import ACTION
from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.output import Output
from backupify_async._cli.rows import failure_message
from backupify_async._cli.shutdown import Shutdown, run_command
from backupify_async._cli.sweep import stream
from backupify_async._cli.writers import JsonLinesWriter
from tests.support.commands import QUIET


class FakeOutput:
    """Records rows and messages; stops the command after the first row, once no other call can end."""

    def __init__(self, shutdown: Shutdown) -> None:
        self.shutdown = shutdown
        self.written: list[int] = []
        self.messages: list[str] = []

    async def rows(self, data: bytes, _instead: Sequence[str] = ()) -> None:
        self.written.append(json.loads(data)["instance_id"])
        if len(self.written) == 1:
            for _ in range(20):
                await asyncio.sleep(0)
            self.shutdown.request(ExitCode.INTERRUPTED, "interrupted")
            await asyncio.sleep(0)

    def message(self, line: str) -> None:
        self.messages.append(line)


async def idle_except_for_three(key: int | str) -> Backup | None:
    if key == 3:
        await asyncio.Event().wait()
    return None


async def sweep_that_is_stopped(shutdown: Shutdown) -> ExitCode:
    output = FakeOutput(shutdown)
    at = CommandContext(
        cast("BackupifyClient", None),
        cast("Output", output),
        JsonLinesWriter(),
        CommandProgress("active", lambda: QUIET),
        quiet=True,
    )
    ids: list[int | str] = [1, 2, 3, 4]
    outcomes = fan_out(idle_except_for_three, ids)
    await stream(shutdown, ACTION, outcomes, at, lambda: "any ids after 4 in stdin")
    assert output.written == [1, 2, 4]
    assert output.messages == ["interrupted", "1 instance interrupted", "not begun: any ids after 4 in stdin"]
    assert at.progress.succeeded == 3
    return at.progress.code


def test_outcomes_that_were_not_read_yet_are_written_too() -> None:
    assert run_command(sweep_that_is_stopped) == ExitCode.INTERRUPTED


def test_of_an_unexpected_error_only_the_type_is_shown() -> None:
    assert failure_message(7, RuntimeError("Bearer hunter2")) == "instance 7 failed: unexpected RuntimeError"
