"""Makes text from outside safe to stand in a line of a log, of a message, and on a terminal."""

import re

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")


def printable(told: object) -> str:
    """A text or an id with what does not print escaped: control characters, line ends, marks that turn text.

    Who sends it could otherwise forge a line of a log, or command the terminal of whoever reads it there.
    """
    text = str(told)
    return text if text.isprintable() else _UNPRINTABLE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in found[0]
    )
