"""Makes text from outside safe for a log line, an error message and a terminal."""

import re

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")


def printable(value: object) -> str:
    """A text or an id with unprintable characters escaped: control characters, line ends, bidi marks.

    Otherwise its sender could forge a log line, or send commands to the terminal that shows it.
    """
    text = str(value)
    return text if text.isprintable() else _UNPRINTABLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in match[0]
    )
