"""JSON as a person reads it on a terminal, and as a program reads it line by line."""

import json
from typing import Any

from backupify_async._escaping import printable


def pretty(value: Any) -> str:
    """A JSON value with indentation. Characters that a terminal would act on are escaped.

    Raises:
        RecursionError: It is nested more deeply than `json` can write.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if text.isascii():
        return text
    return "".join(
        character if character.isprintable() or character == "\n" else json.dumps(character)[1:-1]
        for character in text
    )


def compact(value: Any) -> str:
    """A JSON value on one line, in ASCII, which is safe in any encoding and on any terminal.

    Raises:
        RecursionError: It is nested more deeply than `json` can write.
    """
    return json.dumps(value)


def escaped_lines(body: bytes) -> str:
    """A text as a terminal can show it: each line with unprintable characters escaped."""
    text = body.decode("utf-8", "backslashreplace")
    return "\n".join(printable(line) for line in text.split("\n"))
