"""A rich console that takes a closed pipe as every other writer does."""

import os
import sys
from typing import Any

from rich.console import Console

from backupify_async._cli.terminal import columns_to_fill, understands_escapes

_LINES = 25  # nothing depends on it


class PipeConsole(Console):
    """A console on stdout that raises `BrokenPipeError`, where rich's own exits with 1.

    It is told its size, and where there is no more than plain text: rich never returns from laying out text
    for no columns, and has colours where TERM is not set.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(
            width=columns_to_fill(sys.stdout),
            height=_LINES,
            force_terminal=None if understands_escapes() else False,
            **options,
        )

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
