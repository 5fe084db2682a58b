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
from backupify_async._cli.records import backup_row, triggered_rows
from backupify_async._cli.rows import Row
from backupify_async._cli.threads import DaemonThread, in_thread
from backupify_async._escaping import printable
from backupify_async._transport.retry_rules import NOTHING_DONE
from backupify_async.client import BackupifyClient
from backupify_async.errors import BackupifyError
from backupify_async.events import Event, RequestSent, ResponseReceived, RetryScheduled
from backupify_async.ids import InstanceId, identifier, instance_key
from backupify_async.models import Backup, TriggerKind, TriggerResult


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


class SentTriggers:
    """What is known of triggers that have left: the client's `on_event` hook."""

    def __init__(self) -> None:
        self._fates: dict[str, TriggerKind | None] = {}
        self._of_earlier: set[str] = set()

    def add_of_earlier(self, instance_ids: Iterable[InstanceId]) -> None:
        """Note triggers that an earlier process may have sent, and that were not looked at since."""
        self._of_earlier.update(map(_path, instance_ids))

    def __call__(self, event: Event) -> None:
        """Note what was sent, what its answer settles, and what surely has started nothing."""
        match event:
            case RequestSent(method="POST", path=path):
                self._fates[path] = None
                self._of_earlier.discard(path)  # it was looked at, and surely did nothing
            case ResponseReceived(method="POST", path=path, status=status) if 200 <= status < 300:
                self._fates[path] = TriggerKind.STARTED
            case ResponseReceived(method="POST", path=path, status=status) if status in NOTHING_DONE:
                self._fates.pop(path, None)
            case RetryScheduled(method="POST", path=path):  # the library repeats only what started nothing
                self._fates.pop(path, None)
            case _:
                pass

    def rows(self, instance_id: InstanceId, result: TriggerResult) -> list[Row]:
        """The rows of a trigger's result; of one that is whole, nothing else need be known any more."""
        if result.backup is not None:
            self._fates.pop(_path(instance_id), None)
        return triggered_rows(instance_id, result)

    def known(self, instance_id: InstanceId) -> TriggerResult | None:
        """What became of a trigger, where its answer came and only the look that follows it was cut off."""
        kind = self._fates.get(_path(instance_id))
        return None if kind is None else TriggerResult(kind, None)

    def cut_off(self, instance_ids: Sequence[InstanceId], rest: str | None) -> list[str]:
        """What is to be said of triggers that were cut off, and of the rest of the ids."""
        told = {one: words for one in instance_ids if (words := self._in_words(_path(one)))}
        lines = [f"instance {one}: {words}" for one, words in told.items()]
        unsent = [str(one) for one in instance_ids if one not in told]
        which = f"instance{'' if len(unsent) == 1 else 's'} {', '.join(unsent)}"
        missing = [*([which] if unsent else []), *([rest] if rest else [])]
        return [*lines, f"not triggered: {', and '.join(missing)}"] if missing else lines

    def _in_words(self, path: str) -> str | None:
        if path in self._of_earlier:
            return "sent by an earlier process, a backup may or may not have started"
        if path not in self._fates:
            return None
        if (fate := self._fates[path]) is None:
            return "cut off, a backup may or may not have started"
        return f"{fate.value.replace('_', ' ')}; the look at its backup was cut off"


def _path(instance_id: InstanceId) -> str:
    return f"/v1/backup_instances/{identifier(instance_id)}/backups"
