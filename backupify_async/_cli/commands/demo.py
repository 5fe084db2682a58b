"""The command `demo`."""

import tempfile
from functools import partial

from backupify_async._cli.help_text import examples
from backupify_async._cli.shutdown import run_command

EXAMPLES = examples("backupify demo")


def demo() -> int:
    """Show all commands at work on a simulated server with faults. Needs no credentials."""
    # Its server takes 150 ms to import.
    from backupify_async._cli.demo_walkthrough import run_demo  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as directory:
        return run_command(partial(run_demo, directory=directory))
