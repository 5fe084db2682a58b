"""A rich console that takes a closed pipe as every other writer does."""

import os
import sys

from rich.console import Console


class PipeConsole(Console):
    """A console on stdout that raises `BrokenPipeError`; rich's own exits with 1."""

    def on_broken_pipe(self) -> None:
        """Leave it to whoever runs the command."""
        raise BrokenPipeError


def forget_stdout() -> None:
    """Let the interpreter flush what is left into nothing: it would complain of the same again."""
    if sys.stdout is None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
