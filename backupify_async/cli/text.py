"""Text that others wrote, made safe for a terminal and for a line."""

import unicodedata


def printable(text: str) -> str:
    """The text with all that does not print escaped: control characters, line ends, marks that turn text."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def is_unseen(character: str) -> bool:
    """Whether it is white space, or has no look at all, as U+200B and U+FEFF: both come along in a paste."""
    return character.isspace() or unicodedata.category(character) == "Cf"


def bare(text: str) -> str:
    """The text without what cannot be seen around it."""
    if text.isascii():
        return text.strip()
    seen = [place for place, character in enumerate(text) if not is_unseen(character)]
    return text[seen[0] : seen[-1] + 1] if seen else ""


def count(number: int, noun: str) -> str:
    """A number and what it counts: "1 backup", "1,200 backups"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
