"""Asks before it triggers more than one backup."""

import os
import sys
from pathlib import Path

from backupify_async._cli.daemon_threads import DaemonThread, in_daemon_thread
from backupify_async._cli.descriptors import read_some, write_all
from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._cli.id_files import STDIN
from backupify_async._cli.id_sources import ArgumentIds, FileIds, IdSource, no_instances
from backupify_async._escaping import printable
from backupify_async.client import BackupifyClient
from backupify_async.errors import BackupifyError


class Confirmation:
    """The user's confirmation to trigger backups of some instances.

    Args:
        source: The instances.
        yes: Whether it was given on the command line.
        journal: The path of the sweep's journal, which can exist already; None where it has none.
    """

    def __init__(self, source: IdSource, *, yes: bool, journal: Path | None = None) -> None:
        self._source = source
        self._yes = yes or (isinstance(source, ArgumentIds) and len(source.ids) == 1)
        self._journal = journal

    def require_terminal(self) -> None:
        """Refuse to begin where the question could not be answered.

        Raises:
            Exit: There is no terminal, or the ids are read from it.
        """
        if self._yes:
            return
        reads_stdin = isinstance(self._source, FileIds) and self._source.path == STDIN
        require_terminal(
            f"trigger a backup of {self._source.describe(None)}",
            stdin_use="the ids are read from stdin" if reads_stdin else None,
        )

    async def ask(self, client: BackupifyClient) -> None:
        """Check and count the ids, where possible, and ask.

        Raises:
            Exit: The answer is not yes, or the ids cannot be read; `NoInstances` where there are none.
        """
        journal = self._journal  # reports itself what is wrong with its path
        resumed = journal is not None and await in_daemon_thread("journal", os.path.exists, journal)
        number = await self._count(client, resumed=resumed)
        if number == 0 and not resumed:  # before a journal is created, which would have nothing to resume
            raise no_instances()
        if self._yes or number in (0, 1):
            return
        await ask_on_terminal(
            f"Trigger a backup of {self._source.describe(number)}?", "no backup was triggered"
        )

    async def _count(self, client: BackupifyClient, *, resumed: bool) -> int | None:
        """The number of ids; None where it is not needed, or the journal can have them already."""
        source = self._source
        if isinstance(source, FileIds):
            return None if resumed and not source.rereadable else await source.count(client)
        if self._yes and (resumed or self._journal is None):
            return None
        try:
            return await source.count(client)
        except BackupifyError as error:
            raise Exit(ExitCode.SOME_FAILED, f"the instances cannot be listed: {error}") from None


def require_terminal(action: str, *, stdin_use: str | None) -> None:
    """Refuse to begin where a question could not be answered.

    Args:
        action: What would be done.
        stdin_use: What stdin is used for instead; None where it is free.

    Raises:
        Exit: There is no terminal, or it is not free.
    """
    if stdin_use is not None:
        raise Exit(ExitCode.USAGE, f"cannot ask for confirmation while {stdin_use}: add --yes")
    if sys.stdin is None or not sys.stdin.isatty():
        raise Exit(
            ExitCode.USAGE,
            f"would {action}, but there is no terminal to ask for confirmation: add --yes, or check with "
            "--dry-run",
        )


async def ask_on_terminal(question: str, nothing_done: str) -> None:
    """Ask on the terminal; anything but "y" or "yes" means no.

    Args:
        question: The question.
        nothing_done: What a no means, for the message.

    Raises:
        Exit: The answer is not yes, or the terminal was closed.
    """
    thread = DaemonThread("confirmation")
    try:
        await thread.call(write_all, sys.stderr.fileno(), f"{printable(question)} [y/N] ".encode())
        reply = await thread.call(read_some, sys.stdin.fileno(), 1_000)
    except OSError as error:
        raise Exit(
            ExitCode.USAGE, f"cannot ask for confirmation ({error.strerror}): {nothing_done}; add --yes"
        ) from None
    finally:
        thread.close()
    if reply.decode(errors="replace").strip().lower() not in ("y", "yes"):
        raise Exit(ExitCode.USAGE, f"not confirmed: {nothing_done}")
