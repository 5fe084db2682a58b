"""The command `demo`."""

from backupify_async._cli.help_text import examples
from backupify_async._cli.shutdown import run_command

EXAMPLES = examples("backupify demo")


def demo() -> int:
    """Show all commands at work on a simulated server with faults. Needs no credentials."""
    # Its server takes 150 ms to import.
    from backupify_async._cli.demo_walkthrough import run_demo  # noqa: PLC0415

    return run_command(run_demo)
