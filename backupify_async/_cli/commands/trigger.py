"""The command `trigger`."""

from functools import partial
from typing import Annotated

from cyclopts import Parameter

from backupify_async._cli.confirmation import Confirmation
from backupify_async._cli.help_text import examples
from backupify_async._cli.id_sources import choose_source
from backupify_async._cli.journal_sweep import begin_sweep
from backupify_async._cli.options import (
    CONFIRMATION,
    JOURNAL,
    NO_WAIT,
    SWEEP_DEFAULTS,
    Flag,
    InstanceIds,
    SweepOptions,
    WaitOptions,
    absolute_path,
    file_name,
)
from backupify_async._cli.shutdown import run_command
from backupify_async._cli.sweep import sweep
from backupify_async._cli.trigger_action import dry_run as dry_run_action
from backupify_async._cli.trigger_action import trigger_action

EXAMPLES = examples(
    "backupify trigger 42",
    "backupify trigger 42 43 44                      # asks for confirmation",
    "backupify trigger --ids-file ids.txt --dry-run  # triggers nothing",
    "backupify trigger --ids-file ids.txt --yes      # does not ask: for scripts",
    "backupify trigger 42 43 --yes --wait            # until both have ended",
    "backupify trigger --all --journal tonight.sqlite",
)


def trigger(
    *ids: InstanceIds,
    yes: Annotated[bool, Flag, Parameter(group=CONFIRMATION, alias="-y")] = False,
    dry_run: Annotated[bool, Flag, Parameter(group=CONFIRMATION)] = False,
    journal: Annotated[
        str | None,
        Parameter(
            group=JOURNAL,
            validator=file_name,
            metavar="FILE",
            help="Record in this file what was done. After a crash, the same command or `backupify resume` "
            "continues. Use a new file each time.",
        ),
    ] = None,
    wait: WaitOptions = NO_WAIT,
    options: SweepOptions = SWEEP_DEFAULTS,
) -> int:
    """Trigger one backup of each instance, never two. One row per instance.

    A backup that is already running is left alone, and counts as a success. With
    --wait, a backup that does not complete makes the exit code 1. If the response
    to a trigger is lost, its backup is looked up, and the trigger is sent again
    only if it surely started none. If that remains unclear, a message on stderr
    names the instance.

    Args:
        yes: Do not ask before triggering more than one backup.
        dry_run: Trigger nothing, but show what would be triggered.
    """
    source = choose_source(ids, options.ids_file, everything=options.all)
    if dry_run:
        action = dry_run_action(source)
        return run_command(partial(sweep, action=action, source=source, options=options))
    wait.check()
    path = None if journal is None else absolute_path(journal)
    confirmation = Confirmation(source, yes=yes, journal=path)
    confirmation.require_terminal()
    if path is None:
        triggering = trigger_action(wait, confirmation)
    else:
        triggering, source = begin_sweep(path, source, confirmation, wait)
    return run_command(partial(sweep, action=triggering, source=source, options=options))
