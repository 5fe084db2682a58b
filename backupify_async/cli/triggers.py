"""What is special about triggering: it asks first, it can only pretend, and it leaves nothing unsaid."""

import os
import sys
from collections.abc import Sequence

from backupify_async.cli.exits import Exit, ExitCode
from backupify_async.cli.ids import STDIN, FileIds, GivenIds, Ids
from backupify_async.cli.records import backup_row
from backupify_async.cli.rows import Row
from backupify_async.cli.text import printable
from backupify_async.cli.threads import DaemonThread
from backupify_async.client import BackupifyClient
from backupify_async.errors import BackupifyError
from backupify_async.events import Event, RequestSent, ResponseReceived
from backupify_async.fleet.fleet import InstanceId
from backupify_async.models import Backup
from backupify_async.transport.request import identifier


class Consent:
    """Somebody's consent to trigger backups of these instances.

    Args:
        ids: The instances.
        yes: Whether it was given on the command line.
    """

    def __init__(self, ids: Ids, *, yes: bool) -> None:
        self._ids = ids
        self._yes = yes or (isinstance(ids, GivenIds) and len(ids.ids) == 1)

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
        """Count the instances where that can be done, and ask.

        Raises:
            Exit: The answer is no, or the ids cannot be read.
        """
        try:
            number = (
                None if self._yes and not isinstance(self._ids, FileIds) else await self._ids.number(client)
            )
        except BackupifyError as error:
            raise Exit(ExitCode.SOME_FAILED, f"the instances cannot be listed: {error}") from None
        if self._yes or number in (0, 1):
            return
        if not await _ask(f"Trigger a backup of {self._ids.describe(number)}?"):
            raise Exit(ExitCode.USAGE, "nothing was triggered")


async def _ask(question: str) -> bool:
    """Ask on the terminal; everything but a yes is a no."""
    thread = DaemonThread("question")
    try:
        await thread.call(os.write, sys.stderr.fileno(), f"{printable(question)} [y/N] ".encode())
        answer = await thread.call(os.read, sys.stdin.fileno(), 1_000)
    finally:
        thread.close()
    return answer.decode(errors="replace").strip().lower() in ("y", "yes")


class Pretence:
    """What a trigger would do, told from what runs now."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def rows(self, instance_id: InstanceId, active: Backup | None) -> list[Row]:
        """One row: would start one, one runs already, or the instance came before."""
        name = str(instance_id)
        state = "would_start" if active is None else "already_active"
        if name in self._seen:
            state = "duplicate"
        self._seen.add(name)
        return [backup_row(instance_id, state, active)]


class SentTriggers:
    """Which triggers have left and have no answer: the client's `on_event` hook."""

    def __init__(self) -> None:
        self._paths: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Note what was sent, and what was refused for now and so has started nothing."""
        match event:
            case RequestSent(method="POST", path=path):
                self._paths.add(path)
            case ResponseReceived(method="POST", path=path, status=429):
                self._paths.discard(path)
            case _:
                pass

    def cut_off(self, instance_ids: Sequence[InstanceId]) -> list[str]:
        """What is to be said of triggers that were cut off."""
        sent = [one for one in instance_ids if _path(one) in self._paths]
        unsent = [str(one) for one in instance_ids if one not in sent]
        lines = [f"instance {one}: cut off, a backup may or may not have started" for one in sent]
        return [*lines, f"not triggered: instances {', '.join(unsent)}"] if unsent else lines


def _path(instance_id: InstanceId) -> str:
    return f"/v1/backup_instances/{identifier(instance_id)}/backups"
