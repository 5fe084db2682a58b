"""What the terminal can do, as far as the environment says."""

import os
import shutil
from typing import TextIO

_MIN_COLUMNS = 20  # rich and cyclopts do not return from laying out text for 0 to 2 columns
_MAX_COLUMNS = 1_000
USUAL_COLUMNS = 80


def understands_escapes() -> bool:
    """Whether the terminal can redraw a line and has colours: not if TERM is unset, `dumb` or `unknown`."""
    return os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def takes_colour(stream: TextIO | None) -> bool:
    """Whether to write colours to a stream. An empty NO_COLOR has no effect (no-color.org)."""
    on_terminal = stream is not None and stream.isatty()
    return on_terminal and understands_escapes() and not os.environ.get("NO_COLOR")


def columns_of(stream: TextIO | None) -> int | None:
    """The columns of stdout; None where it is not a terminal and COLUMNS is not set.

    COLUMNS takes precedence: `watch` reads from a pipe and shows what it reads on a terminal. 0 means
    unknown, as in a container.
    """
    on_terminal = stream is not None and stream.isatty()
    columns = shutil.get_terminal_size((USUAL_COLUMNS if on_terminal else 0, 24)).columns
    return min(max(columns, _MIN_COLUMNS), _MAX_COLUMNS) if columns else None
