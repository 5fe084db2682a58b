"""Accounts for each instance of a sweep, however the sweep ends."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import attrs

from backupify_async._cli.command_context import CommandContext
from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.fleet_action import FleetAction
from backupify_async._cli.plurals import count
from backupify_async._cli.rows import failure_message, missing_row_message, row_message
from backupify_async._cli.shutdown import Shutdown
from backupify_async._fleet.outcomes import Outcome, Success
from backupify_async._fleet.streaming import Outcomes
from backupify_async.errors import ClientDraining, DuplicateInstance, WaitFailed
from backupify_async.ids import InstanceId

WAIT_INTERRUPTED = "wait interrupted"
"""What a trigger whose wait was interrupted counts as in the summary."""
T = TypeVar("T")


@attrs.frozen
class OutcomeRecorder(Generic[T]):
    """Writes a row for each outcome, and counts it.

    Args:
        shutdown: Ends the command early.
        action: What is done to each instance.
        context: Where the outcomes go.
        remaining: Returns the ids that were not begun, in words; None where all were.
    """

    _shutdown: Shutdown
    _action: FleetAction[T]
    _context: CommandContext
    _remaining: Callable[[], str | None]
    _not_sent: list[InstanceId] = attrs.field(factory=list, init=False)

    async def record(self, outcome: Outcome[InstanceId, T]) -> None:
        """Record an outcome; if a bug prevents its row, write a message instead, and raise the error."""
        if isinstance(outcome.error, ClientDraining):
            self._not_sent.append(outcome.key)
            return
        try:
            await self._record(outcome)
        except Exception as fault:
            self._context.output.message(missing_row_message(outcome, fault))
            raise

    async def finish(self, outcomes: Outcomes[InstanceId, T]) -> None:
        """Record the remaining outcomes, and report what was interrupted; then raise any error."""
        faults: list[Exception] = []
        if self._shutdown.message:
            self._context.output.message(self._shutdown.message)
        for outcome in [*outcomes.leftover, *self._known(outcomes.unfinished)]:
            try:
                await self.record(outcome)
            except Exception as fault:  # noqa: BLE001 - raised below
                faults.append(fault)
        self.report_interrupted(outcomes.unfinished)
        if faults:
            raise faults[0]

    def report_interrupted(self, unfinished: Sequence[InstanceId]) -> None:
        """Report the instances that were interrupted, and those that were not begun."""
        action, output, remaining = self._action, self._context.output, self._remaining()
        messages: list[str] = []
        if (waits := self._context.progress.found[WAIT_INTERRUPTED]) and output.takes_rows:
            messages += [f"{count(waits, 'backup')} still running: the wait was interrupted"]
        if action.interrupted_messages is not None:
            messages += action.interrupted_messages([*self._not_sent, *unfinished], remaining)
        elif self._shutdown.code is not ExitCode.CLOSED_PIPE:  # where a command says nothing
            messages += [f"{count(len(unfinished), 'instance')} interrupted"] if unfinished else []
            messages += [f"not begun: {remaining}"] if remaining else []
        for message in messages:
            output.message(message)

    def _known(self, unfinished: Sequence[InstanceId]) -> list[Outcome[InstanceId, T]]:
        """The outcomes of interrupted instances whose result is known anyway."""
        known = [(one, self._action.known_result(one)) for one in unfinished]
        return [Success(one, value, 0, 0.0) for one, value in known if value is not None]

    async def _record(self, outcome: Outcome[InstanceId, T]) -> None:
        action, context, progress = self._action, self._context, self._context.progress
        if isinstance(outcome.error, DuplicateInstance):
            progress.duplicates += 1
            context.output.message(str(outcome.error))
            return None
        if not outcome.ok:
            return await self._record_failure(outcome.key, outcome.error)
        value = outcome.value
        rows = action.rows(outcome.key, value)
        what, number = action.found(rows)
        progress.succeeded += 1
        progress.found[what] += number
        progress.raise_code(action.code(value))
        for row in rows:
            if row["error"] is not None:  # a table has no such column
                context.output.message(f"instance {outcome.key}: {row['error']}")
        return await context.write(rows, list(map(row_message, rows)) if action.graceful else ())

    async def _record_failure(self, instance_id: InstanceId, error: BaseException) -> None:
        progress, message = self._context.progress, failure_message(instance_id, error)
        fallback = []
        if isinstance(error, WaitFailed) and error.cause is None:  # interrupted; the trigger succeeded
            progress.succeeded += 1
            progress.found[WAIT_INTERRUPTED] += 1
            fallback = [message]
        else:
            progress.add_failure(error)
            self._context.output.message(message)
        await self._context.write([self._action.failure(instance_id, error)], fallback)
