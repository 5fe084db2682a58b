"""The command `resume`."""

from functools import partial
from typing import Annotated

from cyclopts import Parameter

from backupify_async._cli.help_text import examples
from backupify_async._cli.journal_sweep import resume_sweep
from backupify_async._cli.options import (
    FLEET_DEFAULTS,
    NO_WAIT,
    FleetOptions,
    WaitOptions,
    absolute_path,
    file_name,
)
from backupify_async._cli.shutdown import run_command

EXAMPLES = examples(
    "backupify resume tonight.sqlite",
    "backupify resume tonight.sqlite --wait   # until all of its backups have ended",
)


def resume(
    file: Annotated[str, Parameter(validator=file_name, help="The journal.")],
    /,
    *,
    wait: WaitOptions = NO_WAIT,
    options: FleetOptions = FLEET_DEFAULTS,
) -> int:
    """Continue a sweep of `trigger --journal`, with one row for each of its instances.

    Instances that are done are not triggered again. Where a backup may have been
    started, it is looked up first. Failed instances, and those not begun, are
    triggered.
    """
    wait.check()
    return run_command(partial(resume_sweep, path=absolute_path(file), wait=wait, options=options))
