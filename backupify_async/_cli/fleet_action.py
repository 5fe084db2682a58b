"""What a command does to each instance."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Generic, TypeVar

import attrs

from backupify_async._cli.command_context import CommandContext
from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.rows import failure_row, found_state
from backupify_async._cli.writers import Layout, Row
from backupify_async._fleet.fan_out import FanOut
from backupify_async._fleet.fleet import Fleet
from backupify_async.client import BackupifyClient
from backupify_async.events import EventHook
from backupify_async.ids import InstanceId

T = TypeVar("T")


@attrs.frozen
class FleetAction(Generic[T]):
    """What a command does to each instance. Only the first four are needed.

    Attributes:
        command: The command's name.
        layout: The columns of its rows.
        start: Starts the fan-out over a fleet; the flag says whether its outcomes keep the order of the ids.
        rows: Returns the rows of an instance that succeeded.
        failure: Returns the row of an instance that failed.
        found: Returns what the rows count as in the summary, and how many of it.
        code: Returns the exit code for a result.
        confirm: Called when there is a token, before the sweep begins; raises `Exit` to prevent it.
        known_result: Returns the result of an instance whose call was interrupted, if it is known.
        interrupted_messages: Returns messages about the instances that were interrupted and, in words, about
            the ids that were not begun. None to report only how many.
        on_event: The client's event hook.
        graceful: Whether a signal lets the calls in flight complete.
        resources: What is open during the sweep; it raises `Exit` to prevent the sweep.
        has_journal: Whether a journal, and not the ids given, decides which instances have a row.
        remaining_ids: Returns the ids that were not begun, in words, given those not read from their source.
    """

    command: str
    layout: Layout
    start: Callable[[BackupifyClient, Fleet, bool], FanOut[InstanceId, T]]
    rows: Callable[[InstanceId, T], list[Row]]
    failure: Callable[[InstanceId, BaseException], Row] = failure_row
    found: Callable[[list[Row]], tuple[str, int]] = found_state
    code: Callable[[T], ExitCode] = lambda _: ExitCode.SUCCESS
    confirm: Callable[[BackupifyClient], Awaitable[None]] | None = None
    known_result: Callable[[InstanceId], T | None] = lambda _: None
    interrupted_messages: Callable[[Sequence[InstanceId], str | None], list[str]] | None = None
    on_event: EventHook | None = None
    graceful: bool = False
    resources: Callable[[CommandContext], AbstractAsyncContextManager[None]] = lambda _: nullcontext()
    has_journal: bool = False
    remaining_ids: Callable[[str | None], str | None] = lambda of_source: of_source
