"""A rich console that handles a closed pipe and a narrow or dumb terminal."""

import os
import sys
from typing import Any

from rich.console import Console

from backupify_async._cli.terminal import USUAL_COLUMNS, columns_of, understands_escapes

_LINES = 25  # any number will do


class PipeConsole(Console):
    """A console on stdout that raises `BrokenPipeError`, where rich's own exits with code 1.

    Its size is set, because rich hangs at 0 to 2 columns. It uses no colours where TERM is unset.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(
            width=columns_of(sys.stdout) or USUAL_COLUMNS,
            height=_LINES,
            force_terminal=None if understands_escapes() else False,
            **options,
        )

    def on_broken_pipe(self) -> None:
        """Let the caller handle it."""
        raise BrokenPipeError


def discard_stdout() -> None:
    """Send what is still buffered for stdout to the null device: flushing it at exit would fail again."""
    if sys.stdout is None:
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
