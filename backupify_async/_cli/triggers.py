"""What is special about triggering: it asks first, it can only pretend, and it leaves nothing unsaid."""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._cli.id_files import STDIN
from backupify_async._cli.ids import FileIds, GivenIds, Ids, no_instances
from backupify_async._cli.output import write_all
from backupify_async._cli.reading import read_some
from backupify_async._cli.records import backup_row
from backupify_async._cli.rows import Row
from backupify_async._cli.threads import DaemonThread, in_thread
from backupify_async._escaping import printable
from backupify_async.client import BackupifyClient
from backupify_async.errors import BackupifyError
from backupify_async.events import Event, TriggerStopped
from backupify_async.ids import InstanceId, instance_key
from backupify_async.models import Backup, SentTrigger, TriggerKind, TriggerResult


class Consent:
    """Somebody's consent to trigger backups of these instances.

    Args:
        ids: The instances.
        yes: Whether it was given on the command line.
        journal: The journal of the sweep, which may be there already; None where it has none.
    """

    def __init__(self, ids: Ids, *, yes: bool, journal: Path | None = None) -> None:
        self._ids = ids
        self._yes = yes or (isinstance(ids, GivenIds) and len(ids.ids) == 1)
        self._journal = journal

    def require_somebody_to_ask(self) -> None:
        """Refuse to begin where nobody could be asked.

        Raises:
            Exit: There is no terminal, or the ids come from it.
        """
        if self._yes:
            return
        if isinstance(self._ids, FileIds) and self._ids.path == STDIN:
            raise Exit(
                ExitCode.USAGE,
                "the ids come from stdin, so nobody can be asked there: add --yes to trigger them",
            )
        if sys.stdin is None or not sys.stdin.isatty():
            raise Exit(
                ExitCode.USAGE,
                f"would trigger a backup of {self._ids.describe(None)}, and there is no terminal to ask: "
                "add --yes, or look with --dry-run",
            )

    async def agree(self, client: BackupifyClient) -> None:
        """Check and count the instances where that can be done, and ask.

        Raises:
            Exit: The answer is no, or the ids cannot be read; `NoIds` where there are none.
        """
        journal = self._journal  # of which it says itself what is wrong with its path
        begun = journal is not None and await in_thread("journal", os.path.exists, journal)
        number = await self._number(client, begun=begun)
        if number == 0 and not begun:  # before a journal is made: there is nothing to go on with
            raise no_instances()
        if self._yes or number in (0, 1):
            return
        if not await _ask(f"Trigger a backup of {self._ids.describe(number)}?"):
            raise Exit(ExitCode.USAGE, "not confirmed: nothing was triggered")

    async def _number(self, client: BackupifyClient, *, begun: bool) -> int | None:
        """How many there are; None where nobody has to know, or the journal may have them already."""
        ids = self._ids
        if isinstance(ids, FileIds):
            return None if begun and not ids.rereadable else await ids.number(client)
        if self._yes and (begun or self._journal is None):
            return None
        try:
            return await ids.number(client)
        except BackupifyError as error:
            raise Exit(ExitCode.SOME_FAILED, f"the instances cannot be listed: {error}") from None


async def check(ids: Ids, client: BackupifyClient) -> None:
    """Read a file of ids, or what comes by stdin, whole before anything is done.

    Raises:
        Exit: It cannot be read, or a line is no id; `NoIds` where it has none.
    """
    if isinstance(ids, FileIds):
        await ids.number(client)


@attrs.frozen
class Wait:
    """That a backup's end is waited for.

    Attributes:
        timeout: Seconds for each; None for as long as it takes.
    """

    timeout: float | None


def read_wait(wait: bool, timeout: float | None) -> Wait | None:
    """Whether and how to wait.

    Raises:
        Exit: It is said how, and not that.
    """
    if timeout is not None and not wait:
        raise Exit(ExitCode.USAGE, "--wait-timeout says how long to --wait: add that")
    return Wait(timeout) if wait else None


async def _ask(question: str) -> bool:
    """Ask on the terminal; everything but a yes is a no.

    Raises:
        Exit: Nobody is there any more.
    """
    thread = DaemonThread("question")
    try:
        await thread.call(write_all, sys.stderr.fileno(), f"{printable(question)} [y/N] ".encode())
        answer = await thread.call(read_some, sys.stdin.fileno(), 1_000)
    except OSError as error:
        raise Exit(
            ExitCode.USAGE,
            f"nobody can be asked ({error.strerror}): nothing was triggered; add --yes to do so",
        ) from None
    finally:
        thread.close()
    return answer.decode(errors="replace").strip().lower() in ("y", "yes")


class Pretence:
    """What a trigger would do, told from what runs now."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def rows(self, instance_id: InstanceId, active: Backup | None) -> list[Row]:
        """One row: would start one, one runs already, or the instance came before."""
        key = instance_key(instance_id)
        state = "would_start" if active is None else "already_active"
        if key in self._seen:
            state = "duplicate"
        self._seen.add(key)
        return [backup_row(instance_id, state, active)]


class StoppedTriggers:
    """The triggers whose outcome is in doubt at the end of a command: the client's `on_event` hook."""

    def __init__(self) -> None:
        self._stopped: dict[str, SentTrigger | None] = {}
        self._recorded: dict[str, SentTrigger] = {}

    def add_recorded(self, triggers: Iterable[SentTrigger]) -> None:
        """Note triggers in doubt of a previous run, which are still to be reconciled."""
        self._recorded.update((instance_key(one.instance_id), one) for one in triggers)

    def __call__(self, event: Event) -> None:
        """Note a trigger that was stopped."""
        if isinstance(event, TriggerStopped):
            self._stopped[instance_key(event.instance_id)] = event.in_doubt

    def known(self, instance_id: InstanceId) -> TriggerResult | None:
        """The result of a trigger that was accepted, and only the check after it was cut off."""
        trigger = self._in_doubt(instance_id)
        accepted = trigger is not None and trigger.accepted and not self._is_recorded(trigger)
        return TriggerResult(TriggerKind.STARTED, None) if accepted else None

    def cut_off(self, instance_ids: Sequence[InstanceId], rest: str | None) -> list[str]:
        """What to say of triggers that were cut off, and of the remaining ids."""
        in_doubt = {one: trigger for one in instance_ids if (trigger := self._in_doubt(one)) is not None}
        lines = [f"instance {one}: {self._in_words(trigger)}" for one, trigger in in_doubt.items()]
        unsent = [str(one) for one in instance_ids if one not in in_doubt]
        which = f"instance{'' if len(unsent) == 1 else 's'} {', '.join(unsent)}"
        missing = [*([which] if unsent else []), *([rest] if rest else [])]
        return [*lines, f"not triggered: {', and '.join(missing)}"] if missing else lines

    def _in_doubt(self, instance_id: InstanceId) -> SentTrigger | None:
        key = instance_key(instance_id)
        return self._stopped.get(key, self._recorded.get(key))

    def _is_recorded(self, trigger: SentTrigger) -> bool:
        return self._recorded.get(instance_key(trigger.instance_id)) == trigger

    def _in_words(self, trigger: SentTrigger) -> str:
        if self._is_recorded(trigger):
            return "sent by an earlier process, a backup may or may not have started"
        if trigger.accepted:
            return "started; the check of its backup was cut off"
        return "cut off, a backup may or may not have started"
