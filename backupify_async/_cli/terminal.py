"""What the terminal can do, as far as its environment tells."""

import os
from typing import TextIO

_LEAST, _MOST, _USUAL = 20, 1_000, 80


def understands_escapes() -> bool:
    """Whether it has colours, and a line can be drawn anew: not one that is dumb, or that nobody names."""
    return os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def takes_colour(stream: TextIO | None) -> bool:
    """Whether colours are seen on a stream, and wanted (no-color.org: an empty NO_COLOR says nothing)."""
    on_terminal = stream is not None and stream.isatty()
    return on_terminal and understands_escapes() and not os.environ.get("NO_COLOR")


def columns_of(stream: TextIO | None) -> int | None:
    """How many columns a stream has; None where it is no terminal, and nobody says.

    COLUMNS comes first, as for `watch`, which reads by a pipe and shows on a terminal. 0 says that it is not
    known, as in a container; and what lays out text for fewer than 20 may never come to an end.
    """
    told = os.environ.get("COLUMNS", "")
    columns = int(told[:9]) if told.isdecimal() else 0
    if not columns:
        if stream is None or not stream.isatty():
            return None
        try:
            columns = os.get_terminal_size(stream.fileno()).columns or _USUAL
        except OSError:  # it was hung up
            columns = _USUAL
    return min(max(columns, _LEAST), _MOST)


def columns_to_fill(stream: TextIO | None) -> int:
    """How many columns text for people may take on a stream."""
    return columns_of(stream) or _USUAL
